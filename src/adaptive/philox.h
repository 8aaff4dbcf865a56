// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Philox: the counter-based random numbers of plans, Philox4x32-10. A number is a pure function of
// (seed, purpose, epoch, lane, index), so plans are the same on every machine and need no saved
// generator. The standard library's generators are exact, but its distributions and shuffles are
// not specified.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <utility>

#include "base/philox.h"

namespace goss::adaptive {

// What a stream of numbers is for; two purposes never share numbers.
enum class Purpose : uint32_t { kUnseen = 1, kOrder, kExcess, kBucket, kMix, kPrune };

class Philox {
 public:
  using Block = std::array<uint32_t, 4>;

  Philox(uint64_t seed, Purpose purpose, uint64_t epoch, uint32_t lane)
      : key_{static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32)},
        counter_{0, lane, static_cast<uint32_t>(epoch), static_cast<uint32_t>(purpose)} {}

  uint32_t next() {
    if (used_ == 4) {
      block_ = philox<10>(counter_, key_);
      ++counter_[0];  // 2^34 numbers per stream; the longest stream, a shuffle, takes about 2^32
      used_ = 0;
    }
    return block_[used_++];
  }

  // Uniform in [0, bound), bound > 0, without bias: Lemire, "Fast random integer generation in an
  // interval" (2019).
  uint32_t below(uint32_t bound) {
    uint64_t product = uint64_t{next()} * bound;
    if (static_cast<uint32_t>(product) < bound) {
      const uint32_t threshold = (0u - bound) % bound;
      while (static_cast<uint32_t>(product) < threshold) product = uint64_t{next()} * bound;
    }
    return static_cast<uint32_t>(product >> 32);
  }

 private:
  std::array<uint32_t, 2> key_;
  Block counter_;
  Block block_{};
  size_t used_ = 4;
};

// Fisher and Yates, from the end.
template <class T>
void shuffle(std::span<T> items, Philox random) {
  for (size_t left = items.size(); left > 1; --left) {
    std::swap(items[left - 1], items[random.below(static_cast<uint32_t>(left))]);
  }
}

}  // namespace goss::adaptive
