// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Memory of gossMemAlloc: host memory that other processes of this host can map. Every allocation
// is a sealed memfd with an id that is never used twice. Any thread. A forked child has none of it.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "base/mapped_region.h"

namespace goss::device {

class SharedMemory;
// shared: the registry and operations in flight
using SharedMemoryPtr = std::shared_ptr<SharedMemory>;

// One mapping of an allocation, own or imported.
class SharedMemory {
 public:
  // `wanted`: what the user asked for; 0 for an imported one.
  SharedMemory(uint64_t id, UniqueFd fd, MappedRegion region, size_t wanted)
      : id_(id), wanted_(wanted), fd_(std::move(fd)), region_(std::move(region)) {}

  uint64_t id() const { return id_; }
  // Of an own allocation, to be passed on; invalid for an imported one.
  int fd() const { return fd_.get(); }
  std::byte* data() const { return region_.data(); }
  // What the user may use; a page for freed() follows.
  size_t bytes() const { return region_.bytes() - kPage; }
  // What is passed on with the descriptor.
  size_t file_bytes() const { return region_.bytes(); }
  // Whether the owner has given it back: nobody will ask for it again.
  bool freed() const;

  // Of an own allocation: whether [address, address + bytes) can be given other pages without
  // touching what else the user keeps in it.
  bool can_cut_off(const std::byte* address, size_t bytes) const;
  // Give that range other pages with the same content: whoever has mapped it keeps the old ones.
  // The allocation is not shared any more afterwards. Nobody in this process may be using the
  // range.
  Status cut_off(std::byte* address, size_t bytes);

 private:
  static constexpr size_t kPage = 4096;
  friend Result<void*> allocate_shared(size_t bytes);
  friend Status free_shared(void* base);
  friend SharedMemoryPtr find_shared(const void* address, size_t bytes);
  friend void forget_in_child();

  uint64_t id_;
  size_t wanted_;
  std::atomic<bool> cut_{false};
  UniqueFd fd_;
  MappedRegion region_;
};

Result<void*> allocate_shared(size_t bytes);
Status free_shared(void* base);
// The own allocation that holds [address, address + bytes), or null.
SharedMemoryPtr find_shared(const void* address, size_t bytes);
// The own or imported allocation with this id, or null.
SharedMemoryPtr find_shared_id(uint64_t id);
// Map what another process allocated. The caller's pointer keeps the mapping alive.
Result<SharedMemoryPtr> import_shared(uint64_t id, UniqueFd fd, size_t file_bytes);

}  // namespace goss::device
