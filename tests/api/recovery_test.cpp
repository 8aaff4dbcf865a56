// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Communicators that shrink, grow, are revoked, and rest, with ranks as threads. Deaths of real
// processes: tests/faults/shrink_test.cpp.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <latch>
#include <thread>
#include <vector>

#include "support/ranks.h"
#include "support/raw_enum.h"
#include "support/test_scale.h"

namespace goss::test {
namespace {

void require_sum(gossComm_t comm, size_t count = 1000) {
  int nranks = 0;
  MUST(gossCommCount(comm, &nranks));
  int rank = 0;
  MUST(gossCommUserRank(comm, &rank));
  std::vector<int> x(count, rank + 1);
  MUST(gossAllReduce(x.data(), x.data(), count, gossInt, gossSum, comm, nullptr));
  for (int value : x) require(value == nranks * (nranks + 1) / 2, "sum of the new communicator");
}

int rank_in(gossComm_t comm) {
  int rank = -1;
  MUST(gossCommUserRank(comm, &rank));
  return rank;
}

class Shrink : public ::testing::TestWithParam<int> {};

TEST_P(Shrink, LeavesRanksOutAndNumbersTheOthersInOrder) {
  const int flags = GetParam();
  run_ranks(5, [flags](Rank& me) {
    // An abort would end what slower ranks have not completed.
    if (flags == GOSS_SHRINK_DEFAULT) require_sum(me.comm);
    int excluded[] = {3, 1, 3};
    if (me.rank == 1 || me.rank == 3) return;
    gossComm_t smaller = nullptr;
    MUST(gossCommShrink(me.comm, excluded, 3, &smaller, nullptr, flags));
    require(rank_in(smaller) == me.rank / 2, "new rank");
    require_sum(smaller);
    require_sum(smaller, 100'000);
    // All have the sums; what follows may end the barrier of slower ranks.
    const gossResult_t met = gossBarrier(smaller, nullptr);
    require(met == gossSuccess || (flags == GOSS_SHRINK_ABORT && met == gossRemoteError),
            last_error());
    // And once more, to a single rank.
    int others[] = {1, 2};
    if (me.rank == 0) {
      gossComm_t alone = nullptr;
      MUST(gossCommShrink(smaller, others, 2, &alone, nullptr, flags));
      require_sum(alone);
      MUST(gossCommDestroy(alone));
    }
    MUST(gossCommDestroy(smaller));
  });
}

TEST_P(Shrink, WorksInsideAGroupForOneThread) {
  Comms comms = make_comms(4);
  Comms smaller(3);
  int excluded = 2;
  MUST(gossGroupStart());
  for (int r : {0, 1, 3}) {
    MUST(gossCommShrink(comms[r], &excluded, 1, &smaller[r == 3 ? 2 : r], nullptr, GetParam()));
  }
  MUST(gossGroupEnd());
  int x[3] = {1, 2, 3};
  MUST(gossGroupStart());
  for (int r = 0; r < 3; ++r) {
    MUST(gossAllReduce(&x[r], &x[r], 1, gossInt, gossSum, smaller[r], nullptr));
  }
  MUST(gossGroupEnd());
  for (int value : x) EXPECT_EQ(value, 6);
}

void poll(gossComm_t comm) {
  gossResult_t state = gossInProgress;
  while (state == gossInProgress) MUST(gossCommGetAsyncError(comm, &state));
  MUST(state);
}

TEST_P(Shrink, WorksOnNonBlockingCommunicators) {
  gossConfig_t config = default_config();
  config.blocking = 0;
  Comms comms = make_comms(3, config);
  for (int r = 0; r < 3; ++r) poll(comms[r]);
  Comms smaller(2);
  int excluded = 0;
  for (int r : {1, 2}) {
    MUST_BE(gossInProgress,
            gossCommShrink(comms[r], &excluded, 1, &smaller[r - 1], nullptr, GetParam()));
  }
  for (int r : {0, 1}) poll(smaller[r]);
  int x[] = {1, 2};
  for (int r : {0, 1}) {
    MUST_BE(gossInProgress, gossAllReduce(&x[r], &x[r], 1, gossInt, gossSum, smaller[r], nullptr));
  }
  for (int r : {0, 1}) poll(smaller[r]);
  EXPECT_EQ(x[0] + x[1], 6);
}

INSTANTIATE_TEST_SUITE_P(Recovery, Shrink,
                         ::testing::Values(GOSS_SHRINK_DEFAULT, GOSS_SHRINK_ABORT),
                         [](const auto& test) { return test.param == 0 ? "default" : "abort"; });

TEST(Recovery, TheParentGoesOnAfterADefaultShrink) {
  run_ranks(3, [](Rank& me) {
    for (int round = 0; round < 2; ++round) {  // the same list twice
      int excluded = 2;
      gossComm_t smaller = nullptr;
      if (me.rank != 2) {
        MUST(gossCommShrink(me.comm, &excluded, 1, &smaller, nullptr, GOSS_SHRINK_DEFAULT));
        require_sum(smaller);
      }
      require_sum(me.comm);
      MUST(gossCommDestroy(smaller));
    }
  });
}

// Two ranks wait for a third that does not come.
TEST(Recovery, AnAbortingShrinkEndsCallsOfOtherThreadsAndOfStreams) {
  std::atomic<int> done{0};
  run_ranks(3, [&](Rank& me) {
    MUST(gossBarrier(me.comm, nullptr));
    if (me.rank == 2) {
      while (done < 2) std::this_thread::yield();
      return;
    }
    int queued = 1;
    gossStream_t stream = nullptr;
    MUST(gossStreamCreate(&stream));
    if (me.rank == 0) {
      MUST(gossAllReduce(&queued, &queued, 1, gossInt, gossSum, me.comm, stream));
    }
    std::atomic<int> inside_gave{-1};
    std::thread inside([&] {
      if (me.rank == 0) return;
      int x = 1;
      inside_gave = gossAllReduce(&x, &x, 1, gossInt, gossSum, me.comm, nullptr);
    });
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    int excluded = 2;
    gossComm_t smaller = nullptr;
    MUST(gossCommShrink(me.comm, &excluded, 1, &smaller, nullptr, GOSS_SHRINK_ABORT));
    inside.join();
    if (me.rank == 1) require(inside_gave == gossRemoteError, "the call in the other thread");
    if (me.rank == 0) MUST_BE(gossRemoteError, gossStreamSynchronize(stream));
    require_sum(smaller);
    MUST_BE(gossRemoteError, gossBarrier(me.comm, nullptr));
    require(last_error().find("to shrink it") != std::string::npos, last_error());
    MUST(gossStreamDestroy(stream));
    MUST(gossCommDestroy(smaller));
    ++done;
  });
}

TEST(Recovery, RanksThatShrinkToDifferentListsAreToldBoth) {
  run_ranks(4, [](Rank& me) {
    if (me.rank >= 2) return;
    int excluded[] = {me.rank == 0 ? 2 : 3};
    gossComm_t smaller = nullptr;
    const gossResult_t code =
        gossCommShrink(me.comm, excluded, 1, &smaller, nullptr, GOSS_SHRINK_DEFAULT);
    require(code == gossInvalidUsage || code == gossRemoteError, last_error());
    require(smaller == nullptr, "no communicator");
    require(last_error().find("leaves out") != std::string::npos, last_error());
  });
}

TEST(Recovery, WrongShrinksAreRefusedAndTheParentGoesOn) {
  Comms comms = make_comms(2);
  gossComm_t out = nullptr;
  int list[] = {1};
  const auto refused = [&](int* ranks, int count, gossComm_t* to, int flags) {
    return gossCommShrink(comms[0], ranks, count, to, nullptr, flags);
  };
  EXPECT_EQ(refused(nullptr, 1, &out, 0), gossInvalidArgument);
  EXPECT_EQ(refused(list, 0, &out, 0), gossInvalidArgument);
  EXPECT_EQ(refused(list, -1, &out, 0), gossInvalidArgument);
  EXPECT_EQ(refused(list, 1, nullptr, 0), gossInvalidArgument);
  EXPECT_EQ(refused(list, 1, &out, 2), gossInvalidArgument);
  EXPECT_EQ(gossCommShrink(nullptr, list, 1, &out, nullptr, 0), gossInvalidArgument);
  for (int wrong : {-1, 2, 0}) {
    EXPECT_EQ(refused(&wrong, 1, &out, 0), gossInvalidArgument);
    EXPECT_EQ(refused(&wrong, 1, &out, GOSS_SHRINK_ABORT), gossInvalidArgument);
  }
  EXPECT_NE(last_error().find("own list"), std::string::npos) << last_error();
  gossResult_t state = gossInternalError;
  MUST(gossCommGetAsyncError(comms[0], &state));
  EXPECT_EQ(state, gossSuccess);
}

// Ranks of two communicators of `n` and `added` become one.
void require_growth(int n, int added) {
  gossUniqueId grow_id{};
  std::atomic<bool> made{false};
  const int total = n + added;
  std::vector<std::string> failures(static_cast<size_t>(added));
  std::vector<std::thread> newcomers;
  for (int i = 0; i < added; ++i) {
    newcomers.emplace_back([&, i] {
      try {
        while (!made) std::this_thread::yield();
        gossComm_t grown = nullptr;
        MUST(gossCommGrow(nullptr, total, &grow_id, n + i, &grown, nullptr));
        require(rank_in(grown) == n + i, "rank of the newcomer");
        require_sum(grown);
        MUST(gossCommDestroy(grown));
      } catch (const std::exception& error) {
        failures[static_cast<size_t>(i)] = error.what();
      }
    });
  }
  run_ranks(n, [&](Rank& me) {
    const bool root = me.rank == n - 1;
    if (root) {
      MUST(gossCommGetUniqueId(me.comm, &grow_id));
      made = true;
    }
    gossComm_t grown = nullptr;
    MUST(gossCommGrow(me.comm, total, root ? &grow_id : nullptr, -1, &grown, nullptr));
    require(rank_in(grown) == me.rank, "rank kept");
    require_sum(me.comm);
    require_sum(grown);
    MUST(gossCommDestroy(grown));
  });
  for (std::thread& thread : newcomers) thread.join();
  for (const std::string& failure : failures) EXPECT_EQ(failure, "");
}

TEST(Recovery, NewRanksJoinBehindTheOldOnes) {
  require_growth(1, 1);
  require_growth(2, 3);
  require_growth(4, 1);
}

TEST(Recovery, GrowWorksInsideAGroupForOneThread) {
  Comms comms = make_comms(2);
  Comms grown(3);
  gossUniqueId id;
  MUST(gossCommGetUniqueId(comms[0], &id));
  MUST(gossGroupStart());
  MUST(gossCommGrow(comms[0], 3, &id, -1, &grown[0], nullptr));
  MUST(gossCommGrow(comms[1], 3, nullptr, -1, &grown[1], nullptr));
  MUST(gossCommGrow(nullptr, 3, &id, 2, &grown[2], nullptr));
  MUST(gossGroupEnd());
  int x[3] = {1, 2, 3};
  MUST(gossGroupStart());
  for (int r = 0; r < 3; ++r) {
    MUST(gossAllReduce(&x[r], &x[r], 1, gossInt, gossSum, grown[r], nullptr));
  }
  MUST(gossGroupEnd());
  EXPECT_EQ(x[0] + x[1] + x[2], 18);
}

TEST(Recovery, WrongGrowthIsRefused) {
  Comms comms = make_comms(2);
  gossComm_t out = nullptr;
  gossUniqueId id;
  MUST(gossCommGetUniqueId(comms[0], &id));
  EXPECT_EQ(gossCommGetUniqueId(nullptr, &id), gossInvalidArgument);
  EXPECT_EQ(gossCommGetUniqueId(comms[0], nullptr), gossInvalidArgument);
  EXPECT_EQ(gossCommGrow(comms[0], 2, &id, -1, &out, nullptr), gossInvalidArgument);
  EXPECT_EQ(gossCommGrow(comms[0], 3, &id, 0, &out, nullptr), gossInvalidArgument);
  EXPECT_EQ(gossCommGrow(comms[0], 3, &id, -1, nullptr, nullptr), gossInvalidArgument);
  EXPECT_EQ(gossCommGrow(nullptr, 3, nullptr, 2, &out, nullptr), gossInvalidArgument);
  EXPECT_EQ(gossCommGrow(nullptr, 3, &id, 3, &out, nullptr), gossInvalidArgument);
  EXPECT_EQ(gossCommGrow(nullptr, 3, &id, -1, &out, nullptr), gossInvalidArgument);

  // Nobody, and everybody, gives an id.
  for (const gossUniqueId* given : {static_cast<gossUniqueId*>(nullptr), &id}) {
    Comms grown(2);
    MUST(gossGroupStart());
    MUST(gossCommGrow(comms[0], 3, given, -1, &grown[0], nullptr));
    MUST(gossCommGrow(comms[1], 3, given, -1, &grown[1], nullptr));
    EXPECT_EQ(gossGroupEnd(), gossInvalidUsage);
    EXPECT_NE(last_error().find("gave an id"), std::string::npos) << last_error();
  }
}

TEST(Recovery, RevokedCommunicatorsShrink) {
  run_ranks(3, [](Rank& me) {
    MUST(gossBarrier(me.comm, nullptr));
    if (me.rank == 1) {
      std::this_thread::sleep_for(std::chrono::milliseconds(20));  // the others wait for this rank
      MUST(gossCommRevoke(me.comm, GOSS_REVOKE_DEFAULT));
      MUST_BE(gossInvalidUsage, gossBarrier(me.comm, nullptr));
      MUST_BE(gossInvalidArgument, gossCommRevoke(me.comm, GOSS_REVOKE_DEFAULT));
    } else {
      MUST_BE(gossRemoteError, gossBarrier(me.comm, nullptr));
      require(last_error().find("rank 1") != std::string::npos, last_error());
      require(last_error().find("revoked communicator") != std::string::npos, last_error());
    }
    if (me.rank == 2) return;
    int excluded = 2;
    gossComm_t smaller = nullptr;
    MUST(gossCommShrink(me.comm, &excluded, 1, &smaller, nullptr, GOSS_SHRINK_DEFAULT));
    require_sum(smaller);
    MUST(gossCommDestroy(smaller));
  });
}

TEST(Recovery, ARevokeFromAnotherThreadEndsTheCallOfThisOne) {
  std::latch over(1);
  run_ranks(2, [&](Rank& me) {
    MUST(gossBarrier(me.comm, nullptr));
    if (me.rank == 1) return over.wait();
    std::thread watchdog([&] {
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
      EXPECT_EQ(gossCommRevoke(me.comm, GOSS_REVOKE_DEFAULT), gossSuccess);
    });
    int x = 1;
    const gossResult_t code = gossAllReduce(&x, &x, 1, gossInt, gossSum, me.comm, nullptr);
    watchdog.join();
    over.count_down();
    require(code == gossInvalidUsage, last_error());
  });
}

TEST(Recovery, WrongRevokesAreRefused) {
  Comms comms = make_comms(1);
  EXPECT_EQ(gossCommRevoke(nullptr, GOSS_REVOKE_DEFAULT), gossSuccess);
  EXPECT_EQ(gossCommRevoke(comms[0], 1), gossInvalidArgument);
  MUST(gossCommFinalize(comms[0]));
  EXPECT_EQ(gossCommRevoke(comms[0], GOSS_REVOKE_DEFAULT), gossInvalidArgument);
}

uint64_t statistic(gossComm_t comm, gossCommMemStat_t which) {
  uint64_t value = UINT64_MAX;
  MUST(gossCommMemStats(comm, which, &value));
  return value;
}

// Whether the library's thread has suspended it yet must not decide what a rank may call.
TEST(Recovery, CallsAfterASuspensionAreRefusedBeforeItIsComplete) {
  gossConfig_t config = default_config();
  config.blocking = 0;
  Comms comms(2);
  gossUniqueId id;
  MUST(gossGetUniqueId(&id));
  for (int r = 0; r < 2; ++r) {
    MUST_BE(gossInProgress, gossCommInitRankConfig(&comms[r], 2, id, r, &config));
  }
  for (int r = 0; r < 2; ++r) poll(comms[r]);
  EXPECT_EQ(gossCommSuspend(comms[0], GOSS_SUSPEND_MEM), gossInProgress);
  int x = 1;
  EXPECT_EQ(gossAllReduce(&x, &x, 1, gossInt, gossSum, comms[0], nullptr), gossInvalidUsage);
  EXPECT_EQ(gossCommSuspend(comms[0], GOSS_SUSPEND_MEM), gossInvalidUsage);
  EXPECT_EQ(gossCommResume(comms[0]), gossInvalidUsage) << "not complete";
  EXPECT_EQ(gossCommSuspend(comms[1], GOSS_SUSPEND_MEM), gossInProgress);
  for (int r = 0; r < 2; ++r) {
    poll(comms[r]);
    EXPECT_EQ(gossCommResume(comms[r]), gossSuccess) << last_error();
  }
  int y[2] = {1, 2};
  for (int r = 0; r < 2; ++r) {
    MUST_BE(gossInProgress, gossAllReduce(&y[r], &y[r], 1, gossInt, gossSum, comms[r], nullptr));
  }
  for (int r = 0; r < 2; ++r) poll(comms[r]);
  for (int value : y) EXPECT_EQ(value, 3);
}

TEST(Recovery, ASuspensionIsNoPartOfAGroup) {
  Comms comms = make_comms(1);
  MUST(gossGroupStart());
  EXPECT_EQ(gossCommSuspend(comms[0], GOSS_SUSPEND_MEM), gossInvalidUsage);
  EXPECT_EQ(gossGroupEnd(), gossInvalidUsage);
  MUST(gossBarrier(comms[0], nullptr));
}

TEST(Recovery, SuspendedCommunicatorsHoldNoStagingMemoryAndGoOn) {
  run_ranks(3, [](Rank& me) {
    const int next = (me.rank + 1) % 3;
    const int previous = (me.rank + 2) % 3;
    for (int round = 0; round < 3; ++round) {
      require_sum(me.comm, 500'000);
      std::vector<int> sent(10'000, me.rank + round);
      std::vector<int> got(10'000, -1);
      // In flight while the memory is given back.
      MUST(gossSend(sent.data(), sent.size(), gossInt, next, me.comm, nullptr));
      require(statistic(me.comm, gossStatGpuMemSuspend) >= 1'000'000, "staging memory");
      require(
          statistic(me.comm, gossStatGpuMemTotal) ==
              statistic(me.comm, gossStatGpuMemSuspend) + statistic(me.comm, gossStatGpuMemPersist),
          "total");
      MUST(gossCommSuspend(me.comm, GOSS_SUSPEND_MEM));
      require(statistic(me.comm, gossStatGpuMemSuspended) == 1, "suspended");
      require(statistic(me.comm, gossStatGpuMemSuspend) <= 64 * 1024, "given back");
      MUST_BE(gossInvalidUsage, gossBarrier(me.comm, nullptr));
      MUST_BE(gossInvalidUsage, gossCommSuspend(me.comm, GOSS_SUSPEND_MEM));
      MUST(gossCommResume(me.comm));
      MUST_BE(gossInvalidUsage, gossCommResume(me.comm));
      require(statistic(me.comm, gossStatGpuMemSuspended) == 0, "resumed");
      MUST(gossRecv(got.data(), got.size(), gossInt, previous, me.comm, nullptr));
      for (int value : got) require(value == previous + round, "message over a suspension");
    }
    require_sum(me.comm, 500'000);
  });
}

TEST(Recovery, WrongSuspensionsAreRefused) {
  Comms comms = make_comms(1);
  uint64_t value = 0;
  EXPECT_EQ(gossCommSuspend(comms[0], 0), gossInvalidArgument);
  EXPECT_EQ(gossCommSuspend(nullptr, GOSS_SUSPEND_MEM), gossInvalidArgument);
  EXPECT_EQ(gossCommResume(nullptr), gossInvalidArgument);
  EXPECT_EQ(gossCommMemStats(nullptr, gossStatGpuMemTotal, &value), gossInvalidArgument);
  EXPECT_EQ(gossCommMemStats(comms[0], gossStatGpuMemTotal, nullptr), gossInvalidArgument);
  EXPECT_EQ(gossCommMemStats(comms[0], raw<gossCommMemStat_t>(4), &value), gossInvalidArgument);
}

TEST(Recovery, RanksThatLeftAreListed) {
  run_ranks(3, [](Rank& me) {
    int lost[3] = {-1, -1, -1};
    int count = -1;
    MUST(gossCommGetLostRanks(me.comm, lost, 3, &count));
    MUST(gossBarrier(me.comm, nullptr));
    if (me.rank != 0) {
      MUST(gossCommDestroy(me.comm));
      me.comm = nullptr;
      return;
    }
    while (count < 2) MUST(gossCommGetLostRanks(me.comm, lost, 1, &count));
    require(lost[0] == 1 && lost[1] == -1, "as many as there is room for");
    MUST(gossCommGetLostRanks(me.comm, nullptr, 0, &count));
    require(count == 2, "number");
    MUST_BE(gossInvalidArgument, gossCommGetLostRanks(me.comm, nullptr, 1, &count));
    MUST_BE(gossInvalidArgument, gossCommGetLostRanks(me.comm, lost, -1, &count));
    MUST_BE(gossInvalidArgument, gossCommGetLostRanks(me.comm, lost, 3, nullptr));
    MUST_BE(gossInvalidArgument, gossCommGetLostRanks(nullptr, lost, 3, &count));
  });
}

TEST(Recovery, TheFirstOfSeveralIdsIsUsed) {
  gossUniqueId ids[2];
  for (gossUniqueId& id : ids) MUST(gossGetUniqueId(&id));
  Comms comms(2);
  MUST(gossGroupStart());
  for (int r = 0; r < 2; ++r) {
    MUST(gossCommInitRankScalable(&comms[r], 2, r, 2, ids, nullptr));
  }
  MUST(gossGroupEnd());
  EXPECT_EQ(rank_in(comms[1]), 1);
  gossComm_t out = nullptr;
  EXPECT_EQ(gossCommInitRankScalable(&out, 2, 0, 0, ids, nullptr), gossInvalidArgument);
  EXPECT_EQ(gossCommInitRankScalable(&out, 2, 0, 3, ids, nullptr), gossInvalidArgument);
  EXPECT_EQ(gossCommInitRankScalable(&out, 2, 0, 1, nullptr, nullptr), gossInvalidArgument);
  EXPECT_EQ(gossCommInitRankScalable(nullptr, 2, 0, 1, ids, nullptr), gossInvalidArgument);
  EXPECT_EQ(gossCommInitRankScalable(&out, 2, 2, 1, ids, nullptr), gossInvalidArgument);
}

}  // namespace
}  // namespace goss::test
