// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Lack of memory, descriptors and threads is an error with a sentence, not a signal.
#include <sys/resource.h>

#include <fstream>

#include "faults/ranks.h"

namespace goss::faults {
namespace {

using ::testing::AnyOf;
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

// The number that the next one gets: what a test inherits differs.
size_t next_descriptor() {
  const int next = ::dup(0);
  ::close(next);
  return static_cast<size_t>(next);
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

struct Shortage {
  const char* name;
  int victim;
  void (*impose)();
};

void PrintTo(const Shortage& shortage, std::ostream* out) { *out << shortage.name; }

constexpr Shortage kShortages[] = {
    {"FileSize", 0, [] { limit(RLIMIT_FSIZE, 4096); }},
    // Room for the start-up, not for the segment of 3 ranks.
    {"AddressSpace", 2, [] { limit(RLIMIT_AS, address_space_in_use() + 5 * 1024 * 1024); }},
};

class ShortageTest : public ::testing::TestWithParam<Shortage> {};

// One rank cannot make its part, and lives on: the others are told.
TEST_P(ShortageTest, RankThatFailsInInitIsReportedByTheOthers) {
  const Shortage& shortage = GetParam();
  if (support::under_sanitizer()) GTEST_SKIP() << "a sanitizer needs these resources itself";
  Ranks ranks(3, [&](Rank& rank) {
    if (rank.rank == shortage.victim) {
      // The library's thread exists before its stack could become too large.
      gossStream_t stream = nullptr;
      rank.expect(gossStreamCreate(&stream) == gossSuccess);
      rank.expect(gossStreamAddCallback(
                      stream, [](void*) {}, nullptr) == gossSuccess);
      rank.expect(gossStreamDestroy(stream) == gossSuccess);
      shortage.impose();
    }
    rank.failed(rank.join());
    rank.reach(1);
    rank.wait_for_go(1);  // nobody dies
    std::exit(0);
  });
  ASSERT_TRUE(ranks.all_reach(1));
  const Report& failed = ranks.report(shortage.victim);
  EXPECT_EQ(failed.code, gossSystemError) << failed.text;
  EXPECT_EQ(failed.wrong, 0);
  for (int r = 0; r < 3; ++r) {
    if (r == shortage.victim) continue;
    const Report& got = ranks.report(r);
    EXPECT_EQ(got.code, gossRemoteError) << "rank " << r << ": " << got.text;
    EXPECT_THAT(std::string(got.text), HasSubstr("rank " + std::to_string(shortage.victim)));
    EXPECT_LE(ms_between(failed.failed_at, got.failed_at), kPromise.count()) << got.text;
  }
  ranks.board().go = 1;
  ranks.expect_clean_end(kPromise);
}

// Connections are tried again while descriptors are short; the limit of initialisation ends that.
TEST(MemoryTest, LackOfDescriptorsEndsWithTheLimitOfInitialisation) {
  for (int victim : {0, 1}) {
    Ranks ranks(3, [&](Rank& rank) {
      gossConfig_t config = GOSS_CONFIG_INITIALIZER;
      config.initTimeoutMs = 700;
      // Enough to begin with: rank 0 makes the id, and serves it.
      if (rank.rank == victim) limit(RLIMIT_NOFILE, next_descriptor() + (victim == 0 ? 9 : 6));
      rank.failed(rank.join(&config));
      rank.reach(1);
      rank.wait_for_go(1);
      std::exit(0);
    });
    const int64_t begin = now_ns();
    ASSERT_TRUE(ranks.all_reach(1)) << "victim " << victim;
    EXPECT_LE(ms_between(begin, now_ns()), 700 + 2 * kPromise.count());
    for (int r = 0; r < 3; ++r) {
      const Report& got = ranks.report(r);
      EXPECT_THAT(got.code, AnyOf(gossTimeout, gossSystemError, gossRemoteError))
          << "rank " << r << ", victim " << victim << ": " << got.text;
      EXPECT_STRNE(got.text, "") << "rank " << r << ", victim " << victim << ", code " << got.code;
    }
    ranks.board().go = 1;
    ranks.expect_clean_end(kPromise);
  }
}

INSTANTIATE_TEST_SUITE_P(Memory, ShortageTest, ::testing::ValuesIn(kShortages),
                         [](const auto& test) { return std::string(test.param.name); });

}  // namespace
}  // namespace goss::faults
