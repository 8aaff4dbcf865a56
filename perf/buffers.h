// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Send and receive buffers of one rank. Each call of a timed series takes the next slot of them, as
// nccl-tests does, so that small operations do not always hit the same cache lines.
#pragma once

#include <cstddef>

#include "options.h"

namespace goss::perf {

// Bytes after a result that nobody may touch; checked.
inline constexpr size_t kGuardBytes = 64;

// Memory from gossMemAlloc (-R) or the heap; all pages have been touched.
class Memory {
 public:
  Memory(size_t bytes, bool registered, int rank);
  Memory(Memory&& other) noexcept;
  Memory& operator=(Memory&&) = delete;
  ~Memory();
  std::byte* data() const { return data_; }

 private:
  std::byte* data_ = nullptr;
  bool registered_;
};

class Buffers {
 public:
  // For operations of up to options.max_bytes, and groups of -m of the smallest.
  Buffers(const Options& options, int rank);

  // Distance of slots for operations of `bytes`: whole cache lines.
  static size_t stride(size_t bytes) { return (bytes + 63) / 64 * 64; }
  // How many slots fit; at least one.
  size_t slots(size_t bytes) const;

  std::byte* send(gossDataType_t type) const { return send_.data() + unalign_ * type_size(type); }
  std::byte* recv(gossDataType_t type) const { return recv_.data() + unalign_ * type_size(type); }

 private:
  size_t max_bytes_;
  size_t unalign_;
  Memory send_;
  Memory recv_;
};

}  // namespace goss::perf
