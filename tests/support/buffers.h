// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Buffers of all kinds for tests of what moves bytes, and bytes to move.
#pragma once

#include <gossamer/gossamer.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "support/ranks.h"
#include "support/reference.h"

namespace goss::test {

enum class Memory { kPrivate, kUnaligned, kShared };

// A buffer with guards behind it.
class Buffer {
 public:
  Buffer(Memory memory, size_t bytes) : bytes_(bytes) {
    const size_t offset = memory == Memory::kUnaligned ? 1 : 0;
    if (memory == Memory::kShared) {
      MUST(gossMemAlloc(&shared_, bytes + kGuard));
      data_ = static_cast<std::byte*>(shared_);
    } else {
      private_.resize(bytes + kGuard + offset);
      data_ = private_.data() + offset;
    }
    std::fill_n(data_, bytes + kGuard, std::byte{0xa5});
  }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  ~Buffer() { EXPECT_EQ(gossMemFree(shared_), gossSuccess); }
  std::byte* data() { return data_; }
  size_t bytes() const { return bytes_; }
  void require_guards(const std::string& what) const {
    for (size_t i = bytes_; i < bytes_ + kGuard; ++i) {
      require(data_[i] == std::byte{0xa5}, what + ": wrote behind the buffer");
    }
  }

 private:
  static constexpr size_t kGuard = 64;
  size_t bytes_;
  void* shared_ = nullptr;
  std::vector<std::byte> private_;
  std::byte* data_ = nullptr;
};

// Any bits will do: NaNs and infinities are values like others. They repeat after a prime number of
// bytes, so that they are copied and compared as a whole, which sanitizers look at once.
constexpr size_t kPatternBytes = 65537;
inline const std::byte* pattern() {
  static const std::vector<std::byte> bytes = [] {
    std::vector<std::byte> made(kPatternBytes);
    for (size_t i = 0; i < kPatternBytes; ++i) made[i] = static_cast<std::byte>(mix(i + 1));
    return made;
  }();
  return bytes.data();
}
// Bytes [first, ...) of the input of `rank` in pieces: fn(offset, expected, length).
template <class Fn>
void for_each_run(size_t bytes, int rank, size_t first, Fn fn) {
  size_t at = (first + static_cast<size_t>(rank) * 4099) % kPatternBytes;
  for (size_t done = 0; done < bytes; at = 0) {
    const size_t length = std::min(bytes - done, kPatternBytes - at);
    fn(done, pattern() + at, length);
    done += length;
  }
}
inline void fill(std::byte* data, size_t bytes, int rank, size_t first = 0) {
  for_each_run(bytes, rank, first, [&](size_t offset, const std::byte* from, size_t length) {
    std::memcpy(data + offset, from, length);
  });
}
inline void require_content(const std::byte* data, size_t bytes, int rank, size_t first,
                            const std::string& what) {
  for_each_run(bytes, rank, first, [&](size_t offset, const std::byte* from, size_t length) {
    if (std::memcmp(data + offset, from, length) == 0) return;
    const auto wrong = std::mismatch(from, from + length, data + offset).first - from;
    require(false, what + ": byte " + std::to_string(offset + static_cast<size_t>(wrong)) +
                       " from rank " + std::to_string(rank));
  });
}
// Message number `number` from one rank to another.
inline void fill_message(std::byte* data, size_t bytes, int from, int to, size_t number) {
  fill(data, bytes, from, number * 131 + static_cast<size_t>(to) * 17);
}
inline void require_message(const std::byte* data, size_t bytes, int from, int to, size_t number,
                            const std::string& what) {
  require_content(data, bytes, from, number * 131 + static_cast<size_t>(to) * 17, what);
}

}  // namespace goss::test
