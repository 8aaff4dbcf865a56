// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Philox: the counter-based random numbers of plans, Philox4x32-10 of Salmon, Moraes, Dror and
// Shaw, "Parallel random numbers: as easy as 1, 2, 3" (SC 2011). A number is a pure function of
// (seed, purpose, epoch, lane, index), so plans are the same on every machine and need no saved
// generator. The standard library's generators are exact, but its distributions and shuffles are
// not specified.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <utility>

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
      block_ = encrypt(counter_, key_);
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

  static Block encrypt(Block x, std::array<uint32_t, 2> key) {
    for (int round = 0; round < 10; ++round) {
      const uint64_t a = uint64_t{0xD2511F53u} * x[0];
      const uint64_t b = uint64_t{0xCD9E8D57u} * x[2];
      x = {static_cast<uint32_t>(b >> 32) ^ x[1] ^ key[0], static_cast<uint32_t>(b),
           static_cast<uint32_t>(a >> 32) ^ x[3] ^ key[1], static_cast<uint32_t>(a)};
      key[0] += 0x9E3779B9u;
      key[1] += 0xBB67AE85u;
    }
    return x;
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
