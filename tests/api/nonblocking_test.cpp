// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Communicators with config.blocking = 0: every call returns at once and is polled.
#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>

#include "support/ranks.h"

namespace goss::test {
namespace {

using Clock = std::chrono::steady_clock;

gossConfig_t nonblocking() {
  gossConfig_t config = default_config();
  config.blocking = 0;
  return config;
}

// The state when it is no longer in progress.
gossResult_t settle(gossComm_t comm) {
  const auto deadline = Clock::now() + std::chrono::seconds(20);
  gossResult_t state = gossInProgress;
  while (state == gossInProgress) {
    MUST(gossCommGetAsyncError(comm, &state));
    if (Clock::now() > deadline) throw std::runtime_error("still in progress after 20 s");
    ::usleep(200);
  }
  return state;
}

void settle_all(Comms* comms) {
  for (int r = 0; r < comms->size(); ++r) MUST(settle((*comms)[r]));
}

TEST(NonBlocking, IsMadeInTheBackground) {
  gossUniqueId id;
  MUST(gossGetUniqueId(&id));
  Comms comms(3);
  for (int r = 0; r < 3; ++r) {
    gossConfig_t config = nonblocking();
    // No group is needed: nothing waits.
    EXPECT_EQ(gossCommInitRankConfig(&comms[r], 3, id, r, &config), gossInProgress);
    EXPECT_NE(comms[r], nullptr) << "set at once";
    EXPECT_STREQ(gossGetLastError(comms[r]), "") << "being in the making is no failure";
    gossResult_t state = gossSuccess;
    MUST(gossCommGetAsyncError(comms[r], &state));
    EXPECT_TRUE(r == 2 || state == gossInProgress) << "rank 2 has not come";
  }
  settle_all(&comms);
}

TEST(NonBlocking, RefusesCallsWhileItIsMade) {
  gossUniqueId id;
  MUST(gossGetUniqueId(&id));
  gossConfig_t config = nonblocking();
  Comms comms(2);
  ASSERT_EQ(gossCommInitRankConfig(&comms[0], 2, id, 0, &config), gossInProgress);
  int x = 0;
  EXPECT_EQ(gossAllReduce(&x, &x, 1, gossInt, gossSum, comms[0], nullptr), gossInvalidArgument);
  EXPECT_EQ(gossBarrier(comms[0], nullptr), gossInvalidArgument);
  EXPECT_NE(std::string(gossGetLastError(comms[0])).find("before"), std::string::npos);
  ASSERT_EQ(gossCommInitRankConfig(&comms[1], 2, id, 1, &config), gossInProgress);
  settle_all(&comms);
  int rank = -1;
  MUST(gossCommUserRank(comms[1], &rank));
  EXPECT_EQ(rank, 1);
}

TEST(NonBlocking, RunsCollectivesInTheBackgroundInOrder) {
  Comms comms = make_comms(4, nonblocking());
  settle_all(&comms);
  std::vector<std::vector<int>> x(4, std::vector<int>(30'000, 1));
  for (int round = 0; round < 3; ++round) {
    for (int r = 0; r < 4; ++r) {
      auto& mine = x[static_cast<size_t>(r)];
      EXPECT_EQ(
          gossAllReduce(mine.data(), mine.data(), mine.size(), gossInt, gossSum, comms[r], nullptr),
          gossInProgress);
      EXPECT_EQ(gossBarrier(comms[r], nullptr), gossInProgress);
    }
  }
  settle_all(&comms);
  for (const auto& mine : x) {
    for (int value : mine) ASSERT_EQ(value, 64);
  }
}

TEST(NonBlocking, RunsInGroupsToo) {
  Comms comms = make_comms(2, nonblocking());
  settle_all(&comms);
  int x[2] = {3, 4};
  MUST(gossGroupStart());
  for (int r = 0; r < 2; ++r) {
    const gossResult_t code = gossAllReduce(&x[r], &x[r], 1, gossInt, gossProd, comms[r], nullptr);
    EXPECT_TRUE(code == gossSuccess || code == gossInProgress);
  }
  EXPECT_EQ(gossGroupEnd(), gossInProgress);
  settle_all(&comms);
  EXPECT_EQ(x[0] + x[1], 24);
}

TEST(NonBlocking, FinalizesInTheBackground) {
  Comms comms = make_comms(2, nonblocking());
  settle_all(&comms);
  EXPECT_EQ(gossCommFinalize(comms[0]), gossInProgress);
  gossResult_t state = gossSuccess;
  MUST(gossCommGetAsyncError(comms[0], &state));
  EXPECT_EQ(state, gossInProgress) << "the other has not finalized";
  EXPECT_EQ(gossCommFinalize(comms[1]), gossInProgress);
  settle_all(&comms);
  EXPECT_EQ(gossBarrier(comms[0], nullptr), gossInvalidUsage);
}

TEST(NonBlocking, ReportsAFailureWhenPolled) {
  Comms comms = make_comms(2, nonblocking());
  settle_all(&comms);
  int64_t x = 0;
  EXPECT_EQ(gossAllReduce(&x, &x, 1, gossInt64, gossSum, comms[0], nullptr), gossInProgress);
  EXPECT_EQ(gossBarrier(comms[1], nullptr), gossInProgress);
  EXPECT_EQ(settle(comms[0]), gossInvalidUsage);
  EXPECT_EQ(settle(comms[1]), gossInvalidUsage);
  EXPECT_NE(std::string(gossGetLastError(comms[0])).find("int64"), std::string::npos);
}

TEST(NonBlocking, SplitsInTheBackground) {
  Comms comms = make_comms(4, nonblocking());
  settle_all(&comms);
  Comms halves(4);
  for (int r = 0; r < 4; ++r) {
    EXPECT_EQ(gossCommSplit(comms[r], r / 2, 0, &halves[r], nullptr), gossInProgress);
  }
  settle_all(&comms);
  settle_all(&halves);
  for (int r = 0; r < 4; ++r) {
    int count = 0;
    int rank = -1;
    MUST(gossCommCount(halves[r], &count));
    MUST(gossCommUserRank(halves[r], &rank));
    EXPECT_EQ(count, 2);
    EXPECT_EQ(rank, r % 2);
  }
}

// A split is one more call of its parent: it waits for those before it.
TEST(NonBlocking, SplitsAfterWhatWasQueuedBefore) {
  constexpr int kRanks = 5;  // too many for the colours to travel in a line
  Comms comms = make_comms(kRanks, nonblocking());
  settle_all(&comms);
  std::vector<std::vector<int>> x(kRanks, std::vector<int>(400'000, 1));
  Comms halves(kRanks);
  const auto reduce = [&](int r) {
    auto& mine = x[static_cast<size_t>(r)];
    EXPECT_EQ(
        gossAllReduce(mine.data(), mine.data(), mine.size(), gossInt, gossSum, comms[r], nullptr),
        gossInProgress);
  };
  for (int r = 0; r < kRanks; ++r) {
    reduce(r);
    EXPECT_EQ(gossCommSplit(comms[r], r % 2, 0, &halves[r], nullptr), gossInProgress);
    reduce(r);
  }
  settle_all(&comms);
  settle_all(&halves);
  for (const auto& mine : x) {
    for (int value : mine) ASSERT_EQ(value, 25);
  }
}

// A rank without colour gets no communicator, but nothing that it does with what it got may crash.
TEST(NonBlocking, SplitsOffRanksWithoutColour) {
  Comms comms = make_comms(2, nonblocking());
  settle_all(&comms);
  Comms parts(2);
  for (int r = 0; r < 2; ++r) {
    EXPECT_EQ(gossCommSplit(comms[r], r == 0 ? 0 : GOSS_SPLIT_NOCOLOR, 0, &parts[r], nullptr),
              gossInProgress);
  }
  settle_all(&comms);
  MUST(settle(parts[0]));
  if (parts[1] == nullptr) return;
  settle(parts[1]);
  char text[100];
  gossComm_t again = nullptr;
  gossCommStats_t stats{};
  stats.size = sizeof(stats);
  EXPECT_NE(gossBarrier(parts[1], nullptr), gossSuccess);
  EXPECT_NE(gossExplain(parts[1], "barrier", 0, gossInt8, text, sizeof(text)), gossSuccess);
  EXPECT_NE(gossCommSplit(parts[1], 0, 0, &again, nullptr), gossSuccess);
  EXPECT_NE(gossCommGetStats(parts[1], &stats), gossInternalError);
}

TEST(NonBlocking, TellsInTheBackgroundWhoDidNotCome) {
  gossUniqueId id;
  MUST(gossGetUniqueId(&id));
  gossConfig_t config = nonblocking();
  config.initTimeoutMs = 300;
  Comms comms(1);
  ASSERT_EQ(gossCommInitRankConfig(&comms[0], 3, id, 1, &config), gossInProgress);
  EXPECT_EQ(settle(comms[0]), gossTimeout);
  const std::string text = gossGetLastError(comms[0]);
  EXPECT_NE(text.find("0"), std::string::npos) << text;
  EXPECT_NE(text.find("2"), std::string::npos) << text;
}

}  // namespace
}  // namespace goss::test
