// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "device/shared_memory.h"

#include <fcntl.h>
#include <sys/random.h>

#include <cerrno>
#include <map>
#include <mutex>

namespace goss::device {

namespace {

struct Registry {
  std::mutex mutex;
  std::map<const std::byte*, SharedMemoryPtr> own;  // by base address
  std::map<uint64_t, std::weak_ptr<SharedMemory>> by_id;
};

Registry& registry() {
  static Registry* const instance = new Registry;  // outlives threads that still run at exit
  return *instance;
}

Result<SharedMemoryPtr> remember(uint64_t id, UniqueFd fd, MappedRegion region) {
  auto memory = std::make_shared<SharedMemory>();  // shared: see SharedMemoryPtr
  memory->id = id;
  memory->fd = std::move(fd);
  memory->region = std::move(region);
  const std::lock_guard<std::mutex> lock(registry().mutex);
  std::erase_if(registry().by_id, [](const auto& entry) { return entry.second.expired(); });
  registry().by_id[id] = memory;
  return memory;
}

}  // namespace

Result<void*> allocate_shared(size_t bytes) {
  const size_t page = 4096;
  if (bytes > SIZE_MAX - page) return fail(gossSystemError, "%zu bytes are too many", bytes);
  const size_t rounded = (bytes + page - 1) / page * page;
  uint64_t id = 0;
  while (id == 0) {
    if (::getrandom(&id, sizeof(id), 0) < 0 && errno != EINTR) {
      return fail_errno(errno, "no random numbers from the system");
    }
  }
  GOSS_TRY_ASSIGN(UniqueFd fd, MappedRegion::create_memfd("gossamer-mem", rounded, rounded));
  GOSS_TRY_ASSIGN(MappedRegion region, MappedRegion::map_shared(fd.get(), rounded));
  GOSS_TRY_ASSIGN(SharedMemoryPtr memory, remember(id, std::move(fd), std::move(region)));
  std::byte* base = memory->region.data();
  const std::lock_guard<std::mutex> lock(registry().mutex);
  registry().own[base] = std::move(memory);
  return static_cast<void*>(base);
}

Status free_shared(void* base) {
  SharedMemoryPtr freed;  // unmapped after the lock is released, or by the last operation using it
  const std::lock_guard<std::mutex> lock(registry().mutex);
  const auto entry = registry().own.find(static_cast<const std::byte*>(base));
  if (entry == registry().own.end()) {
    return fail(gossInvalidArgument,
                "gossMemFree: %p is not memory of gossMemAlloc, or was freed before", base);
  }
  freed = std::move(entry->second);
  registry().own.erase(entry);
  // Peers may keep it mapped; the pages go now all the same. Only address space stays in use.
  ::fallocate(freed->fd.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0,
              static_cast<off_t>(freed->region.bytes()));
  return {};
}

SharedMemoryPtr find_shared(const void* address, size_t bytes) {
  const auto* begin = static_cast<const std::byte*>(address);
  const std::lock_guard<std::mutex> lock(registry().mutex);
  auto entry = registry().own.upper_bound(begin);
  if (entry == registry().own.begin()) return nullptr;
  --entry;
  const MappedRegion& region = entry->second->region;
  const size_t offset = static_cast<size_t>(begin - region.data());
  if (offset > region.bytes() || bytes > region.bytes() - offset) return nullptr;
  return entry->second;
}

SharedMemoryPtr find_shared_id(uint64_t id) {
  const std::lock_guard<std::mutex> lock(registry().mutex);
  const auto entry = registry().by_id.find(id);
  return entry == registry().by_id.end() ? nullptr : entry->second.lock();
}

Result<SharedMemoryPtr> import_shared(uint64_t id, UniqueFd fd, size_t bytes) {
  GOSS_TRY(MappedRegion::check_memfd(fd.get(), bytes));
  GOSS_TRY_ASSIGN(MappedRegion region, MappedRegion::map_shared(fd.get(), bytes));
  return remember(id, std::move(fd), std::move(region));
}

}  // namespace goss::device
