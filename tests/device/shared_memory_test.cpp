// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "device/shared_memory.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <thread>

namespace goss::device {
namespace {

std::byte* allocate(size_t bytes) {
  Result<void*> memory = allocate_shared(bytes);
  EXPECT_TRUE(memory.ok()) << memory.status().message();
  return memory.ok() ? static_cast<std::byte*>(memory.value()) : nullptr;
}

TEST(SharedMemory, IsZeroedPageAlignedAndWritable) {
  for (size_t bytes : {1, 4096, 4097, 1 << 20}) {
    std::byte* memory = allocate(bytes);
    ASSERT_NE(memory, nullptr);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(memory) % 4096, 0u);
    EXPECT_TRUE(std::all_of(memory, memory + bytes, [](std::byte b) { return b == std::byte{0}; }));
    std::memset(memory, 0x5a, bytes);
    EXPECT_TRUE(free_shared(memory).ok());
  }
}

TEST(SharedMemory, IsFoundByAnyRangeInsideIt) {
  std::byte* memory = allocate(8192);
  const SharedMemoryPtr whole = find_shared(memory, 8192);
  ASSERT_NE(whole, nullptr);
  EXPECT_EQ(whole->data(), memory);
  EXPECT_EQ(find_shared(memory + 100, 8092), whole);
  EXPECT_EQ(find_shared(memory + 8191, 1), whole);
  EXPECT_EQ(find_shared_id(whole->id()), whole);
  EXPECT_TRUE(free_shared(memory).ok());
}

TEST(SharedMemory, IsNotFoundByRangesThatLeaveIt) {
  std::byte* memory = allocate(4096);
  EXPECT_EQ(find_shared(memory, 4097), nullptr);
  EXPECT_EQ(find_shared(memory + 4095, 2), nullptr);
  EXPECT_EQ(find_shared(memory + 1, SIZE_MAX), nullptr);
  EXPECT_EQ(find_shared(memory - 1, 2), nullptr);
  int private_memory = 0;
  EXPECT_EQ(find_shared(&private_memory, sizeof(int)), nullptr);
  EXPECT_EQ(find_shared(nullptr, 0), nullptr);
  EXPECT_TRUE(free_shared(memory).ok());
}

TEST(SharedMemory, CanBeFreedOnceAndOnlyAtItsBeginning) {
  std::byte* memory = allocate(8192);
  EXPECT_EQ(free_shared(memory + 4096).code(), gossInvalidArgument);
  EXPECT_TRUE(free_shared(memory).ok());
  const Status again = free_shared(memory);
  EXPECT_EQ(again.code(), gossInvalidArgument);
  EXPECT_NE(again.message().find("gossMemFree"), std::string::npos);
  int private_memory = 0;
  EXPECT_EQ(free_shared(&private_memory).code(), gossInvalidArgument);
}

// What another process has mapped.
class Foreign {
 public:
  explicit Foreign(const SharedMemory& memory)
      : bytes_(memory.file_bytes()),
        data_(static_cast<std::byte*>(
            ::mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_SHARED, memory.fd(), 0))) {}
  Foreign(const Foreign&) = delete;
  Foreign& operator=(const Foreign&) = delete;
  ~Foreign() { ::munmap(data_, bytes_); }
  std::byte* data() const { return data_; }

 private:
  size_t bytes_;
  std::byte* data_;
};

TEST(SharedMemory, KeepsItsContentButNotItsReadersWhenARangeIsCutOff) {
  constexpr size_t kBytes = (size_t{5} << 20) + 100;  // several pieces and a part of a page
  constexpr size_t kFirst = 3 * 4096;                 // of the range
  std::byte* memory = allocate(kBytes);
  const SharedMemoryPtr owner = find_shared(memory, kBytes);
  const Foreign foreign(*owner);
  for (size_t i = 0; i < kBytes; ++i) memory[i] = static_cast<std::byte>(i * 7);

  ASSERT_TRUE(owner->cut_off(memory + kFirst, kBytes - kFirst).ok());
  for (size_t i = 0; i < kBytes; ++i) ASSERT_EQ(memory[i], static_cast<std::byte>(i * 7)) << i;
  std::memset(foreign.data() + kFirst, 0xee, kBytes - kFirst);
  for (size_t i = 0; i < kBytes; ++i) ASSERT_EQ(memory[i], static_cast<std::byte>(i * 7)) << i;
  foreign.data()[0] = std::byte{0xee};  // outside of the range
  EXPECT_EQ(memory[0], std::byte{0xee});
  EXPECT_EQ(find_shared(memory, kBytes), nullptr) << "it is not shared any more";
  EXPECT_TRUE(free_shared(memory).ok());
}

TEST(SharedMemory, CanBeCutOffWhereNothingElseSharesAPage) {
  constexpr size_t kBytes = 3 * 4096 + 100;
  std::byte* memory = allocate(kBytes);
  const SharedMemoryPtr owner = find_shared(memory, kBytes);
  EXPECT_TRUE(owner->can_cut_off(memory, kBytes));
  EXPECT_TRUE(owner->can_cut_off(memory, 4096));
  EXPECT_TRUE(owner->can_cut_off(memory + 4096, 8192));
  EXPECT_FALSE(owner->can_cut_off(memory, kBytes - 1)) << "the rest of the page is the user's";
  EXPECT_FALSE(owner->can_cut_off(memory, 4097));
  EXPECT_FALSE(owner->can_cut_off(memory + 1, kBytes - 1));
  EXPECT_TRUE(free_shared(memory).ok());
}

// Its pages go at once (their content with them), its addresses when nobody uses them.
TEST(SharedMemory, IsForgottenWhenFreedButStaysMappedForThoseWhoUseIt) {
  std::byte* memory = allocate(4096);
  memory[7] = std::byte{42};
  const SharedMemoryPtr user = find_shared(memory, 4096);
  const uint64_t id = user->id();
  ASSERT_TRUE(free_shared(memory).ok());
  EXPECT_EQ(find_shared(memory, 4096), nullptr);
  EXPECT_EQ(user->data()[7], std::byte{0});
  user->data()[7] = std::byte{1};  // harmless
  EXPECT_EQ(find_shared_id(id), user);
}

TEST(SharedMemory, HasAnIdThatIsNeverZeroAndNeverReused) {
  std::vector<uint64_t> ids;
  for (int i = 0; i < 50; ++i) {
    std::byte* memory = allocate(1);
    ids.push_back(find_shared(memory, 1)->id());
    EXPECT_TRUE(free_shared(memory).ok());
    EXPECT_EQ(find_shared_id(ids.back()), nullptr);
  }
  std::sort(ids.begin(), ids.end());
  EXPECT_EQ(std::adjacent_find(ids.begin(), ids.end()), ids.end());
  EXPECT_NE(ids.front(), 0u);
}

TEST(SharedMemory, RefusesWhatNoMachineHas) {
  EXPECT_EQ(allocate_shared(SIZE_MAX).status().code(), gossSystemError);
  const Result<void*> huge = allocate_shared(size_t{1} << 60);
  EXPECT_EQ(huge.status().code(), gossSystemError);
  EXPECT_NE(huge.status().message().find(std::to_string(size_t{1} << 60)), std::string::npos)
      << huge.status().message();
}

TEST(SharedMemory, IsTheSameMemoryWhenImported) {
  std::byte* memory = allocate(4096);
  const SharedMemoryPtr own = find_shared(memory, 4096);
  const auto copy = [&] { return UniqueFd(::fcntl(own->fd(), F_DUPFD_CLOEXEC, 0)); };
  EXPECT_EQ(import_shared(own->id(), copy(), own->file_bytes()).value(), own)
      << "what this process has is not mapped again";
  Result<SharedMemoryPtr> imported = import_shared(own->id() + 1, copy(), own->file_bytes());
  ASSERT_TRUE(imported.ok()) << imported.status().message();
  EXPECT_NE(imported.value()->data(), memory);
  memory[100] = std::byte{9};
  EXPECT_EQ(imported.value()->data()[100], std::byte{9});
  EXPECT_FALSE(imported.value()->freed());
  EXPECT_TRUE(free_shared(memory).ok());
  EXPECT_EQ(imported.value()->data()[100], std::byte{0}) << "its pages have gone";
  EXPECT_TRUE(imported.value()->freed());
}

TEST(SharedMemory, IsNotImportedWithAnotherSizeOrFromSomethingElse) {
  std::byte* memory = allocate(4096);
  const int fd = find_shared(memory, 4096)->fd();
  const auto copy = [&] { return UniqueFd(::fcntl(fd, F_DUPFD_CLOEXEC, 0)); };
  EXPECT_FALSE(import_shared(1, copy(), 16'384).ok());
  EXPECT_FALSE(import_shared(2, copy(), 4096).ok());
  EXPECT_FALSE(import_shared(3, UniqueFd(::open("/dev/null", O_RDWR | O_CLOEXEC)), 4096).ok());
  UniqueFd shrinkable(::memfd_create("unsealed", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  ASSERT_EQ(::ftruncate(shrinkable.get(), 4096), 0);
  EXPECT_FALSE(import_shared(4, std::move(shrinkable), 4096).ok()) << "its owner could shrink it";
  EXPECT_TRUE(free_shared(memory).ok());
}

TEST(SharedMemory, OfTheParentIsOutOfReachOfAForkedChild) {
  std::byte* memory = allocate(8192);
  memory[5000] = std::byte{7};
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    const bool unknown = find_shared(memory, 1) == nullptr;
    const bool refused = free_shared(memory).code() == gossInvalidArgument;
    Result<void*> own = allocate_shared(100);
    const bool works = own.ok() && free_shared(own.value()).ok();
    ::_exit(unknown && refused && works ? 0 : 1);
  }
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
  EXPECT_EQ(memory[5000], std::byte{7}) << "the child's attempt to free it took its pages";
  EXPECT_TRUE(free_shared(memory).ok());
}

TEST(SharedMemory, IsAllocatedFoundAndFreedByManyThreads) {
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([] {
      for (int i = 0; i < 100; ++i) {
        Result<void*> memory = allocate_shared(5000);
        ASSERT_TRUE(memory.ok());
        ASSERT_NE(find_shared(memory.value(), 5000), nullptr);
        ASSERT_TRUE(free_shared(memory.value()).ok());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace goss::device
