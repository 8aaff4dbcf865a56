// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Memory of gossMemAlloc: host memory that other processes of this host can map. Every allocation
// is a sealed memfd with an id that is never used twice. Any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "base/mapped_region.h"

namespace goss::device {

// One mapping of an allocation, own or imported.
struct SharedMemory {
  uint64_t id;  // random, unique over the processes of the host
  UniqueFd fd;
  MappedRegion region;
};
using SharedMemoryPtr =
    std::shared_ptr<SharedMemory>;  // shared: the registry and operations in flight

Result<void*> allocate_shared(size_t bytes);
Status free_shared(void* base);
// The own allocation that holds [address, address + bytes), or null.
SharedMemoryPtr find_shared(const void* address, size_t bytes);
// The own or imported allocation with this id, or null.
SharedMemoryPtr find_shared_id(uint64_t id);
// Map what another process allocated. The caller's pointer keeps the mapping alive.
Result<SharedMemoryPtr> import_shared(uint64_t id, UniqueFd fd, size_t bytes);

}  // namespace goss::device
