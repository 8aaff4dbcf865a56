// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// From making a communicator to its end: finalize, destroy, abort, forked children.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <future>

#include "support/ranks.h"
#include "support/test_scale.h"

namespace goss::test {
namespace {

using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

// Long before any time limit, long after any scheduling delay.
constexpr milliseconds kBounded{5000};

gossResult_t all_reduce_one(gossComm_t comm, int* x) {
  return gossAllReduce(x, x, 1, gossInt, gossSum, comm, nullptr);
}

TEST(Lifecycle, OfOneRankAloneIsAJobToo) {
  gossComm_t comm = nullptr;
  ASSERT_EQ(gossCommInitAll(&comm, 1, nullptr), gossSuccess) << last_error();
  int value = -1;
  MUST(gossCommCount(comm, &value));
  EXPECT_EQ(value, 1);
  MUST(gossCommUserRank(comm, &value));
  EXPECT_EQ(value, 0);
  MUST(gossCommCuDevice(comm, &value));
  EXPECT_EQ(value, GOSS_DEVICE_HOST);
  int x = 5;
  MUST(all_reduce_one(comm, &x));
  EXPECT_EQ(x, 5);
  MUST(gossBarrier(comm, nullptr));
  EXPECT_EQ(gossCommDestroy(comm), gossSuccess);
}

TEST(Lifecycle, GivesEveryRankItsPlace) {
  run_ranks(5, [](Rank& me) {
    int value = -1;
    MUST(gossCommUserRank(me.comm, &value));
    require(value == me.rank, "rank");
    MUST(gossCommCount(me.comm, &value));
    require(value == 5, "count");
    require(state_of(me.comm) == gossSuccess, "state");
  });
}

TEST(Lifecycle, MakesManyCommunicatorsOneAfterTheOther) {
  for (int i = 0; i < 20; ++i) {
    Comms comms = make_comms(3);
    MUST(gossGroupStart());
    for (int r = 0; r < 3; ++r) MUST(gossBarrier(comms[r], nullptr));
    MUST(gossGroupEnd());
  }
}

TEST(Lifecycle, AllowsOnlyDestroyAfterFinalize) {
  run_ranks(2, [](Rank& me) {
    MUST(gossCommFinalize(me.comm));
    int x = 1;
    MUST_BE(gossInvalidUsage, all_reduce_one(me.comm, &x));
    MUST_BE(gossInvalidUsage, gossBarrier(me.comm, nullptr));
    gossComm_t part = nullptr;
    MUST_BE(gossInvalidUsage, gossCommSplit(me.comm, 0, 0, &part, nullptr));
    MUST_BE(gossInvalidArgument, gossCommFinalize(me.comm));
    require(last_error().find("finalized") != std::string::npos, last_error());
  });
}

TEST(Lifecycle, FinalizesOnlyWhenAllRanksDo) {
  std::atomic<bool> second{false};
  run_ranks(2, [&](Rank& me) {
    if (me.rank == 1) {
      ::usleep(100'000);
      second = true;
    }
    MUST(gossCommFinalize(me.comm));
    require(second, "returned before the other rank finalized");
  });
}

TEST(Lifecycle, RefusesASecondDestroy) {
  gossComm_t comm = nullptr;
  MUST(gossCommInitAll(&comm, 1, nullptr));
  MUST(gossCommDestroy(comm));
  EXPECT_EQ(gossCommDestroy(comm), gossInvalidArgument);
  EXPECT_EQ(gossCommAbort(comm), gossInvalidArgument);
  EXPECT_EQ(gossCommDestroy(nullptr), gossSuccess);
  EXPECT_EQ(gossCommAbort(nullptr), gossSuccess);
  EXPECT_EQ(gossCommFinalize(nullptr), gossSuccess);
}

TEST(Lifecycle, TellsARankThatWaitsForOneThatHasLeft) {
  run_ranks(2, [](Rank& me) {
    if (me.rank == 1) return;  // destroys at once
    int x = 1;
    MUST_BE(gossRemoteError, all_reduce_one(me.comm, &x));
    require(last_error().find("rank 1") != std::string::npos, last_error());
    MUST_BE(gossRemoteError, gossBarrier(me.comm, nullptr));
    require(state_of(me.comm) == gossRemoteError, "a failed communicator stays failed");
  });
}

TEST(Abort, EndsACallOfAnotherThreadAndTellsTheOtherRanks) {
  for (size_t count : {1, 1000, 500'000}) {
    std::promise<gossComm_t> started;
    std::promise<void> aborted;
    std::thread aborter([&] {
      const gossComm_t comm = started.get_future().get();
      ::usleep(60'000);
      const auto begin = Clock::now();
      EXPECT_EQ(gossCommAbort(comm), gossSuccess) << last_error();
      EXPECT_LT(Clock::now() - begin, kBounded);
      aborted.set_value();
    });
    run_ranks(2, [&](Rank& me) {
      std::vector<float> x(count);
      const auto reduce = [&] {
        return gossAllReduce(x.data(), x.data(), count, gossFloat, gossSum, me.comm, nullptr);
      };
      if (me.rank == 0) {
        started.set_value(me.comm);
        MUST_BE(gossInvalidUsage, reduce());
        require(last_error().find("aborted") != std::string::npos, last_error());
        me.comm = nullptr;  // freed by the abort
        return;
      }
      aborted.get_future().wait();
      // From another host the numbers of a rank may come before the news of its abort.
      const gossResult_t code = reduce();
      if (code == gossSuccess) MUST_BE(gossRemoteError, failed_state_of(me.comm));
      MUST_BE(gossRemoteError, code == gossSuccess ? reduce() : code);
      require(last_error().find("rank 0") != std::string::npos, last_error());
      require(last_error().find("aborted") != std::string::npos, last_error());
    });
    aborter.join();
  }
}

TEST(Abort, ReachesARankThatWaitsForAThird) {
  std::atomic<int> failed{0};
  run_ranks(3, [&](Rank& me) {
    if (me.rank == 2) {
      ::usleep(50'000);
      MUST(gossCommAbort(me.comm));
      me.comm = nullptr;
      return;
    }
    int x = 0;
    MUST_BE(gossRemoteError, all_reduce_one(me.comm, &x));
    require(last_error().find("rank 2") != std::string::npos, last_error());
    ++failed;
  });
  EXPECT_EQ(failed, 2);
}

TEST(Abort, EndsWorkOnStreams) {
  Comms comms = make_comms(2);
  gossStream_t stream = nullptr;
  MUST(gossStreamCreate(&stream));
  int x = 0;
  MUST(gossAllReduce(&x, &x, 1, gossInt, gossSum, comms[0], stream));
  MUST(gossAllReduce(&x, &x, 1, gossInt, gossSum, comms[0], stream));
  const auto begin = Clock::now();
  MUST(gossCommAbort(comms[0]));
  comms[0] = nullptr;
  EXPECT_NE(gossStreamSynchronize(stream), gossSuccess);
  EXPECT_LT(Clock::now() - begin, kBounded);
  MUST(gossStreamDestroy(stream));
  EXPECT_EQ(gossBarrier(comms[1], nullptr), gossRemoteError);
}

TEST(Abort, EndsAGroup) {
  Comms comms = make_comms(3);
  std::thread aborter([&] {
    ::usleep(60'000);
    EXPECT_EQ(gossCommAbort(comms[2]), gossSuccess);
    comms[2] = nullptr;
  });
  MUST(gossGroupStart());
  MUST(gossBarrier(comms[0], nullptr));
  MUST(gossBarrier(comms[1], nullptr));
  EXPECT_EQ(gossGroupEnd(), gossRemoteError);
  EXPECT_NE(last_error().find("rank 2"), std::string::npos) << last_error();
  aborter.join();
}

TEST(Abort, OfACommunicatorInTheMakingIsBounded) {
  gossUniqueId id;
  MUST(gossGetUniqueId(&id));
  gossConfig_t config = default_config();
  config.blocking = 0;
  gossComm_t comm = nullptr;
  ASSERT_EQ(gossCommInitRankConfig(&comm, 2, id, 0, &config), gossInProgress);
  const auto begin = Clock::now();
  EXPECT_EQ(gossCommAbort(comm), gossSuccess);
  EXPECT_LT(Clock::now() - begin, kBounded);
}

// Aborts `*comm` as soon as another thread has put a communicator there.
std::thread abort_when_there(std::atomic<gossComm_t>* comm, std::chrono::milliseconds after) {
  return std::thread([comm, after] {
    while (*comm == nullptr) std::this_thread::yield();
    std::this_thread::sleep_for(after);
    const auto begin = Clock::now();
    EXPECT_EQ(gossCommAbort(*comm), gossSuccess) << last_error();
    EXPECT_LT(Clock::now() - begin, kBounded);
  });
}

TEST(Abort, EndsABlockingInitialisationOfAnotherThread) {
  for (const auto after : {std::chrono::milliseconds(0), std::chrono::milliseconds(30)}) {
    gossUniqueId id;
    MUST(gossGetUniqueId(&id));
    // The library stores the handle before it waits for rank 1.
    gossComm_t comm = nullptr;
    std::atomic<gossComm_t> seen{nullptr};
    std::thread watcher([&] {
      const std::atomic_ref<gossComm_t> place(comm);
      while (place.load() == nullptr) std::this_thread::yield();
      seen = place.load();
    });
    std::thread aborter = abort_when_there(&seen, after);
    EXPECT_EQ(gossCommInitRank(&comm, 2, id, 0), gossInvalidUsage);
    EXPECT_NE(last_error().find("aborted"), std::string::npos) << last_error();
    EXPECT_EQ(comm, nullptr);
    watcher.join();
    aborter.join();
  }
}

TEST(Abort, OfAParentEndsItsSplit) {
  std::atomic<gossComm_t> parent{nullptr};
  std::thread aborter = abort_when_there(&parent, std::chrono::milliseconds(50));
  run_ranks(3, [&](Rank& me) {
    gossComm_t part = nullptr;
    if (me.rank == 2) {  // does not take part in the split
      while (parent == nullptr) std::this_thread::yield();
      ::usleep(100'000);
      MUST_BE(gossRemoteError, gossBarrier(me.comm, nullptr));
      return;
    }
    if (me.rank == 0) parent = me.comm;
    MUST_BE(me.rank == 0 ? gossInvalidUsage : gossRemoteError,
            gossCommSplit(me.comm, 0, 0, &part, nullptr));
    require(part == nullptr, "no communicator");
    if (me.rank == 0) me.comm = nullptr;  // freed by the abort
  });
  aborter.join();
}

TEST(Abort, OfASplitThatWaitsForItsTurnIsBoundedAndLeavesTheParentInOrder) {
  gossConfig_t config = default_config();
  config.blocking = 0;
  Comms comms = make_comms(2, config);
  for (int r = 0; r < 2; ++r) {
    for (gossResult_t state = gossInProgress; state == gossInProgress;) {
      MUST(gossCommGetAsyncError(comms[r], &state));
    }
  }
  int x[2] = {1, 2};
  gossComm_t parts[2] = {nullptr, nullptr};
  // Rank 0's split waits behind an all-reduce for which rank 1 is late.
  MUST_BE(gossInProgress, gossAllReduce(&x[0], &x[0], 1, gossInt, gossSum, comms[0], nullptr));
  MUST_BE(gossInProgress, gossCommSplit(comms[0], 0, 0, &parts[0], nullptr));
  const auto begin = Clock::now();
  EXPECT_EQ(gossCommAbort(parts[0]), gossSuccess);
  EXPECT_LT(Clock::now() - begin, kBounded);
  MUST_BE(gossInProgress, gossAllReduce(&x[1], &x[1], 1, gossInt, gossSum, comms[1], nullptr));
  MUST_BE(gossInProgress, gossCommSplit(comms[1], 0, 0, &parts[1], nullptr));
  gossResult_t state = gossInProgress;
  while (state == gossInProgress) MUST(gossCommGetAsyncError(parts[1], &state));
  EXPECT_EQ(state, gossRemoteError) << "its partner is told";
  MUST(gossCommDestroy(parts[1]));
  for (int r = 0; r < 2; ++r) {
    MUST_BE(gossInProgress, gossAllReduce(&x[r], &x[r], 1, gossInt, gossSum, comms[r], nullptr));
  }
  for (int r = 0; r < 2; ++r) {
    for (state = gossInProgress; state == gossInProgress;) {
      MUST(gossCommGetAsyncError(comms[r], &state));
    }
    EXPECT_EQ(state, gossSuccess) << "the parent goes on";
    EXPECT_EQ(x[r], 6);
  }
}

TEST(Abort, DropsWorkThatIsQueuedBehindAnotherCommunicator) {
  Comms blocked = make_comms(2);
  Comms behind = make_comms(2);
  gossStream_t stream = nullptr;
  MUST(gossStreamCreate(&stream));
  int x[2] = {1, 1};
  int y = 1;
  MUST(gossAllReduce(&x[0], &x[0], 1, gossInt, gossSum, blocked[0], stream));  // rank 1 is late
  MUST(gossAllReduce(&y, &y, 1, gossInt, gossSum, behind[0], stream));
  const auto begin = Clock::now();
  EXPECT_EQ(gossCommAbort(behind[0]), gossSuccess);
  EXPECT_LT(Clock::now() - begin, kBounded);
  behind[0] = nullptr;
  MUST(gossAllReduce(&x[1], &x[1], 1, gossInt, gossSum, blocked[1], nullptr));
  EXPECT_EQ(gossStreamSynchronize(stream), gossInvalidUsage);
  EXPECT_NE(last_error().find("aborted"), std::string::npos) << last_error();
  EXPECT_EQ(y, 1) << "it was never run";
  MUST(gossStreamDestroy(stream));
}

TEST(Abort, OfOneCommunicatorOfAGroupDoesNotWaitForTheOthers) {
  Comms first = make_comms(2);
  Comms second = make_comms(2);
  std::atomic<gossComm_t> target{nullptr};
  std::thread aborter = abort_when_there(&target, std::chrono::milliseconds(50));
  std::thread late([&] {
    aborter.join();
    EXPECT_EQ(gossBarrier(second[1], nullptr), gossSuccess);
  });
  target = first[0];
  MUST(gossGroupStart());
  MUST(gossBarrier(first[0], nullptr));
  MUST(gossBarrier(second[0], nullptr));
  EXPECT_EQ(gossGroupEnd(), gossInvalidUsage);
  first[0] = nullptr;
  late.join();
}

TEST(Abort, BetweenACallInAGroupAndItsEndIsAnError) {
  Comms comms = make_comms(2);
  MUST(gossGroupStart());
  MUST(gossBarrier(comms[0], nullptr));
  MUST(gossCommAbort(comms[0]));
  comms[0] = nullptr;
  EXPECT_EQ(gossGroupEnd(), gossInvalidUsage);
  EXPECT_NE(last_error().find("aborted"), std::string::npos) << last_error();
}

TEST(Abort, EndsADestroyThatWaitsForQueuedCalls) {
  Comms comms = make_comms(2);
  gossStream_t stream = nullptr;
  MUST(gossStreamCreate(&stream));
  int x = 1;
  MUST(gossAllReduce(&x, &x, 1, gossInt, gossSum, comms[0], stream));  // rank 1 never comes
  std::thread destroyer([&] { EXPECT_EQ(gossCommDestroy(comms[0]), gossSuccess); });
  ::usleep(50'000);
  EXPECT_EQ(gossCommAbort(comms[0]), gossSuccess);
  destroyer.join();
  comms[0] = nullptr;
  EXPECT_NE(gossStreamSynchronize(stream), gossSuccess);
  MUST(gossStreamDestroy(stream));
}

TEST(Abort, GivesItsHandleToNoCommunicatorThatFollows) {
  gossComm_t aborted = nullptr;
  MUST(gossCommInitAll(&aborted, 1, nullptr));
  MUST(gossCommAbort(aborted));
  for (int i = 0; i < 8; ++i) {
    Comms comms = make_comms(1);
    ASSERT_NE(comms[0], aborted);
    int x = 1;
    EXPECT_EQ(all_reduce_one(aborted, &x), gossInvalidArgument);
    EXPECT_EQ(gossCommAbort(aborted), gossInvalidArgument);
  }
}

// What a forked child may not do; 0 when all of it was refused.
int use_in_child(gossComm_t comm, gossStream_t stream) {
  int x = 1;
  gossResult_t state = gossSuccess;
  gossComm_t part = nullptr;
  if (all_reduce_one(comm, &x) != gossInvalidUsage) return 1;
  if (std::string(gossGetLastError(nullptr)).find("fork") == std::string::npos) return 2;
  if (gossBarrier(comm, stream) != gossInvalidUsage) return 3;
  if (gossCommGetAsyncError(comm, &state) != gossInvalidUsage) return 4;
  if (gossCommSplit(comm, 0, 0, &part, nullptr) != gossInvalidUsage) return 5;
  if (gossStreamSynchronize(stream) != gossInvalidUsage) return 6;
  if (gossCommFinalize(comm) != gossInvalidUsage) return 7;
  if (gossCommDestroy(comm) != gossSuccess) return 8;
  return 0;
}

TEST(Fork, LeavesTheChildUnusableCommunicatorsAndTheParentItsOwn) {
  Comms comms = make_comms(2);
  gossStream_t stream = nullptr;
  MUST(gossStreamCreate(&stream));
  int x[2] = {1, 2};
  const auto reduce = [&] {
    MUST(gossGroupStart());
    for (int r = 0; r < 2; ++r) MUST(all_reduce_one(comms[r], &x[r]));
    MUST(gossGroupEnd());
  };
  reduce();
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) ::_exit(use_in_child(comms[0], stream));
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status)) << "signal " << WTERMSIG(status);
  EXPECT_EQ(WEXITSTATUS(status), 0);
  reduce();
  EXPECT_EQ(x[0], 6);
  MUST(gossStreamDestroy(stream));
}

TEST(Fork, DuringCallsOfAnotherThreadLeavesTheChildNoLockedLocks) {
  Comms comms = make_comms(1);
  std::atomic<bool> done{false};
  std::thread asker([&] {
    while (!done) EXPECT_NE(gossGetLastError(comms[0]), nullptr);
  });
  for (int i = 0; i < 30; ++i) {
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      ::alarm(20);
      ::_exit(gossCommDestroy(comms[0]) == gossSuccess ? 0 : 1);
    }
    int status = -1;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
  }
  done = true;
  asker.join();
}

TEST(Fork, LetsTheChildExitInAnOrderlyWay) {
  Comms comms = make_comms(2);
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) std::quick_exit(0);
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
  MUST(gossGroupStart());
  for (int r = 0; r < 2; ++r) MUST(gossBarrier(comms[r], nullptr));
  MUST(gossGroupEnd());
}

TEST(Stats, CountWhatWasDone) {
  run_ranks(2, [](Rank& me) {
    std::vector<float> x(10'000);
    MUST(gossAllReduce(x.data(), x.data(), 10'000, gossFloat, gossSum, me.comm, nullptr));
    MUST(gossAllReduce(x.data(), x.data(), 0, gossFloat, gossSum, me.comm, nullptr));
    MUST(gossBarrier(me.comm, nullptr));
    gossCommStats_t stats{};
    stats.size = sizeof(stats);
    MUST(gossCommGetStats(me.comm, &stats));
    require(stats.size == sizeof(stats), "size");
    require(stats.operations == 3, "operations " + std::to_string(stats.operations));
    require(stats.payload_bytes == 40'000, "payload " + std::to_string(stats.payload_bytes));
    require(stats.sent_bytes >= 40'000 / 2, "sent " + std::to_string(stats.sent_bytes));
    require(stats.plans == 1, "plans " + std::to_string(stats.plans));
    require(stats.shared_bytes > 0 && stats.private_bytes > 0, "memory");
  });
}

}  // namespace
}  // namespace goss::test
