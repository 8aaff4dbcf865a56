// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "device/shared_memory.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/random.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <map>
#include <mutex>
#include <vector>

namespace goss::device {

namespace {

struct Registry {
  std::mutex mutex;
  std::map<const std::byte*, SharedMemoryPtr> own;  // by base address
  std::map<uint64_t, std::weak_ptr<SharedMemory>> by_id;
};

// Never deleted: threads may still run at exit.
Registry* current = nullptr;

void before_fork() { current->mutex.lock(); }
void after_fork_in_parent() { current->mutex.unlock(); }

}  // namespace

// The mappings stayed in the parent. To free or to share them is the parent's business alone, so
// this process starts anew; what it leaves behind has no destructor that would touch them.
void forget_in_child() {
  for (auto& [base, memory] : current->own) memory->fd_.reset();
  current = new Registry;
}

namespace {

Registry& registry() {
  static const bool ready = [] {
    current = new Registry;
    return ::pthread_atfork(before_fork, after_fork_in_parent, forget_in_child) == 0;
  }();
  static_cast<void>(ready);
  return *current;
}

// Behind the user's bytes: set when the owner frees them.
std::atomic<uint32_t>& freed_word(const SharedMemory& memory) {
  return *reinterpret_cast<std::atomic<uint32_t>*>(memory.data() + memory.bytes());
}

SharedMemoryPtr remember(uint64_t id, UniqueFd fd, MappedRegion region, size_t wanted) {
  // shared: see SharedMemoryPtr
  auto memory = std::make_shared<SharedMemory>(id, std::move(fd), std::move(region), wanted);
  const std::lock_guard<std::mutex> lock(registry().mutex);
  std::erase_if(registry().by_id, [](const auto& entry) { return entry.second.expired(); });
  registry().by_id[id] = memory;
  return memory;
}

}  // namespace

bool SharedMemory::freed() const {
  return freed_word(*this).load(std::memory_order_relaxed) != 0;  // a hint to tidy up, no order
}

bool SharedMemory::can_cut_off(const std::byte* address, size_t bytes) const {
  const auto begin = static_cast<size_t>(address - data());
  const size_t end = begin + bytes;
  return begin % kPage == 0 && (end % kPage == 0 || end == wanted_);
}

Status SharedMemory::cut_off(std::byte* address, size_t bytes) {
  cut_.store(true, std::memory_order_release);  // pairs with find_shared()
  const auto begin = static_cast<size_t>(address - data());
  // In pieces: beside the result there need not be room for a second one.
  constexpr size_t kPiece = size_t{2} << 20;
  const size_t end = (bytes + kPage - 1) / kPage * kPage;
  std::vector<std::byte> content(std::min(kPiece, end));
  for (size_t at = 0; at < end; at += kPiece) {
    const size_t length = std::min(kPiece, end - at);
    std::memcpy(content.data(), address + at, length);
    GOSS_TRY(region_.replace_pages(begin + at, length));
    std::memcpy(address + at, content.data(), length);
    // The old pages, which only others still have.
    ::fallocate(fd_.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                static_cast<off_t>(begin + at), static_cast<off_t>(length));
  }
  return {};
}

Result<void*> allocate_shared(size_t bytes) {
  constexpr size_t kPage = SharedMemory::kPage;
  if (bytes > SIZE_MAX - 2 * kPage) return fail(gossSystemError, "%zu bytes are too many", bytes);
  const size_t file_bytes = (bytes + kPage - 1) / kPage * kPage + kPage;
  uint64_t id = 0;
  while (id == 0) {
    if (::getrandom(&id, sizeof(id), 0) < 0 && errno != EINTR) {
      return fail_errno(errno, "no random numbers from the system");
    }
  }
  const auto make = [&]() -> Result<SharedMemoryPtr> {
    GOSS_TRY_ASSIGN(UniqueFd fd,
                    MappedRegion::create_memfd("gossamer-mem", file_bytes, file_bytes));
    GOSS_TRY_ASSIGN(MappedRegion region, MappedRegion::map_shared(fd.get(), file_bytes));
    return remember(id, std::move(fd), std::move(region), bytes);
  };
  Result<SharedMemoryPtr> memory = make();
  if (!memory.ok()) return memory.take_status().with_context(goss::format("%zu bytes", bytes));
  std::byte* base = memory.value()->data();
  const std::lock_guard<std::mutex> lock(registry().mutex);
  registry().own[base] = memory.take();
  return static_cast<void*>(base);
}

Status free_shared(void* base) {
  SharedMemoryPtr freed;  // unmapped after the lock is released, or by the last operation using it
  const std::lock_guard<std::mutex> lock(registry().mutex);
  const auto entry = registry().own.find(static_cast<const std::byte*>(base));
  if (entry == registry().own.end()) {
    return fail(gossInvalidArgument,
                "gossMemFree: %p is not memory of gossMemAlloc in this process, or was freed "
                "before",
                base);
  }
  freed = std::move(entry->second);
  registry().own.erase(entry);
  freed_word(*freed).store(1, std::memory_order_relaxed);
  // Peers keep it mapped until they next look; the pages go now all the same.
  ::fallocate(freed->fd(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0,
              static_cast<off_t>(freed->bytes()));
  return {};
}

SharedMemoryPtr find_shared(const void* address, size_t bytes) {
  const auto* begin = static_cast<const std::byte*>(address);
  const std::lock_guard<std::mutex> lock(registry().mutex);
  auto entry = registry().own.upper_bound(begin);
  if (entry == registry().own.begin()) return nullptr;
  --entry;
  const SharedMemory& memory = *entry->second;
  const size_t offset = static_cast<size_t>(begin - memory.data());
  if (offset > memory.bytes() || bytes > memory.bytes() - offset) return nullptr;
  if (memory.cut_.load(std::memory_order_acquire)) return nullptr;  // pairs with cut_off()
  return entry->second;
}

SharedMemoryPtr find_shared_id(uint64_t id) {
  const std::lock_guard<std::mutex> lock(registry().mutex);
  const auto entry = registry().by_id.find(id);
  return entry == registry().by_id.end() ? nullptr : entry->second.lock();
}

Result<SharedMemoryPtr> import_shared(uint64_t id, UniqueFd fd, size_t file_bytes) {
  if (SharedMemoryPtr known = find_shared_id(id)) return known;  // by another rank of this process
  GOSS_TRY(MappedRegion::check_memfd(fd.get(), file_bytes));
  GOSS_TRY_ASSIGN(MappedRegion region, MappedRegion::map_shared(fd.get(), file_bytes));
  return remember(id, UniqueFd(), std::move(region), 0);
}

}  // namespace goss::device
