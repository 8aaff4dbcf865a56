// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Ranks killed within the first milliseconds of a start-up, before, while and after they reach the
// root: every other rank blames exactly the dead one, with one code.
#include "faults/ranks.h"

namespace goss::faults {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr int kRanks = 6;
// Below the second after which the root repeats who is missing: what it says at the end must be
// true without that.
constexpr int kLimitMs = 900 * support::sanitizer_factor();

void join_and_work(Rank& rank) {
  gossConfig_t config = GOSS_CONFIG_INITIALIZER;
  config.initTimeoutMs = kLimitMs;
  if (rank.failed(rank.join(&config))) std::exit(0);  // at once: it owes nobody anything
  MixedWork work(&rank, true);
  rank.failed(work.run());
  abort_and_exit(rank);
}

// The victim died, or is the only one that the others still wait for: by then the healthy ranks
// have had far more time than they need.
void expect_blame(const Report& got, int victim, double took_ms) {
  const std::string text = got.text;
  const std::string name = "rank " + std::to_string(victim) + " ";
  EXPECT_EQ(got.wrong, 0);
  if (got.code == gossTimeout) {
    EXPECT_THAT(text, HasSubstr("still waiting for " + name + "(1 of 6)"));
    return;
  }
  EXPECT_EQ(got.code, gossRemoteError) << text;
  EXPECT_THAT(text, HasSubstr(name));
  EXPECT_THAT(text, HasSubstr("died"));
  EXPECT_THAT(text, Not(HasSubstr("still waiting")));
  EXPECT_LE(took_ms, kPromise.count()) << text;
}

TEST(StartUpDeathTest, RankKilledAsTheStartUpBeginsIsBlamedAloneByAllWithOneCode) {
  const int times = test_scale(20, 5);
  for (int i = 0; i < times; ++i) {
    const int victim = 1 + i % (kRanks - 1);
    Moment moment;
    Ranks ranks(kRanks, join_and_work);
    ASSERT_TRUE(support::eventually(kPatience, [&] { return ranks.board().id_made == 1; }));
    moment.sleep_up_to(milliseconds(6 * support::sanitizer_factor()));
    const int64_t killed = ranks.kill(victim);
    SCOPED_TRACE("victim " + std::to_string(victim) + ", seed " + std::to_string(moment.seed()));
    const Report* first = nullptr;
    for (int r = 0; r < kRanks; ++r) {
      if (r == victim) continue;
      SCOPED_TRACE("rank " + std::to_string(r));
      const Report& got = ranks.report(r);
      ASSERT_TRUE(support::eventually(kPatience, [&] { return got.failed_at != 0; }));
      expect_blame(got, victim, ms_between(killed, got.failed_at));
      if (first == nullptr) first = &got;
      EXPECT_EQ(got.code, first->code) << got.text << "\nwhile another says\n" << first->text;
    }
    ranks.expect_clean_end(kPromise, {victim});
  }
}

// Rank 0's process holds the root, and ends as soon as its own call has returned.
TEST(StartUpDeathTest, ReasonWhyTheRootsRankGivesUpReachesAllThoughItsProcessEndsAtOnce) {
  const int times = test_scale(10, 3);
  for (int i = 0; i < times; ++i) {
    Ranks ranks(4, [](Rank& rank) {
      gossConfig_t config = GOSS_CONFIG_INITIALIZER;
      config.initTimeoutMs = rank.rank == 0 ? 300 * support::sanitizer_factor() : 20'000;
      if (rank.rank == 3) {
        support::sleep_for(kPatience);
        ::_exit(0);
      }
      rank.failed(rank.join(&config));
      ::_exit(0);
    });
    for (int r = 0; r < 3; ++r) {
      const Report& got = ranks.report(r);
      ASSERT_TRUE(support::eventually(kPatience, [&] { return got.failed_at != 0; }));
      EXPECT_EQ(got.code, gossTimeout) << "rank " << r << ": " << got.text;
      EXPECT_THAT(std::string(got.text), HasSubstr("still waiting for rank 3 (1 of 4)"));
    }
  }
}

}  // namespace
}  // namespace goss::faults
