// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "base/mapped_region.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

namespace goss {
namespace {

using testing::HasSubstr;

constexpr size_t kBytes = 3 * 4096;

UniqueFd make_memfd(size_t bytes = kBytes) {
  Result<UniqueFd> fd = MappedRegion::create_memfd("goss-test", bytes, bytes);
  EXPECT_TRUE(fd.ok()) << fd.status().message();
  return fd.take();
}

TEST(MappedRegion, TwoMappingsOfOneMemfdAreTheSameMemory) {
  const UniqueFd fd = make_memfd();
  Result<MappedRegion> first = MappedRegion::map_shared(fd.get(), kBytes);
  Result<MappedRegion> second = MappedRegion::map_shared(fd.get(), kBytes);
  ASSERT_TRUE(first.ok());
  ASSERT_TRUE(second.ok());
  EXPECT_NE(first.value().data(), second.value().data());
  EXPECT_EQ(first.value().bytes(), kBytes);
  first.value().data()[kBytes - 1] = std::byte{42};
  EXPECT_EQ(second.value().data()[kBytes - 1], std::byte{42});
}

TEST(MappedRegion, StartsZeroedAndAllocated) {
  const UniqueFd fd = make_memfd();
  Result<MappedRegion> region = MappedRegion::map_shared(fd.get(), kBytes);
  ASSERT_TRUE(region.ok());
  for (size_t i = 0; i < kBytes; ++i) ASSERT_EQ(region.value().data()[i], std::byte{0}) << i;
}

TEST(MappedRegion, MovingHandsTheMappingOver) {
  const UniqueFd fd = make_memfd();
  MappedRegion first = MappedRegion::map_shared(fd.get(), kBytes).take();
  std::byte* const data = first.data();
  MappedRegion second(std::move(first));
  EXPECT_EQ(second.data(), data);
  MappedRegion third;
  third = std::move(second);
  EXPECT_EQ(third.data(), data);
  EXPECT_EQ(third.bytes(), kBytes);
  third.data()[0] = std::byte{1};  // still mapped
}

TEST(MappedRegion, IsUnmappedAtItsEnd) {
  const UniqueFd fd = make_memfd();
  std::byte* data = nullptr;
  {
    const MappedRegion region = MappedRegion::map_shared(fd.get(), kBytes).take();
    data = region.data();
    EXPECT_EQ(::msync(data, kBytes, MS_ASYNC), 0);
  }
  EXPECT_EQ(::msync(data, kBytes, MS_ASYNC), -1);
  EXPECT_EQ(errno, ENOMEM);
}

TEST(MappedRegion, AForkedChildDoesNotHaveIt) {
  const UniqueFd fd = make_memfd();
  const MappedRegion region = MappedRegion::map_shared(fd.get(), kBytes).take();
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    const bool gone = ::msync(region.data(), kBytes, MS_ASYNC) == -1 && errno == ENOMEM;
    ::_exit(gone ? 0 : 1);
  }
  int state = 0;
  ASSERT_EQ(::waitpid(child, &state, 0), child);
  EXPECT_TRUE(WIFEXITED(state) && WEXITSTATUS(state) == 0);
}

TEST(MappedRegion, MappingSomethingElseIsAnErrorThatNamesTheSize) {
  const Result<MappedRegion> region = MappedRegion::map_shared(-1, 12345);
  ASSERT_FALSE(region.ok());
  EXPECT_EQ(region.status().code(), gossSystemError);
  EXPECT_THAT(region.status().message(), HasSubstr("12345 bytes"));
}

TEST(CreateMemfd, CanNeitherShrinkNorGrow) {
  const UniqueFd fd = make_memfd();
  EXPECT_EQ(::ftruncate(fd.get(), 4096), -1);
  EXPECT_EQ(errno, EPERM);
  EXPECT_EQ(::ftruncate(fd.get(), 2 * kBytes), -1);
  EXPECT_EQ(errno, EPERM);
}

TEST(CreateMemfd, AnImpossibleSizeIsAnErrorThatNamesIt) {
  const Result<UniqueFd> fd = MappedRegion::create_memfd("goss-test", SIZE_MAX, 0);
  ASSERT_FALSE(fd.ok());
  EXPECT_EQ(fd.status().code(), gossSystemError);
  EXPECT_THAT(fd.status().message(), HasSubstr("18446744073709551615 bytes"));
}

size_t resident_bytes(const UniqueFd& fd) {
  struct stat info = {};
  EXPECT_EQ(::fstat(fd.get(), &info), 0);
  return static_cast<size_t>(info.st_blocks) * 512;
}

TEST(CreateMemfd, AllocatesItsFirstPagesNowAndTheRestWhenAsked) {
  Result<UniqueFd> fd = MappedRegion::create_memfd("goss-test", kBytes, 4096);
  ASSERT_TRUE(fd.ok()) << fd.status().message();
  EXPECT_EQ(resident_bytes(fd.value()), 4096u);
  const Status status = MappedRegion::allocate_pages(fd.value().get(), 4096, kBytes - 4096);
  EXPECT_TRUE(status.ok()) << status.message();
  EXPECT_EQ(resident_bytes(fd.value()), kBytes);
}

TEST(CreateMemfd, GetsThroughUnderATimerThatKeepsInterrupting) {
  constexpr size_t kLarge = size_t{256} * 1024 * 1024;
  struct sigaction ignored = {};
  ignored.sa_handler = [](int) {};
  struct sigaction before = {};
  ASSERT_EQ(::sigaction(SIGALRM, &ignored, &before), 0);
  const itimerval every_ms{{0, 1000}, {0, 1000}};
  ASSERT_EQ(::setitimer(ITIMER_REAL, &every_ms, nullptr), 0);
  Result<UniqueFd> fd = MappedRegion::create_memfd("goss-test", kLarge, kLarge);
  const itimerval never{};
  ASSERT_EQ(::setitimer(ITIMER_REAL, &never, nullptr), 0);
  ASSERT_EQ(::sigaction(SIGALRM, &before, nullptr), 0);
  if (!fd.ok()) GTEST_SKIP() << "needs 256 MiB: " << fd.status().message();
  EXPECT_EQ(resident_bytes(fd.value()), kLarge);
}

TEST(CreateMemfd, PagesBeyondItsSizeAreRefused) {
  const UniqueFd fd = make_memfd();
  const Status status = MappedRegion::allocate_pages(fd.get(), kBytes, 4096);
  EXPECT_EQ(status.code(), gossSystemError);
  EXPECT_THAT(status.message(), HasSubstr("4096 bytes"));
}

TEST(CheckMemfd, AcceptsWhatCreateMemfdMade) {
  const UniqueFd fd = make_memfd();
  const Status status = MappedRegion::check_memfd(fd.get(), kBytes);
  EXPECT_TRUE(status.ok()) << status.message();
}

TEST(CheckMemfd, RefusesAnotherSize) {
  const UniqueFd fd = make_memfd();
  const Status status = MappedRegion::check_memfd(fd.get(), kBytes + 4096);
  EXPECT_EQ(status.code(), gossSystemError);
  EXPECT_THAT(status.message(), HasSubstr("12288 bytes, expected 16384"));
}

TEST(CheckMemfd, RefusesMemoryThatCouldShrinkUnderUs) {
  const UniqueFd fd(::memfd_create("goss-test", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  ASSERT_EQ(::ftruncate(fd.get(), kBytes), 0);
  EXPECT_THAT(MappedRegion::check_memfd(fd.get(), kBytes).message(), HasSubstr("not sealed"));
}

TEST(CheckMemfd, RefusesOtherKindsOfFiles) {
  int ends[2] = {-1, -1};
  ASSERT_EQ(::pipe(ends), 0);
  const UniqueFd read_end(ends[0]);
  const UniqueFd write_end(ends[1]);
  EXPECT_EQ(MappedRegion::check_memfd(read_end.get(), kBytes).code(), gossSystemError);
  EXPECT_EQ(MappedRegion::check_memfd(-1, kBytes).code(), gossSystemError);
}

}  // namespace
}  // namespace goss
