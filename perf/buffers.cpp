// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "buffers.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "crew.h"

namespace goss::perf {

namespace {

// Huge pages where the system grants them, as the programs that we are compared with
// (common/buffer.h): below 2 MiB pages, page tables would be a part of what is measured.
constexpr size_t kHugePage = size_t{2} << 20;
constexpr size_t kLargestElement = 8;

size_t slot_bytes(const Options& options) {
  const size_t group = static_cast<size_t>(options.agg_iters) * Buffers::stride(options.min_bytes);
  return options.agg_iters > 1 ? std::max(options.max_bytes, group) : options.max_bytes;
}

size_t buffer_bytes(const Options& options) {
  return Buffers::stride(slot_bytes(options)) + options.unalign * kLargestElement + kGuardBytes;
}

}  // namespace

Memory::Memory(size_t bytes, bool registered, int rank) : registered_(registered) {
  bytes = (bytes + kHugePage - 1) / kHugePage * kHugePage;
  void* data = nullptr;
  if (registered) {
    check(gossMemAlloc(&data, bytes), "gossMemAlloc", rank, nullptr);
  } else {
    data = std::aligned_alloc(kHugePage, bytes);
    if (data == nullptr) {
      throw Failure("rank " + std::to_string(rank) + ": no memory for a buffer of " +
                    std::to_string(bytes) + " bytes");
    }
    madvise(data, bytes, MADV_HUGEPAGE);  // a wish
  }
  data_ = static_cast<std::byte*>(data);
  std::memset(data_, 0, bytes);
}

Memory::Memory(Memory&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), registered_(other.registered_) {}

Memory::~Memory() {
  if (registered_) {
    gossMemFree(data_);
  } else {
    std::free(data_);
  }
}

Buffers::Buffers(const Options& options, int rank)
    : max_bytes_(slot_bytes(options)),
      unalign_(options.unalign),
      send_(buffer_bytes(options), options.local_register != 0, rank),
      recv_(buffer_bytes(options), options.local_register != 0, rank) {}

size_t Buffers::slots(size_t bytes) const {
  return bytes == 0 || stride(bytes) > max_bytes_ ? 1 : max_bytes_ / stride(bytes);
}

}  // namespace goss::perf
