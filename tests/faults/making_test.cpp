// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Ranks that die, stop or fail while a communicator is made, split or finalized: the others do not
// wait for ever and say which rank it was.
#include "faults/ranks.h"

namespace goss::faults {
namespace {

using ::testing::AllOf;
using ::testing::AnyOf;
using ::testing::HasSubstr;

// About twice what initialisation takes here, so that the moments hit all of its phases.
milliseconds usual_init_time(int n) {
  Ranks ranks(n, [](Rank& rank) {
    if (rank.failed(rank.join())) std::exit(3);
    rank.reach(1);
    gossCommDestroy(rank.comm);
  });
  const int64_t begin = now_ns();
  EXPECT_TRUE(ranks.all_reach(1));
  return milliseconds(static_cast<long>(2 * ms_between(begin, now_ns())) + 2);
}

// "rank 2", or in a list "ranks 1, 2". With the root's process, ranks that it does not know yet
// lose the only one who could tell them its number.
auto names(int victim) {
  const std::string name = "ranks? ([0-9]+, )*" + std::to_string(victim);
  return ::testing::ContainsRegex(victim == 0 ? name + "|the process that" : name);
}

void join_and_work(Rank& rank) {
  gossConfig_t config = GOSS_CONFIG_INITIALIZER;
  config.initTimeoutMs = 1500 * support::sanitizer_factor();
  if (rank.failed(rank.join(&config))) linger_and_exit();
  MixedWork work(&rank, true);
  rank.failed(work.run());
  abort_and_exit(rank);
}

TEST(MakingTest, RankKilledDuringInitIsNamedByAll) {
  const milliseconds usual = usual_init_time(4);
  const int times = test_scale(16, 4);
  for (int i = 0; i < times; ++i) {
    const int victim = i % 4;
    Moment moment;
    Ranks ranks(4, join_and_work);
    ASSERT_TRUE(support::eventually(kPatience, [&] { return ranks.board().id_made == 1; }));
    moment.sleep_up_to(usual);
    const int64_t killed = ranks.kill(victim);
    SCOPED_TRACE("victim " + std::to_string(victim) + ", seed " + std::to_string(moment.seed()));
    for (int r = 0; r < 4; ++r) {
      if (r == victim) continue;
      const Report& got = ranks.report(r);
      ASSERT_TRUE(support::eventually(kPatience, [&] { return got.failed_at != 0; }))
          << "rank " << r << " reports nothing after " << got.rounds << " rounds";
      const double took = ms_between(killed, got.failed_at);
      EXPECT_THAT(std::string(got.text), names(victim)) << "rank " << r << " after " << took;
      EXPECT_EQ(got.wrong, 0) << "rank " << r;
      if (got.code == gossTimeout) continue;  // it had not shown itself yet: nobody can know
      EXPECT_EQ(got.code, gossRemoteError) << "rank " << r << ": " << got.text;
      EXPECT_LE(took, kPromise.count()) << "rank " << r << ": " << got.text;
    }
    ranks.expect_clean_end(kPromise, {victim});
  }
}

TEST(MakingTest, TwoRanksKilledDuringInitDoNotHangTheOthers) {
  const milliseconds usual = usual_init_time(4);
  const int times = test_scale(6, 2);
  for (int i = 0; i < times; ++i) {
    Moment moment;
    Ranks ranks(4, join_and_work);
    ASSERT_TRUE(support::eventually(kPatience, [&] { return ranks.board().id_made == 1; }));
    moment.sleep_up_to(usual);
    ranks.kill(1 + i % 3);
    ranks.kill(i % 2 == 0 ? 0 : 1 + (i + 1) % 3);
    SCOPED_TRACE("seed " + std::to_string(moment.seed()));
    ranks.expect_clean_end(kPatience, {1 + i % 3, i % 2 == 0 ? 0 : 1 + (i + 1) % 3});
  }
}

// A stopped rank is late. The limit of initialisation ends the wait in whatever phase it stopped.
TEST(MakingTest, RankStoppedDuringInitIsNamedWhenTheLimitIsOver) {
  const milliseconds usual = usual_init_time(3);
  const int times = test_scale(8, 3);
  for (int i = 0; i < times; ++i) {
    const int victim = 1 + i % 2;
    Moment moment;
    Ranks ranks(3, [](Rank& rank) {
      gossConfig_t config = GOSS_CONFIG_INITIALIZER;
      config.initTimeoutMs = 600 * support::sanitizer_factor();
      config.timeoutMs = 600 * support::sanitizer_factor();
      if (rank.failed(rank.join(&config))) linger_and_exit();
      MixedWork work(&rank, true);
      rank.failed(work.run());
      abort_and_exit(rank);
    });
    ASSERT_TRUE(support::eventually(kPatience, [&] { return ranks.board().id_made == 1; }));
    moment.sleep_up_to(usual);
    ranks.process(victim).send(SIGSTOP);
    const int64_t stopped = now_ns();
    SCOPED_TRACE("victim " + std::to_string(victim) + ", seed " + std::to_string(moment.seed()));
    for (int r = 0; r < 3; ++r) {
      if (r == victim) continue;
      const Report& got = ranks.report(r);
      ASSERT_TRUE(support::eventually(kPatience, [&] { return got.failed_at != 0; }))
          << "rank " << r << " still waits (" << got.rounds << " rounds)";
      // Who gives up first ends the wait of the others, as a failure of the start-up.
      EXPECT_THAT(got.code, AnyOf(gossTimeout, gossRemoteError)) << got.text;
      EXPECT_THAT(std::string(got.text), names(victim));
      EXPECT_LE(ms_between(stopped, got.failed_at), 3 * kPromise.count()) << got.text;
    }
    ranks.expect_clean_end(2 * kPromise, {victim});
  }
}

// Splits and works on the parts until something fails, then asks the parent.
void split_until_failure(Rank& rank) {
  if (rank.failed(rank.join())) std::exit(3);
  gossResult_t result = gossSuccess;
  for (uint64_t i = 0; result == gossSuccess; ++i) {
    gossComm_t part = nullptr;
    result = gossCommSplit(rank.comm, static_cast<int>(i % 2 == 0 ? 0 : rank.rank % 2), rank.rank,
                           &part, nullptr);
    int64_t x[3] = {1, 1, 1};
    if (result == gossSuccess) {
      result = gossAllReduce(x, x, 3, gossInt64, gossSum, part, nullptr);
    }
    gossCommDestroy(part);
    rank.report.rounds = i + 1;
  }
  // Its sentence is the same for everybody; ranks of the parts have other numbers.
  while (result == gossSuccess || result == gossInvalidArgument) {
    result = gossBarrier(rank.comm, nullptr);
  }
  gossResult_t state = gossSuccess;
  support::eventually(kPromise, [&] {
    gossCommGetAsyncError(rank.comm, &state);
    return state == gossRemoteError &&
           std::strstr(gossGetLastError(rank.comm), "died (") != nullptr;
  });
  rank.failed(state);
  abort_and_exit(rank);
}

TEST(MakingTest, RankKilledDuringSplitsIsReportedByAll) {
  const int times = test_scale(12, 4);
  for (int i = 0; i < times; ++i) {
    const int victim = i % 4;
    Moment moment;
    Ranks ranks(4, split_until_failure);
    ASSERT_TRUE(ranks.all_complete(2));
    moment.sleep_up_to(milliseconds(20));
    const int64_t killed = ranks.kill(victim);
    SCOPED_TRACE("victim " + std::to_string(victim) + ", seed " + std::to_string(moment.seed()));
    ranks.expect_same_report(gossRemoteError, killed, {victim});
    ranks.expect_clean_end(kPromise, {victim});
    EXPECT_THAT(std::string(ranks.report((victim + 1) % 4).text),
                HasSubstr(ranks.death_of(victim)));
  }
}

TEST(MakingTest, RankKilledBeforeItFinalizesIsReportedByAll) {
  for (int victim : {0, 2}) {
    Ranks ranks(3, [&](Rank& rank) {
      if (rank.failed(rank.join())) std::exit(3);
      float x = 1;
      rank.expect(gossAllReduce(&x, &x, 1, gossFloat, gossSum, rank.comm, nullptr) == gossSuccess);
      rank.reach(1);
      if (rank.rank == victim) support::sleep_for(kPatience);
      rank.failed(gossCommFinalize(rank.comm));
      if (gossCommDestroy(rank.comm) != gossSuccess) std::exit(4);
      std::exit(0);
    });
    ASSERT_TRUE(ranks.all_reach(1));
    support::sleep_for(milliseconds(50));
    const int64_t killed = ranks.kill(victim);
    ranks.expect_same_report(gossRemoteError, killed, {victim});
    ranks.expect_clean_end(kPromise, {victim});
    EXPECT_THAT(std::string(ranks.report(1).text), HasSubstr(ranks.death_of(victim)));
    EXPECT_THAT(std::string(ranks.report(1).text), HasSubstr("last seen after all_reduce"));
  }
}

TEST(MakingTest, RankKilledAtARandomMomentOfFinalizeHangsNobody) {
  const int times = test_scale(10, 3);
  for (int i = 0; i < times; ++i) {
    const int victim = i % 4;
    Moment moment;
    Ranks ranks(4, [](Rank& rank) {
      if (rank.failed(rank.join())) std::exit(3);
      rank.reach(1);
      rank.wait_for_go(1);
      rank.failed(gossCommFinalize(rank.comm));  // some may still succeed
      if (gossCommDestroy(rank.comm) != gossSuccess) std::exit(4);
      std::exit(0);
    });
    ASSERT_TRUE(ranks.all_reach(1));
    ranks.board().go = 1;
    moment.sleep_up_to(milliseconds(3));
    ranks.kill(victim);
    SCOPED_TRACE("victim " + std::to_string(victim) + ", seed " + std::to_string(moment.seed()));
    ranks.expect_clean_end(kPromise * 2, {victim});
    for (int r = 0; r < 4; ++r) {
      if (r == victim) continue;
      EXPECT_THAT(ranks.report(r).code, AnyOf(gossSuccess, gossRemoteError));
      if (ranks.report(r).code == gossRemoteError) {
        EXPECT_THAT(std::string(ranks.report(r).text), names(victim));
      }
    }
  }
}

// A non-blocking communicator hears of it too.
TEST(MakingTest, RankKilledDuringANonBlockingInitIsReported) {
  Ranks ranks(3, [](Rank& rank) {
    gossConfig_t config = GOSS_CONFIG_INITIALIZER;
    config.blocking = 0;
    config.initTimeoutMs = 1500 * support::sanitizer_factor();
    if (rank.rank == 2) {
      support::eventually(kPatience, [&] { return rank.board.id_made == 1; });
      gossCommInitRankConfig(&rank.comm, rank.n, rank.board.id, rank.rank, &config);
      rank.reach(1);
      support::sleep_for(kPatience);
    }
    gossResult_t state = rank.join(&config);
    rank.expect(state == gossInProgress);
    rank.reach(1);
    support::eventually(kPatience, [&] {
      gossCommGetAsyncError(rank.comm, &state);
      return state != gossInProgress && state != gossSuccess;
    });
    rank.failed(state);
    rank.expect(gossCommAbort(rank.comm) == gossSuccess);
    linger_and_exit();
  });
  ASSERT_TRUE(ranks.all_reach(1));
  Moment moment;
  moment.sleep_up_to(milliseconds(10));
  const int64_t killed = ranks.kill(2);
  for (int r : {0, 1}) {
    const Report& got = ranks.report(r);
    ASSERT_TRUE(support::eventually(kPatience, [&] { return got.failed_at != 0; }));
    EXPECT_THAT(std::string(got.text), names(2));
    if (got.code == gossTimeout) continue;  // its thread had not connected yet
    EXPECT_EQ(got.code, gossRemoteError) << got.text;
    EXPECT_LE(ms_between(killed, got.failed_at), kPromise.count());
  }
  ranks.expect_clean_end(kPromise, {2});
}

TEST(MakingTest, RanksOfDifferentHostIdsAreToldBothWhereOnlySharedMemoryIsWanted) {
  Ranks ranks(3, [](Rank& rank) {
    ::setenv("GOSS_HOSTID", rank.rank == 2 ? "blade-b" : "blade-a", 1);
    ::setenv("GOSS_TRANSPORT", "shm", 1);
    rank.failed(rank.join());
    linger_and_exit();
  });
  ranks.expect_clean_end(kPatience);
  char host[256] = {};
  ::gethostname(host, sizeof(host) - 1);
  const std::string on = std::string("on host ") + host;
  for (int r = 0; r < 3; ++r) {
    EXPECT_EQ(ranks.report(r).code, gossInvalidUsage);
    EXPECT_THAT(
        std::string(ranks.report(r).text),
        AllOf(HasSubstr("rank 0 is " + on + " (id blade-a) and rank 2 " + on + " (id blade-b)"),
              HasSubstr("with GOSS_TRANSPORT=shm all ranks must be on one host")));
  }
}

TEST(MakingTest, RanksOfDifferentSettingsAreToldBothValues) {
  Ranks ranks(3, [](Rank& rank) {
    if (rank.rank == 1) ::setenv("GOSS_ALGO", "twoshot", 1);
    rank.failed(rank.join());
    linger_and_exit();
  });
  ranks.expect_clean_end(kPatience);
  for (int r = 0; r < 3; ++r) {
    EXPECT_EQ(ranks.report(r).code, gossInvalidUsage) << ranks.report(r).text;
    EXPECT_THAT(std::string(ranks.report(r).text),
                AllOf(HasSubstr("differ in version or settings"), HasSubstr("GOSS_ALGO=auto"),
                      HasSubstr("GOSS_ALGO=twoshot"), HasSubstr("rank 1")));
  }
}

}  // namespace
}  // namespace goss::faults
