// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Ranks that are late: a warning names them, a limit makes an error of it, and a rank that was only
// stopped goes on as if nothing had happened.
#include <fstream>
#include <sstream>

#include "faults/ranks.h"

namespace goss::faults {
namespace {

using ::testing::HasSubstr;

std::string content_of(const std::string& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

TEST(LatenessTest, WarningNamesTheMissingRankAndTheOperation) {
  const support::TemporaryDirectory directory;
  Ranks ranks(3, [&](Rank& rank) {
    ::setenv("GOSS_WARN_AFTER", "200ms", 1);
    ::setenv("GOSS_LOG_FILE", (directory.path() + "/log" + std::to_string(rank.rank)).c_str(), 1);
    gossConfig_t config = GOSS_CONFIG_INITIALIZER;
    config.commName = "gradients";
    if (rank.failed(rank.join(&config))) std::exit(3);
    std::vector<float> x(1000, 1.0f);
    rank.expect(gossBarrier(rank.comm, nullptr) == gossSuccess);
    rank.reach(1);
    if (rank.rank == 2) rank.wait_for_go(1);
    rank.failed(
        gossAllReduce(x.data(), x.data(), x.size(), gossFloat, gossSum, rank.comm, nullptr));
    rank.expect(x[999] == 3.0f);
    gossCommDestroy(rank.comm);
  });
  ASSERT_TRUE(ranks.all_reach(1));
  for (int r : {0, 1}) {
    const std::string path = directory.path() + "/log" + std::to_string(r);
    EXPECT_TRUE(support::eventually(milliseconds(1500) * support::sanitizer_factor(),
                                    [&] { return !content_of(path).empty(); }))
        << "rank " << r << " has not warned";
    const std::string log = content_of(path);
    EXPECT_THAT(log, HasSubstr("gossamer warn all_reduce(count 1000, float, sum"));
    EXPECT_THAT(log, HasSubstr(" #2 of communicator 'gradients': rank " + std::to_string(r)));
    EXPECT_THAT(log, HasSubstr("waiting for rank 2 (host "));
    EXPECT_THAT(log, HasSubstr("pid " + std::to_string(ranks.process(2).pid())));
    EXPECT_THAT(log, HasSubstr("(last seen after barrier #1)"));
  }
  ranks.board().go = 1;
  ranks.expect_clean_end(kPatience);
  for (int r = 0; r < 3; ++r) {
    EXPECT_EQ(ranks.report(r).code, gossSuccess) << ranks.report(r).text;
    EXPECT_EQ(ranks.report(r).wrong, 0);
  }
  EXPECT_EQ(content_of(directory.path() + "/log2"), "") << "nobody was late for rank 2";
}

TEST(LatenessTest, WarningIsRepeatedWithBackOff) {
  const support::TemporaryDirectory directory;
  const std::string path = directory.path() + "/log";
  Ranks ranks(2, [&](Rank& rank) {
    if (rank.rank == 0) ::setenv("GOSS_LOG_FILE", path.c_str(), 1);
    gossConfig_t config = GOSS_CONFIG_INITIALIZER;
    config.warnMs = 100;
    if (rank.failed(rank.join(&config))) std::exit(3);
    rank.reach(1);
    if (rank.rank == 1) support::sleep_for(milliseconds(1200));
    rank.failed(gossBarrier(rank.comm, nullptr));
    gossCommDestroy(rank.comm);
  });
  ranks.expect_clean_end(kPatience);
  const std::string log = content_of(path);
  const auto lines = std::count(log.begin(), log.end(), '\n');
  EXPECT_GE(lines, 2) << log;  // after 100, 200, 400 and 800 ms
  EXPECT_LE(lines, 5) << log;
  EXPECT_THAT(log, HasSubstr("it has not started any operation"));
}

// How the missing rank is waited for: directly, or by the library's thread.
enum class How { kInline, kMapped, kBroadcast, kStream, kGroup };
constexpr const char* kNames[] = {"Inline", "Mapped", "Broadcast", "Stream", "Group"};

gossResult_t wait_for_all(gossComm_t comm, How how) {
  std::vector<float> x(50000, 1.0f);
  switch (how) {
    case How::kInline:
      return gossAllReduce(x.data(), x.data(), 2, gossFloat, gossSum, comm, nullptr);
    case How::kMapped:
      return gossAllReduce(x.data(), x.data(), x.size(), gossFloat, gossSum, comm, nullptr);
    case How::kBroadcast: return gossBcast(x.data(), x.size(), gossFloat, 2, comm, nullptr);
    case How::kStream: {
      gossStream_t stream = nullptr;
      gossStreamCreate(&stream);
      gossAllReduce(x.data(), x.data(), 100, gossFloat, gossSum, comm, stream);
      const gossResult_t result = gossStreamSynchronize(stream);
      gossStreamDestroy(stream);
      return result;
    }
    case How::kGroup:
      gossGroupStart();
      gossAllReduce(x.data(), x.data(), 100, gossFloat, gossSum, comm, nullptr);
      gossBarrier(comm, nullptr);
      return gossGroupEnd();
  }
  return gossInternalError;
}

class MissingTest : public ::testing::TestWithParam<How> {};

TEST_P(MissingTest, RankThatNeverArrivesIsNamedWhenTheLimitIsOver) {
  constexpr int kLimitMs = 300;
  Ranks ranks(3, [](Rank& rank) {
    gossConfig_t config = GOSS_CONFIG_INITIALIZER;
    config.timeoutMs = kLimitMs;
    if (rank.failed(rank.join(&config))) std::exit(3);
    rank.expect(gossBarrier(rank.comm, nullptr) == gossSuccess);
    rank.reach(1);
    if (rank.rank == 2) {
      rank.wait_for_go(1);
      rank.second(gossBarrier(rank.comm, nullptr));
    } else {
      rank.failed(wait_for_all(rank.comm, GetParam()));
    }
    abort_and_exit(rank);
  });
  ASSERT_TRUE(ranks.all_reach(1));
  const int64_t begin = now_ns();
  const bool told = support::eventually(
      kPatience, [&] { return ranks.report(0).failed_at != 0 && ranks.report(1).failed_at != 0; });
  ASSERT_TRUE(told) << "the limit did not end the wait";
  ranks.expect_same_report(gossTimeout, begin, {2});
  EXPECT_GE(ms_between(begin, ranks.report(0).failed_at), kLimitMs - 100);
  EXPECT_THAT(std::string(ranks.report(0).text), HasSubstr("for rank 2 (host "));
  EXPECT_THAT(std::string(ranks.report(0).text), HasSubstr(" #2 of communicator "));
  EXPECT_THAT(std::string(ranks.report(0).text), HasSubstr("last seen after barrier #1"));
  ranks.board().go = 1;
  ranks.expect_clean_end(kPatience);
  // It learns from its next call that the others have given up.
  EXPECT_EQ(ranks.report(2).second_code, gossTimeout);
  EXPECT_STREQ(ranks.report(2).second_text, ranks.report(0).text);
}

INSTANTIATE_TEST_SUITE_P(Lateness, MissingTest,
                         ::testing::Values(How::kInline, How::kMapped, How::kBroadcast,
                                           How::kStream, How::kGroup),
                         [](const auto& test) {
                           return std::string(kNames[static_cast<int>(test.param)]);
                         });

// A stream that always moves must not hide that another one has waited too long.
TEST(LatenessTest, LimitHoldsForAStreamBesideABusyOne) {
  Ranks ranks(3, [](Rank& rank) {
    gossConfig_t config = GOSS_CONFIG_INITIALIZER;
    config.timeoutMs = 300;
    if (rank.failed(rank.join(&config))) std::exit(3);
    rank.reach(1);
    if (rank.rank == 2) {
      rank.wait_for_go(1);
      std::exit(0);
    }
    gossStream_t waits = nullptr;
    gossStream_t busy = nullptr;
    rank.expect(gossStreamCreate(&waits) == gossSuccess);
    rank.expect(gossStreamCreate(&busy) == gossSuccess);
    rank.expect(gossBarrier(rank.comm, waits) == gossSuccess);
    gossEvent_t batches[2] = {nullptr, nullptr};
    for (gossEvent_t& batch : batches) rank.expect(gossEventCreate(&batch) == gossSuccess);
    for (int i = 0; gossStreamQuery(waits) == gossInProgress; ++i) {
      for (int k = 0; k < 64; ++k)
        gossStreamAddCallback(
            busy, [](void*) {}, nullptr);
      gossEventRecord(batches[i % 2], busy);
      gossEventSynchronize(batches[(i + 1) % 2]);
    }
    rank.failed(gossStreamQuery(waits));
    gossStreamDestroy(busy);
    gossStreamDestroy(waits);
    abort_and_exit(rank);
  });
  ASSERT_TRUE(ranks.all_reach(1));
  ranks.expect_same_report(gossTimeout, now_ns(), {2});
  ranks.board().go = 1;
  ranks.expect_clean_end(kPatience);
}

TEST(LatenessTest, StoppedRankIsLateAndNotDead) {
  for (int victim : {0, 1}) {
    Ranks ranks(3, work_and_leave);
    ASSERT_TRUE(ranks.all_complete(5));
    ranks.process(victim).send(SIGSTOP);
    support::sleep_for(milliseconds(1500));
    const uint64_t stood_at = ranks.report(victim).rounds;
    for (int r = 0; r < 3; ++r) {
      // Every fifth round is a barrier.
      EXPECT_LE(ranks.report(r).rounds, stood_at + 5) << "rank " << r << " was to wait";
      EXPECT_EQ(ranks.report(r).failed_at, 0) << ranks.report(r).text;
    }
    ranks.process(victim).send(SIGCONT);
    EXPECT_TRUE(ranks.all_complete(stood_at + 10));
    ranks.board().last_round = ranks.report(victim).rounds + 20;
    ranks.expect_clean_end(kPatience);
    for (int r = 0; r < 3; ++r) {
      EXPECT_EQ(ranks.report(r).code, gossSuccess) << ranks.report(r).text;
      EXPECT_EQ(ranks.report(r).wrong, 0) << "results of rank " << r;
    }
  }
}

}  // namespace
}  // namespace goss::faults
