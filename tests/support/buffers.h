// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Buffers of all kinds for tests of what moves bytes, and bytes to move.
#pragma once

#include <gossamer/gossamer.h>
#include <gtest/gtest.h>

#include <algorithm>
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

// Any bits will do: NaNs and infinities are values like others.
inline std::byte content(int rank, size_t i) {
  return static_cast<std::byte>(mix(i * 64 + static_cast<uint64_t>(rank)));
}
inline void fill(std::byte* data, size_t bytes, int rank, size_t first = 0) {
  for (size_t i = 0; i < bytes; ++i) data[i] = content(rank, first + i);
}
// Bytes [first, ...) of the input of `rank`.
inline void require_content(const std::byte* data, size_t bytes, int rank, size_t first,
                            const std::string& what) {
  for (size_t i = 0; i < bytes; ++i) {
    if (data[i] == content(rank, first + i)) continue;
    require(false, what + ": byte " + std::to_string(i) + " from rank " + std::to_string(rank));
  }
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
