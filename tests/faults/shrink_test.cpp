// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Ranks that are killed again and again: the survivors shrink and go on with right results, and new
// processes take the places of the dead.
#include <algorithm>

#include "faults/ranks.h"

namespace goss::faults {
namespace {

// Shrink to whoever is left, however many die meanwhile.
gossResult_t shrink_to_survivors(gossComm_t* comm) {
  for (;;) {
    int lost[kMaxRanks];
    int count = 0;
    gossResult_t result = gossCommGetLostRanks(*comm, lost, kMaxRanks, &count);
    if (result != gossSuccess) return result;
    if (count == 0) continue;  // what failed was seen by another rank; this one hears of it soon
    gossComm_t smaller = nullptr;
    result = gossCommShrink(*comm, lost, count, &smaller, nullptr, GOSS_SHRINK_ABORT);
    if (result == gossRemoteError) continue;
    if (result != gossSuccess) return result;
    result = gossCommDestroy(*comm);
    *comm = smaller;
    return result;
  }
}

// One sum of many or of a few numbers, checked against the number of ranks. The last number says
// whether any rank has heard that it is enough, so that all end after the same sum.
gossResult_t checked_sum(Rank& rank, uint64_t round, bool* enough) {
  const size_t count = round % 3 == 0 ? 200'000 : 100;
  int nranks = 0;
  int self = 0;
  gossResult_t result = gossCommCount(rank.comm, &nranks);
  if (result == gossSuccess) result = gossCommUserRank(rank.comm, &self);
  if (result != gossSuccess) return result;
  const auto value = [round](size_t i) { return static_cast<int32_t>(i % 7 + round % 5); };
  std::vector<int32_t> x(count + 1);
  for (size_t i = 0; i < count; ++i) x[i] = (self + 1) * value(i);
  x[count] = rank.board.go;
  result = gossAllReduce(x.data(), x.data(), x.size(), gossInt32, gossSum, rank.comm, nullptr);
  if (result != gossSuccess) return result;
  const int factor = nranks * (nranks + 1) / 2;
  bool right = true;
  for (size_t i = 0; i < count; ++i) right &= x[i] == factor * value(i);
  rank.expect(right);
  *enough = x[count] > 0;
  return gossSuccess;
}

// Until the test says that it is enough. A rank's stage is how often it has shrunk.
void sum_and_shrink(Rank& rank) {
  if (rank.failed(rank.join())) std::exit(3);
  int shrunk = 0;
  bool enough = false;
  for (uint64_t round = 0; !enough; ++round) {
    const gossResult_t result = checked_sum(rank, round, &enough);
    if (result == gossSuccess) {
      rank.report.rounds = rank.report.rounds + 1;
      continue;
    }
    if (result != gossRemoteError && rank.failed(result)) std::exit(4);
    if (rank.failed(shrink_to_survivors(&rank.comm))) std::exit(5);
    rank.reach(++shrunk);
    round = static_cast<uint64_t>(shrunk) * 1'000'000;  // some had come one round further
  }
  if (rank.failed(gossCommDestroy(rank.comm))) std::exit(6);
  std::exit(0);
}

// All but the `dead` have shrunk and sum again.
void expect_going_on(Ranks& ranks, int stage, const std::vector<int>& dead) {
  for (int r = 0; r < ranks.size(); ++r) {
    if (std::find(dead.begin(), dead.end(), r) != dead.end()) continue;
    const Report& report = ranks.report(r);
    ASSERT_TRUE(support::eventually(kPatience, [&] { return report.stage >= stage; }))
        << "rank " << r << " after " << dead.size() << " deaths: " << report.text;
    const uint64_t rounds = report.rounds;
    ASSERT_TRUE(support::eventually(kPatience, [&] { return report.rounds > rounds + 3; }))
        << "rank " << r << " after " << dead.size() << " deaths: " << report.text;
    EXPECT_EQ(report.wrong, 0) << "rank " << r;
  }
}

TEST(ShrinkTest, SurvivorsOfKillAfterKillGoOnWithRightSums) {
  const int jobs = test_scale(8, 1);
  for (int job = 0; job < jobs; ++job) {
    Ranks ranks(kMaxRanks, sum_and_shrink);
    ASSERT_TRUE(ranks.all_complete(2));
    Moment moment;
    SCOPED_TRACE("seed " + std::to_string(moment.seed()) + ", job " + std::to_string(job));
    std::vector<int> dead;
    while (static_cast<int>(dead.size()) + 1 < kMaxRanks) {
      moment.sleep_up_to(milliseconds(15));
      dead.push_back((job + static_cast<int>(dead.size()) * 3) % kMaxRanks);
      const int64_t killed = ranks.kill(dead.back());
      expect_going_on(ranks, static_cast<int>(dead.size()), dead);
      if (HasFatalFailure()) return;
      EXPECT_LE(ms_between(killed, now_ns()), 3 * kPromise.count());
    }
    ranks.board().go = 1;
    ranks.expect_clean_end(kPatience, dead);
  }
}

// Two die at once, or one while the others are shrinking.
TEST(ShrinkTest, ADeathDuringAShrinkIsOneMore) {
  const int times = test_scale(10, 2);
  for (int i = 0; i < times; ++i) {
    Ranks ranks(5, sum_and_shrink);
    ASSERT_TRUE(ranks.all_complete(2));
    Moment moment;
    SCOPED_TRACE("seed " + std::to_string(moment.seed()));
    const int first = i % 5;
    const int second = (i + 1 + i % 3) % 5;
    ranks.kill(first);
    moment.sleep_up_to(milliseconds(i % 2 == 0 ? 1 : 12));
    ranks.kill(second);
    expect_going_on(ranks, 1, {first, second});
    if (HasFatalFailure()) return;
    ranks.board().go = 1;
    ranks.expect_clean_end(kPatience, {first, second});
  }
}

// A rank that joins a running job in place of a dead one: the survivors shrink, then grow.
void replace_the_dead(Rank& rank) {
  const int last = rank.n - 1;
  gossComm_t grown = nullptr;
  if (rank.rank == last) {  // comes later, as a process that knows nothing of the job
    if (!rank.wait_for_go(1)) std::exit(7);
    if (rank.failed(gossCommGrow(nullptr, last, &rank.board.id, last - 1, &grown, nullptr),
                    grown)) {
      std::exit(8);
    }
  } else {
    Rank first(rank.rank, last, &rank.board);
    if (rank.failed(first.join())) std::exit(3);
    rank.comm = first.comm;
    bool enough = false;
    uint64_t round = 0;
    gossResult_t result = gossSuccess;
    while (result == gossSuccess) {
      result = checked_sum(rank, round++, &enough);
      rank.report.rounds = round;
    }
    if (result != gossRemoteError) std::exit(4);
    if (rank.failed(shrink_to_survivors(&rank.comm))) std::exit(5);
    int self = -1;
    if (rank.failed(gossCommUserRank(rank.comm, &self))) std::exit(6);
    if (self == 0) {
      if (rank.failed(gossCommGetUniqueId(rank.comm, &rank.board.id))) std::exit(7);
      rank.board.go = 1;
    }
    const gossUniqueId* id = self == 0 ? &rank.board.id : nullptr;
    if (rank.failed(gossCommGrow(rank.comm, last, id, -1, &grown, nullptr))) std::exit(8);
    if (rank.failed(gossCommDestroy(rank.comm))) std::exit(9);
  }
  rank.comm = grown;
  bool ignored = false;
  for (uint64_t round = 0; round < 50; ++round) {
    if (rank.failed(checked_sum(rank, round, &ignored))) std::exit(10);
  }
  rank.reach(1);
  if (rank.failed(gossCommFinalize(grown)) || rank.failed(gossCommDestroy(grown))) std::exit(11);
  std::exit(0);
}

TEST(ShrinkTest, ANewProcessTakesThePlaceOfADeadOne) {
  const int times = test_scale(6, 1);
  for (int i = 0; i < times; ++i) {
    constexpr int kProcesses = 5;  // four ranks, and one that replaces a dead one
    Ranks ranks(kProcesses, replace_the_dead);
    for (int r = 0; r + 1 < kProcesses; ++r) {
      ASSERT_TRUE(support::eventually(kPatience, [&] { return ranks.report(r).rounds > 2; }));
    }
    const int victim = i % (kProcesses - 1);
    ranks.kill(victim);
    for (int r = 0; r < kProcesses; ++r) {
      if (r == victim) continue;
      ASSERT_TRUE(support::eventually(kPatience, [&] { return ranks.report(r).stage == 1; }))
          << "rank " << r << ": " << ranks.report(r).text;
      EXPECT_EQ(ranks.report(r).wrong, 0) << "rank " << r;
    }
    ranks.expect_clean_end(kPatience, {victim});
  }
}

}  // namespace
}  // namespace goss::faults
