// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// gossMemAlloc memory between processes when there is much of it: letters about it fill the queues
// of their receivers, and mappings must not pile up.
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include <algorithm>
#include <fstream>

#include "faults/ranks.h"

namespace goss::faults {
namespace {

constexpr size_t kCount = 100'000;  // large enough to be read in place

int32_t* allocate(Rank& rank) {
  void* memory = nullptr;
  rank.expect(gossMemAlloc(&memory, kCount * sizeof(int32_t)) == gossSuccess);
  return static_cast<int32_t*>(memory);
}

// One all-reduce from `in` to `out`, checked.
void reduce(Rank& rank, gossComm_t comm, int32_t* in, int32_t* out) {
  for (size_t i = 0; i < kCount; ++i) in[i] = rank.rank + static_cast<int32_t>(i);
  if (rank.failed(gossAllReduce(in, out, kCount, gossInt32, gossSum, comm, nullptr), comm)) return;
  const int32_t ranks = rank.n * (rank.n - 1) / 2;
  bool right = true;
  for (size_t i = 0; i < kCount; ++i) right &= out[i] == ranks + rank.n * static_cast<int32_t>(i);
  rank.expect(right);
  ++rank.report.rounds;
}

size_t mappings() {
  std::ifstream maps("/proc/self/maps");
  size_t lines = 0;
  for (std::string line; std::getline(maps, line);) {
    lines += line.find("gossamer-mem") != std::string::npos;
  }
  return lines;
}

void expect_all_right(Ranks& ranks, uint64_t rounds) {
  ranks.expect_clean_end(3 * kPatience);
  for (int r = 0; r < ranks.size(); ++r) {
    EXPECT_EQ(ranks.report(r).rounds, rounds) << "rank " << r << ": " << ranks.report(r).text;
    EXPECT_EQ(ranks.report(r).wrong, 0) << "rank " << r;
  }
}

// Two buffers of each of 8 ranks are 14 letters to every rank: more than a queue holds.
TEST(SharedBuffersTest, OfManyProcessesAtOnceReachAll) {
  Ranks ranks(kMaxRanks, [](Rank& rank) {
    if (rank.failed(rank.join())) std::exit(3);
    for (int i = 0; i < 3; ++i) {
      int32_t* in = allocate(rank);
      reduce(rank, rank.comm, in, allocate(rank));
    }
    rank.expect(gossCommDestroy(rank.comm) == gossSuccess);
    std::exit(0);
  });
  expect_all_right(ranks, 3);
}

TEST(SharedBuffersTest, ServeManyCommunicatorsOfOneJob) {
  constexpr int kComms = 40;
  Ranks ranks(2, [](Rank& rank) {
    if (rank.failed(rank.join())) std::exit(3);
    int32_t* in = allocate(rank);
    int32_t* out = allocate(rank);
    for (int i = 0; i < kComms; ++i) {
      gossComm_t part = nullptr;
      rank.expect(gossCommSplit(rank.comm, 0, rank.rank, &part, nullptr) == gossSuccess);
      reduce(rank, part, in, out);
      if (i % 2 == 0) rank.expect(gossCommDestroy(part) == gossSuccess);
    }
    std::exit(0);
  });
  expect_all_right(ranks, kComms);
}

TEST(SharedBuffersTest, ThatAreFreedLeaveNoDescriptorsAndMappingsBehind) {
  constexpr int kRounds = 300;
  Ranks ranks(2, [](Rank& rank) {
    const rlimit few{64, 64};
    ::setrlimit(RLIMIT_NOFILE, &few);
    if (rank.failed(rank.join())) std::exit(3);
    for (int i = 0; i < kRounds; ++i) {
      int32_t* in = allocate(rank);
      int32_t* out = allocate(rank);
      reduce(rank, rank.comm, in, out);
      rank.expect(gossMemFree(in) == gossSuccess);
      rank.expect(gossMemFree(out) == gossSuccess);
    }
    rank.expect(mappings() < 10);
    rank.expect(gossCommDestroy(rank.comm) == gossSuccess);
    std::exit(0);
  });
  expect_all_right(ranks, kRounds);
}

constexpr size_t kLarge = size_t{64} << 20;
constexpr size_t kPage = 4096;

// A page of the reader's result that stops the process when it is first written.
unsigned char* trap = nullptr;
std::atomic<int>* sprung = nullptr;

void stop_here(int, siginfo_t* info, void*) {
  const auto at = reinterpret_cast<uintptr_t>(info->si_addr);
  const auto page = reinterpret_cast<uintptr_t>(trap);
  if (at < page || at >= page + kPage || *sprung != 0) ::_exit(4);
  ::mprotect(trap, kPage, PROT_READ | PROT_WRITE);
  *sprung = 1;
  ::raise(SIGSTOP);
}

void set_trap(Rank& rank, unsigned char* page) {
  trap = page;
  sprung = &rank.report.stage;
  struct sigaction action {};
  action.sa_sigaction = stop_here;
  action.sa_flags = SA_SIGINFO;
  rank.expect(::sigaction(SIGSEGV, &action, nullptr) == 0);
  rank.expect(::mprotect(page, kPage, PROT_NONE) == 0);
}

// Rank 0 broadcasts ones from its shared memory, gives up and uses the memory for twos.
void own_until_limit(Rank& rank, unsigned char* bytes) {
  std::memset(bytes, 1, kLarge);
  rank.failed(gossBroadcast(bytes, bytes, kLarge, gossInt8, 0, rank.comm, nullptr));
  std::memset(bytes, 2, kLarge);
  rank.reach(2);
}

// Rank 1 is stopped in the middle of its copy, and goes on when the owner has given up.
void read_and_stop(Rank& rank, size_t stop_at) {
  void* memory = std::aligned_alloc(kPage, kLarge);
  auto* own = static_cast<unsigned char*>(memory);
  std::memset(own, 0, kLarge);
  set_trap(rank, own + stop_at);
  const bool failed = rank.failed(gossBroadcast(own, own, kLarge, gossInt8, 0, rank.comm, nullptr));
  const auto is = [](int value) { return [value](unsigned char byte) { return byte == value; }; };
  // In place, for its result holds what was written while it stood still; so it must be no success.
  rank.expect(std::any_of(own, own + kLarge, is(2)));
  rank.expect(failed);
  rank.reach(2);
}

class SharedBuffersStopTest : public testing::TestWithParam<size_t> {};

TEST_P(SharedBuffersStopTest, OfARankThatGaveUpAreNotReadAsAResult) {
  Ranks ranks(2, [](Rank& rank) {
    gossConfig_t config = GOSS_CONFIG_INITIALIZER;
    config.timeoutMs = 1000;  // the reader comes to its page before, on a busy machine too
    if (rank.failed(rank.join(&config))) std::exit(3);
    void* memory = nullptr;
    rank.expect(gossMemAlloc(&memory, kLarge) == gossSuccess);
    if (rank.rank == 0) {
      own_until_limit(rank, static_cast<unsigned char*>(memory));
    } else {
      read_and_stop(rank, GetParam());
    }
    rank.wait_for_go(1);
    abort_and_exit(rank);
  });
  ASSERT_TRUE(support::eventually(kPatience, [&] { return ranks.report(1).stage == 1; }))
      << "the reader did not come to the page that stops it: " << ranks.report(1).text;
  ASSERT_TRUE(support::eventually(kPatience, [&] { return ranks.report(0).stage == 2; }));
  EXPECT_EQ(ranks.report(0).code, gossTimeout) << ranks.report(0).text;
  ranks.process(1).send(SIGCONT);
  ASSERT_TRUE(ranks.all_reach(2));
  EXPECT_EQ(ranks.report(1).code, gossTimeout) << ranks.report(1).text;
  for (const int r : {0, 1}) EXPECT_EQ(ranks.report(r).wrong, 0) << "rank " << r;
  ranks.board().go = 1;
  ranks.expect_clean_end(kPatience);
}

INSTANTIATE_TEST_SUITE_P(StoppedAt, SharedBuffersStopTest,
                         testing::Values(0, kLarge / 2 + kPage, kLarge - 2 * kPage),
                         [](const auto& place) { return std::to_string(place.param) + "Bytes"; });

// A rank is stopped while it stores results into the other's buffer, who gives up and uses the
// memory for something else.
TEST(SharedBuffersTest, OfARankThatGaveUpAreNotStoredToAnyMore) {
  for (int attempt = 0; attempt < 5; ++attempt) {
    Ranks ranks(2, [](Rank& rank) {
      gossConfig_t config = GOSS_CONFIG_INITIALIZER;
      config.timeoutMs = 200;
      if (rank.failed(rank.join(&config))) std::exit(3);
      void* memory[2] = {};
      for (void*& m : memory) rank.expect(gossMemAlloc(&m, kLarge) == gossSuccess);
      auto* result = static_cast<unsigned char*>(memory[1]);
      for (uint64_t round = 0; round < 10'000; ++round) {
        rank.reach(1);
        const gossResult_t code =
            gossAllReduce(memory[0], memory[1], kLarge / 4, gossFloat, gossSum, rank.comm, nullptr);
        if (rank.failed(code)) break;
      }
      if (rank.rank == 0) std::memset(result, 0xee, kLarge);
      rank.reach(2);
      rank.wait_for_go(1);  // rank 1 has gone on and failed as well
      for (size_t i = 0; i < kLarge && rank.rank == 0; ++i) rank.expect(result[i] == 0xee);
      abort_and_exit(rank);
    });
    ASSERT_TRUE(ranks.all_reach(1));
    Moment moment;
    moment.sleep_up_to(milliseconds(60));
    ranks.process(1).send(SIGSTOP);
    ASSERT_TRUE(support::eventually(kPatience, [&] { return ranks.report(0).stage == 2; }));
    EXPECT_EQ(ranks.report(0).code, gossTimeout) << ranks.report(0).text;
    ranks.process(1).send(SIGCONT);
    ASSERT_TRUE(ranks.all_reach(2));
    ranks.board().go = 1;
    ranks.expect_clean_end(kPatience);
    EXPECT_EQ(ranks.report(0).wrong, 0) << "seed " << moment.seed();
  }
}

}  // namespace
}  // namespace goss::faults
