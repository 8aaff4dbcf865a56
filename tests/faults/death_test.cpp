// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Ranks that die between and inside collectives: all others report the same rank and what it was
// doing, within a second, and can leave.
#include <fstream>

#include <gossamer/compression.h>

#include "faults/ranks.h"

namespace goss::faults {
namespace {

using ::testing::ContainsRegex;
using ::testing::HasSubstr;

// The end of a sentence about a dead rank: what it was doing.
constexpr char kLastSeen[] =
    "\\((last seen (in|after) (all_reduce|broadcast|barrier|all_to_all).* #[0-9]+|"
    "it is waiting to (send to|receive from) rank [0-9]|it has not started any operation)\\)";

void work_until_failure(Rank& rank) {
  if (rank.failed(rank.join())) std::exit(3);
  MixedWork work(&rank);
  rank.failed(work.run());
  abort_and_exit(rank);
}

struct Death {
  int n;
  int victim;
};

void PrintTo(const Death& death, std::ostream* out) {
  *out << "n=" << death.n << ",victim=" << death.victim;
}

std::vector<Death> every_index() {
  std::vector<Death> all;
  for (int n : {2, 3, 4, 8}) {
    for (int victim = 0; victim < n; ++victim) all.push_back({n, victim});
  }
  return all;
}

class EveryIndexTest : public ::testing::TestWithParam<Death> {};

TEST_P(EveryIndexTest, KilledInALoopOfCollectivesIsReportedByAllWithinASecond) {
  const auto [n, victim] = GetParam();
  Ranks ranks(n, work_until_failure);
  ASSERT_TRUE(ranks.all_complete(2));
  Moment moment;
  moment.sleep_up_to(milliseconds(60));
  const int64_t killed = ranks.kill(victim);
  ranks.expect_same_report(gossRemoteError, killed, {victim});
  ranks.expect_clean_end(kPromise, {victim});
  const std::string text = ranks.report(victim == 0 ? 1 : 0).text;
  EXPECT_THAT(text, HasSubstr(ranks.death_of(victim)));
  EXPECT_THAT(text, ContainsRegex(kLastSeen));
}

INSTANTIATE_TEST_SUITE_P(Death, EveryIndexTest, ::testing::ValuesIn(every_index()),
                         [](const auto& test) {
                           return "n" + std::to_string(test.param.n) + "rank" +
                                  std::to_string(test.param.victim);
                         });

// Long enough that most deaths come in the middle of a call.
void compress_until_failure(Rank& rank) {
  if (rank.failed(rank.join())) std::exit(3);
  std::vector<float> x(500'000, 1.0f);
  gossCollConfig_t config = GOSS_COLL_CONFIG_INITIALIZER;
  constexpr const char* kCodecs[] = {"int8+direct", "int4+ring", "int8+oneshot"};
  for (;; rank.report.rounds += 1) {
    config.codec = kCodecs[rank.report.rounds % 3];
    if (rank.failed(gossAllReduceConfig(x.data(), x.data(), x.size(), gossFloat, gossAvg, rank.comm,
                                        nullptr, &config))) {
      abort_and_exit(rank);
    }
  }
}

TEST(DeathTest, InACompressedCallIsReportedByAll) {
  for (int victim : {0, 2}) {
    Ranks ranks(3, compress_until_failure);
    ASSERT_TRUE(ranks.all_complete(2));
    Moment moment;
    moment.sleep_up_to(milliseconds(60));
    const int64_t killed = ranks.kill(victim);
    ranks.expect_same_report(gossRemoteError, killed, {victim});
    ranks.expect_clean_end(kPromise, {victim});
    EXPECT_THAT(ranks.report(1).text, HasSubstr(ranks.death_of(victim)));
  }
}

TEST(DeathTest, TwoKilledAtOnceAreReportedAsOneByAll) {
  const int times = test_scale(6, 2);
  for (int i = 0; i < times; ++i) {
    const int a = i % 4;
    const int b = (i * 3 + 1) % 4 == a ? (a + 1) % 4 : (i * 3 + 1) % 4;
    SCOPED_TRACE("victims " + std::to_string(a) + " and " + std::to_string(b));
    Ranks ranks(4, work_until_failure);
    ASSERT_TRUE(ranks.all_complete(2));
    Moment moment;
    moment.sleep_up_to(milliseconds(40));
    const int64_t killed = ranks.kill(a);
    ranks.kill(b);
    ranks.expect_same_report(gossRemoteError, killed, {a, b});
    ranks.expect_clean_end(kPromise, {a, b});
    int survivor = 0;
    while (survivor == a || survivor == b) ++survivor;
    EXPECT_THAT(std::string(ranks.report(survivor).text),
                ::testing::AnyOf(HasSubstr(ranks.death_of(a)), HasSubstr(ranks.death_of(b))));
  }
}

TEST(DeathTest, OneSurvivorOfEightLeaves) {
  Ranks ranks(8, work_until_failure);
  ASSERT_TRUE(ranks.all_complete(2));
  const int64_t killed = ranks.kill(0);
  for (int r = 1; r < 7; ++r) ranks.kill(r);
  ranks.expect_same_report(gossRemoteError, killed, {0, 1, 2, 3, 4, 5, 6});
  ranks.expect_clean_end(kPromise, {0, 1, 2, 3, 4, 5, 6});
}

// The child holds copies of whatever the dead rank had open.
TEST(DeathTest, RankWithASleepingForkedChildIsReported) {
  support::LifeLine life_line;
  for (int victim : {0, 1}) {
    Ranks ranks(3, [&](Rank& rank) {
      if (rank.failed(rank.join())) std::exit(3);
      if (rank.rank == victim) {
        const pid_t helper = ::fork();
        if (helper == 0) {
          life_line.cut();
          life_line.wait();
          ::_exit(0);
        }
        rank.report.helper = helper;
      }
      life_line.cut();
      MixedWork work(&rank);
      rank.failed(work.run());
      abort_and_exit(rank);
    });
    ASSERT_TRUE(ranks.all_complete(2));
    const int64_t killed = ranks.kill(victim);
    ranks.expect_same_report(gossRemoteError, killed, {victim});
    ranks.expect_clean_end(kPromise, {victim});
    EXPECT_THAT(std::string(ranks.report(2).text), HasSubstr(ranks.death_of(victim)));
    EXPECT_EQ(::kill(ranks.report(victim).helper, 0), 0) << "the child was to outlive its parent";
  }
}

TEST(DeathTest, RankKilledWhileStoppedIsReported) {
  Ranks ranks(3, work_until_failure);
  ASSERT_TRUE(ranks.all_complete(2));
  ranks.process(1).send(SIGSTOP);
  support::sleep_for(milliseconds(150));
  EXPECT_EQ(ranks.report(0).failed_at, 0) << ranks.report(0).text;
  const int64_t killed = ranks.kill(1);
  ranks.expect_same_report(gossRemoteError, killed, {1});
  ranks.expect_clean_end(kPromise, {1});
  EXPECT_THAT(std::string(ranks.report(0).text), HasSubstr(ranks.death_of(1)));
}

// Nobody is inside a call: the failure shows in the state and in the next call.
TEST(DeathTest, IdleRanksHearOfADeath) {
  Ranks ranks(3, [](Rank& rank) {
    if (rank.failed(rank.join())) std::exit(3);
    rank.expect(gossBarrier(rank.comm, nullptr) == gossSuccess);
    rank.reach(1);
    gossResult_t state = gossSuccess;
    support::eventually(kPatience, [&] {
      return gossCommGetAsyncError(rank.comm, &state) != gossSuccess || state != gossSuccess;
    });
    rank.failed(state);
    rank.second(gossBarrier(rank.comm, nullptr));
    abort_and_exit(rank);
  });
  ASSERT_TRUE(ranks.all_reach(1));
  const int64_t killed = ranks.kill(2);
  ranks.expect_same_report(gossRemoteError, killed, {2});
  ranks.expect_clean_end(kPromise, {2});
  EXPECT_THAT(std::string(ranks.report(0).text), HasSubstr("last seen after barrier #1"));
  for (int r : {0, 1}) {
    EXPECT_EQ(ranks.report(r).second_code, gossRemoteError);
    EXPECT_STREQ(ranks.report(r).second_text, ranks.report(0).text);
  }
}

std::string content_of(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

TEST(DeathTest, LastSixtyFourOperationsAreWrittenWhereGossDumpSays) {
  const support::TemporaryDirectory directory;
  Ranks ranks(3, [&](Rank& rank) {
    ::setenv("GOSS_DUMP", (directory.path() + "/last").c_str(), 1);
    ::setenv("GOSS_LOG_FILE", (directory.path() + "/log").c_str(), 1);
    gossConfig_t config = GOSS_CONFIG_INITIALIZER;
    config.commName = "model";
    if (rank.failed(rank.join(&config))) std::exit(3);
    for (int i = 0; i < 100; ++i) {
      rank.expect(gossBarrier(rank.comm, nullptr) == gossSuccess);
    }
    rank.reach(1);
    if (rank.rank == 2) support::sleep_for(kPatience);
    float x[5] = {};
    rank.failed(gossAllReduce(x, x, 5, gossFloat, gossMin, rank.comm, nullptr));
    abort_and_exit(rank);
  });
  ASSERT_TRUE(ranks.all_reach(1));
  support::sleep_for(milliseconds(20));
  ranks.kill(2);
  ranks.expect_clean_end(kPatience, {2});
  for (int r : {0, 1}) {
    const std::string suffix = std::to_string(ranks.process(r).pid()) + "." + std::to_string(r);
    const std::string text = content_of(directory.path() + "/last." + suffix);
    EXPECT_THAT(text, HasSubstr(ranks.report(r).text));
    EXPECT_THAT(text, HasSubstr("'model', rank " + std::to_string(r) + " of 3"));
    EXPECT_THAT(text, ContainsRegex("#38 barrier.* completed\n"));
    EXPECT_THAT(text, ContainsRegex("#101 all_reduce\\(count 5, float, min.* not completed\n"));
    EXPECT_THAT(text, ::testing::Not(HasSubstr("#37 ")));
    EXPECT_THAT(content_of(directory.path() + "/log"), HasSubstr(text));
  }
}

// A busy stream must not hide that another one waits for the dead.
TEST(DeathTest, StreamThatWaitsBesideABusyStreamHearsOfADeath) {
  Ranks ranks(3, [](Rank& rank) {
    if (rank.failed(rank.join())) std::exit(3);
    gossComm_t pair = nullptr;
    gossCommSplit(rank.comm, rank.rank < 2 ? 0 : GOSS_SPLIT_NOCOLOR, rank.rank, &pair, nullptr);
    if (rank.rank == 2) {
      rank.reach(1);
      support::sleep_for(kPatience);
      std::exit(4);
    }
    gossStream_t waits = nullptr;
    gossStream_t busy = nullptr;
    rank.expect(gossStreamCreate(&waits) == gossSuccess);
    rank.expect(gossStreamCreate(&busy) == gossSuccess);
    rank.expect(gossBarrier(rank.comm, waits) == gossSuccess);
    rank.reach(1);
    std::vector<float> x(64);
    gossEvent_t batches[2] = {nullptr, nullptr};
    for (gossEvent_t& batch : batches) rank.expect(gossEventCreate(&batch) == gossSuccess);
    // Always one batch ahead, so that the busy stream never runs dry.
    for (int i = 0; gossStreamQuery(waits) == gossInProgress; ++i) {
      for (int k = 0; k < 64; ++k) {
        gossAllReduce(x.data(), x.data(), x.size(), gossFloat, gossSum, pair, busy);
      }
      gossEventRecord(batches[i % 2], busy);
      gossEventSynchronize(batches[(i + 1) % 2]);
    }
    rank.failed(gossStreamQuery(waits));
    gossCommAbort(pair);
    gossStreamDestroy(busy);
    gossStreamDestroy(waits);
    abort_and_exit(rank);
  });
  ASSERT_TRUE(ranks.all_reach(1));
  support::sleep_for(milliseconds(100));
  const int64_t killed = ranks.kill(2);
  ranks.expect_same_report(gossRemoteError, killed, {2});
  ranks.expect_clean_end(kPromise, {2});
}

// A program that ends without gossCommDestroy has not failed: who has its data is not disturbed.
TEST(DeathTest, ExitWithoutDestroyAfterTheWorkDisturbsNobody) {
  for (int leaver : {0, 1, 2}) {
    Ranks ranks(3, [&](Rank& rank) {
      if (rank.failed(rank.join())) std::exit(3);
      std::vector<int32_t> x(1024, rank.rank);
      rank.expect(gossAllReduce(x.data(), x.data(), 2, gossInt32, gossSum, rank.comm, nullptr) ==
                  gossSuccess);
      if (rank.rank != leaver) {
        rank.wait_for_go(1);  // the leaver has long gone
      }
      // The root may return, and exit, before the others have called.
      if (rank.failed(gossBcast(x.data(), x.size(), gossInt32, leaver, rank.comm, nullptr))) {
        std::exit(4);
      }
      rank.expect(x[1023] == leaver);
      if (rank.rank == leaver) std::exit(0);
      if (rank.failed(gossCommDestroy(rank.comm))) std::exit(5);
      std::exit(0);
    });
    ASSERT_TRUE(ranks.process(leaver).ended_within(kPatience));
    support::sleep_for(milliseconds(50));
    ranks.board().go = 1;
    ranks.expect_clean_end(kPatience);
    for (int r = 0; r < 3; ++r) {
      EXPECT_EQ(ranks.report(r).code, gossSuccess) << "rank " << r << ": " << ranks.report(r).text;
      EXPECT_EQ(ranks.report(r).wrong, 0) << "rank " << r;
    }
  }
}

// But who still needs it learns that it has gone.
TEST(DeathTest, ExitWithoutDestroyIsReportedByThoseWhoWaitForIt) {
  Ranks ranks(3, [](Rank& rank) {
    if (rank.failed(rank.join())) std::exit(3);
    rank.expect(gossBarrier(rank.comm, nullptr) == gossSuccess);
    rank.reach(1);
    if (rank.rank == 1) {
      rank.wait_for_go(1);
      std::exit(0);
    }
    rank.failed(gossBarrier(rank.comm, nullptr));
    abort_and_exit(rank);
  });
  ASSERT_TRUE(ranks.all_reach(1));
  support::sleep_for(milliseconds(20));
  const int64_t released = now_ns();
  ranks.board().go = 1;
  ranks.expect_same_report(gossRemoteError, released, {1});
  ranks.expect_clean_end(kPromise);
  EXPECT_THAT(std::string(ranks.report(0).text), HasSubstr("rank 1 (host "));
}

}  // namespace
}  // namespace goss::faults
