// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Lack of memory, descriptors and threads is an error with a sentence, not a signal.
#include <sys/resource.h>

#include <fstream>

#include "faults/ranks.h"

namespace goss::faults {
namespace {

using ::testing::HasSubstr;

void limit(__rlimit_resource resource, size_t value) {
  const rlimit limits{value, value};
  if (::setrlimit(resource, &limits) != 0) std::exit(6);
}

size_t address_space_in_use() {
  size_t pages = 0;
  std::ifstream("/proc/self/statm") >> pages;
  return pages * static_cast<size_t>(::sysconf(_SC_PAGESIZE));
}

// Runs `body` in a process of its own; its report says what happened.
void expect_system_error(const Ranks::Body& body, const char* words) {
  Ranks ranks(1, body);
  ranks.expect_clean_end(kPatience);
  EXPECT_EQ(ranks.report(0).code, gossSystemError) << ranks.report(0).text;
  EXPECT_THAT(std::string(ranks.report(0).text), HasSubstr(words));
  EXPECT_EQ(ranks.report(0).wrong, 0);
}

TEST(MemoryTest, FileSizeLimitIsAnErrorAndNotASignal) {
  expect_system_error(
      [](Rank& rank) {
        limit(RLIMIT_FSIZE, 1024 * 1024);
        void* memory = nullptr;
        rank.failed(gossMemAlloc(&memory, size_t{64} * 1024 * 1024), nullptr);
        rank.expect(memory == nullptr);
        // What fits still works.
        rank.expect(gossMemAlloc(&memory, 4096) == gossSuccess);
        rank.expect(gossMemFree(memory) == gossSuccess);
      },
      "67108864");
}

TEST(MemoryTest, AddressSpaceLimitIsAnError) {
  if (support::under_sanitizer()) GTEST_SKIP() << "a sanitizer needs the address space itself";
  expect_system_error(
      [](Rank& rank) {
        limit(RLIMIT_AS, address_space_in_use() + 16 * 1024 * 1024);
        void* memory = nullptr;
        rank.failed(gossMemAlloc(&memory, size_t{64} * 1024 * 1024), nullptr);
        rank.expect(memory == nullptr);
      },
      "67108864");
}

TEST(MemoryTest, MoreThanAnyMachineHasIsAnError) {
  for (const size_t size : {SIZE_MAX, SIZE_MAX / 2, size_t{1} << 62}) {
    expect_system_error(
        [size](Rank& rank) {
          // If it is tried after all, then at nobody else's expense.
          std::ofstream("/proc/self/oom_score_adj") << 1000;
          void* memory = nullptr;
          rank.failed(gossMemAlloc(&memory, size), nullptr);
          rank.expect(memory == nullptr);
        },
        std::to_string(size).substr(0, 3).c_str());
  }
}

TEST(MemoryTest, NoDescriptorsLeftIsAnError) {
  expect_system_error(
      [](Rank& rank) {
        limit(RLIMIT_NOFILE, 3);
        void* memory = nullptr;
        rank.failed(gossMemAlloc(&memory, 4096), nullptr);
        rank.expect(memory == nullptr);
      },
      "");
}

TEST(MemoryTest, NoDescriptorsLeftForAUniqueIdIsAnError) {
  expect_system_error(
      [](Rank& rank) {
        limit(RLIMIT_NOFILE, 3);
        gossUniqueId id;
        rank.failed(gossGetUniqueId(&id), nullptr);
      },
      "");
}

TEST(MemoryTest, NoThreadsLeftIsAnErrorAndLeavesTheSignalMaskAlone) {
  if (support::under_sanitizer()) GTEST_SKIP() << "a sanitizer needs the address space itself";
  expect_system_error(
      [](Rank& rank) {
        // The stack of a thread no longer fits.
        limit(RLIMIT_AS, address_space_in_use() + 2 * 1024 * 1024);
        gossUniqueId id;
        rank.failed(gossGetUniqueId(&id), nullptr);
        sigset_t mask;
        ::sigprocmask(SIG_BLOCK, nullptr, &mask);
        rank.expect(::sigismember(&mask, SIGTERM) == 0);
      },
      "thread");
}

// The rings of a communicator are allocated when they are first used: a limit that appears later.
TEST(MemoryTest, LimitThatAppearsDuringTheWorkIsReportedByAll) {
  Ranks ranks(2, [](Rank& rank) {
    if (rank.failed(rank.join())) std::exit(3);
    rank.expect(gossBarrier(rank.comm, nullptr) == gossSuccess);
    if (rank.rank == 1) limit(RLIMIT_FSIZE, 4096);
    std::vector<float> x(1'000'000, 1.0f);
    const gossResult_t result =
        gossAllReduce(x.data(), x.data(), x.size(), gossFloat, gossSum, rank.comm, nullptr);
    // The kernel may or may not apply the limit here; a signal it must not be.
    if (result == gossSuccess) rank.expect(x.back() == 2.0f);
    rank.failed(result);
    abort_and_exit(rank);
  });
  ranks.expect_clean_end(kPatience);
  EXPECT_EQ(ranks.report(0).code, ranks.report(1).code);
  EXPECT_EQ(ranks.report(0).wrong + ranks.report(1).wrong, 0);
}

}  // namespace
}  // namespace goss::faults
