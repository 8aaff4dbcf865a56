// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Gossip when processes are killed or stopped: the others finish every step, nobody waits longer
// than the timeout, and what was sent to the dead comes back.
#include <gossamer/gossip.h>

#include <cmath>

#include "faults/ranks.h"
#include "support/free_port.h"

namespace goss::faults {
namespace {

constexpr int kCount = 2000;
constexpr uint64_t kSteps = 400;

struct GossipReport {
  std::atomic<uint64_t> steps{0};
  std::atomic<int64_t> longest_ns{0};  // of a call
  std::atomic<uint64_t> skipped{0};
  std::atomic<int> alive_mask{0};
  std::atomic<double> weight{1};
  std::atomic<double> account{1};
  std::atomic<int> finished{0};
};

struct GossipBoard {
  GossipReport ranks[kMaxRanks];
  std::atomic<int> stop{0};
};

gossGossipConfig_t gossip_config() {
  gossGossipConfig_t config = GOSS_GOSSIP_CONFIG_INITIALIZER;
  return config;
}

void note(const Rank& rank, gossGossip_t gossip, GossipBoard* board) {
  GossipReport& report = board->ranks[rank.rank];
  int alive[kMaxRanks] = {};
  gossGossipStats_t stats{};
  stats.size = sizeof(stats);
  gossGossipInfo_t info{};
  info.size = sizeof(info);
  if (gossGossipGetAlive(gossip, alive) != gossSuccess ||
      gossGossipGetStats(gossip, &stats) != gossSuccess ||
      gossGossipGetInfo(gossip, &info) != gossSuccess) {
    std::exit(8);
  }
  int mask = 0;
  for (int r = 0; r < rank.n; ++r) mask |= alive[r] << r;
  report.alive_mask = mask;
  report.skipped = stats.skipped;
  report.weight = info.weight;
  report.account = 1 - stats.weightSent + stats.weightReceived + stats.weightReturned;
}

// A rank's life: mixes until the step `steps`, or until the test says so; about 1 ms for each.
void gossip_life(Rank& rank, const gossGossipConfig_t& config, GossipBoard* board,
                 uint64_t steps) {
  if (rank.failed(rank.join())) std::exit(3);
  gossGossip_t gossip = nullptr;
  if (rank.failed(gossGossipCreate(&gossip, rank.comm, &config))) std::exit(4);
  std::vector<double> x(kCount, rank.rank);
  GossipReport& report = board->ranks[rank.rank];
  for (uint64_t step = 0; step < steps && board->stop == 0; ++step) {
    gossGossipInfo_t info{};
    info.size = sizeof(info);
    // A rank that was stopped goes on where the others are.
    if (gossGossipGetInfo(gossip, &info) == gossSuccess) step = std::max(step, info.newestStep);
    const int64_t before = now_ns();
    const gossResult_t code =
        gossGossipMix(x.data(), x.data(), x.size(), gossDouble, step, gossip, nullptr);
    report.longest_ns = std::max<int64_t>(report.longest_ns, now_ns() - before);
    if (rank.failed(code, nullptr)) std::exit(5);
    for (const double value : x) rank.expect(value >= 0 && value <= rank.n - 1);
    report.steps = step + 1;
    note(rank, gossip, board);
    support::sleep_for(milliseconds(1));
  }
  note(rank, gossip, board);
  report.finished = 1;
  if (gossGossipDestroy(gossip) != gossSuccess) std::exit(6);
  if (gossCommDestroy(rank.comm) != gossSuccess) std::exit(7);
  std::exit(0);
}

class GossipRanks {
 public:
  GossipRanks(int n, const gossGossipConfig_t& config, uint64_t steps)
      : ranks_(n, [this, config, steps](Rank& rank) {
          gossip_life(rank, config, &*board_, steps);
        }) {}

  GossipBoard& board() { return *board_; }
  Ranks& ranks() { return ranks_; }
  bool all_reach(uint64_t step, const std::vector<int>& except = {}) {
    return support::eventually(kPatience * 2, [&] {
      for (int r = 0; r < ranks_.size(); ++r) {
        const bool left_out = std::find(except.begin(), except.end(), r) != except.end();
        if (!left_out && board_->ranks[r].steps < step) return false;
      }
      return true;
    });
  }
  void expect_survivors(const std::vector<int>& dead, uint64_t steps, milliseconds limit) {
    ranks_.expect_clean_end(kPatience * 2, dead);
    int mask = (1 << ranks_.size()) - 1;
    for (const int r : dead) mask &= ~(1 << r);
    for (int r = 0; r < ranks_.size(); ++r) {
      if ((mask >> r & 1) == 0) continue;
      const GossipReport& report = board_->ranks[r];
      EXPECT_EQ(report.finished, 1) << "rank " << r << ": " << ranks_.report(r).text;
      EXPECT_EQ(report.steps, steps) << "rank " << r;
      EXPECT_EQ(ranks_.report(r).wrong, 0) << "rank " << r;
      EXPECT_EQ(report.alive_mask & ~mask, 0) << "rank " << r << " still counts on the dead";
      EXPECT_LE(static_cast<double>(report.longest_ns) / 1e6, limit.count()) << "rank " << r;
      EXPECT_NEAR(report.weight, report.account, 1e-12) << "rank " << r;
    }
  }

 private:
  support::Shared<GossipBoard> board_;
  Ranks ranks_;
};

TEST(GossipDeath, ThreeOfEightAreKilledAndTheRestFinishEveryStep) {
  for (const int push : {0, 1}) {
    gossGossipConfig_t config = gossip_config();
    config.pushSum = push;
    GossipRanks job(8, config, kSteps);
    ASSERT_TRUE(job.all_reach(20));
    Moment moment;
    SCOPED_TRACE("seed " + std::to_string(moment.seed()) + ", push-sum " + std::to_string(push));
    job.ranks().kill(0);
    moment.sleep_up_to(milliseconds(30));
    job.ranks().kill(5);  // partners of a pair at once
    job.ranks().kill(4);
    // A death is seen at once; far less than the timeout of ranks that do not come.
    job.expect_survivors({0, 4, 5}, kSteps, milliseconds(3000 * support::sanitizer_factor()));
    for (int r = 0; r < 8; ++r) {
      if (r == 0 || r == 4 || r == 5) continue;
      // One for each of the dead, some more while news travels.
      EXPECT_LE(job.board().ranks[r].skipped, 40u) << "rank " << r;
    }
  }
}

TEST(GossipDeath, DeterministicRanksGoOnWithoutTheDead) {
  gossGossipConfig_t config = gossip_config();
  config.deterministic = 1;
  config.globalEvery = 5;
  GossipRanks job(4, config, kSteps);
  ASSERT_TRUE(job.all_reach(10));
  job.ranks().kill(2);
  job.expect_survivors({2}, kSteps, milliseconds(3000 * support::sanitizer_factor()));
}

TEST(GossipDeath, FewerThanMinAliveStopAndSayWhy) {
  gossGossipConfig_t config = gossip_config();
  config.minAlive = 3;
  GossipRanks job(4, config, 100'000);
  ASSERT_TRUE(job.all_reach(10));
  job.ranks().kill(1);
  ASSERT_TRUE(job.all_reach(60, {1}));
  job.ranks().kill(3);
  for (const int r : {0, 2}) {
    ASSERT_TRUE(support::eventually(kPatience, [&] { return job.ranks().report(r).failed_at != 0; }));
    EXPECT_EQ(job.ranks().report(r).code, gossRemoteError);
    EXPECT_THAT(job.ranks().report(r).text, ::testing::HasSubstr("2 of 4 ranks are left"));
  }
}

TEST(GossipDeath, StoppedRankIsLeftOutAndComesBackWhenItGoesOn) {
  gossGossipConfig_t config = gossip_config();
  config.timeoutMs = 300;
  GossipRanks job(4, config, UINT64_MAX);
  ASSERT_TRUE(job.all_reach(30));
  job.ranks().process(1).send(SIGSTOP);
  GossipBoard& board = job.board();
  const auto all_but_1 = [&](int mask) {
    return board.ranks[0].alive_mask == mask && board.ranks[2].alive_mask == mask &&
           board.ranks[3].alive_mask == mask;
  };
  EXPECT_TRUE(support::eventually(kPatience, [&] { return all_but_1(0b1101); }));
  const uint64_t then = board.ranks[0].steps;
  EXPECT_TRUE(job.all_reach(then + 100, {1}));
  job.ranks().process(1).send(SIGCONT);
  EXPECT_TRUE(support::eventually(kPatience, [&] {
    return all_but_1(0b1111) && board.ranks[1].alive_mask == 0b1111;
  })) << board.ranks[0].alive_mask << ' ' << board.ranks[1].alive_mask;
  board.stop = 1;
  job.ranks().expect_clean_end(kPatience);
  for (const int r : {0, 2, 3}) {
    // The timeout, for the stopped rank or for one that waited for it.
    EXPECT_LE(static_cast<double>(board.ranks[r].longest_ns) / 1e6,
              1500.0 * support::sanitizer_factor())
        << "rank " << r;
  }
}

// mpirun ends all ranks when one dies, unless it is told not to; then it forgives them.
TEST(GossipDeath, SurvivorsFinishUnderMpirunWithEnableRecovery) {
  const char* const kMpirun = "/usr/bin/mpirun.openmpi";
  if (::access(kMpirun, X_OK) != 0) GTEST_SKIP() << kMpirun << " is not installed";
  for (const bool recovery : {true, false}) {
    const support::TemporaryDirectory finished;  // one file per rank that has
    std::vector<std::string> command{kMpirun, "-np", "4", "--oversubscribe"};
    if (recovery) command.push_back("--enable-recovery");
    command.push_back(GOSS_GOSSIP_WORKER);
    command.push_back(finished.path());
    support::Process mpirun(
        command,
        {"OMPI_ALLOW_RUN_AS_ROOT=1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1", "GOSS_SECRET=of this test",
         "GOSS_PORT=" + std::to_string(support::free_port())},
        [] {});
    ASSERT_TRUE(mpirun.ended_within(3 * kPatience)) << "mpirun does not end";
    const auto files = std::distance(std::filesystem::directory_iterator(finished.path()), {});
    if (recovery) {
      EXPECT_EQ(files, 3) << "all but rank 0 finish";
      EXPECT_EQ(mpirun.code(), 0);
    } else {
      EXPECT_NE(mpirun.code(), 0);
    }
  }
}

}  // namespace
}  // namespace goss::faults
