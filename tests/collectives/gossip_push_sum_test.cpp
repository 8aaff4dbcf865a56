// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Push-sum under random delay, loss, skips and kills. T7 of the specification, as far as it needs
// no processes: mass is accounted to 1e-12.
#include "collectives/gossip_push_sum.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <map>
#include <random>

#include "gossip_cases.h"
#include "support/test_scale.h"

namespace goss::collectives {
namespace {

struct Parcel {
  int to;
  double x;
  double weight;
};

struct Trouble {
  int longest_delay = 0;  // steps; each message draws its own
  double loss = 0;        // probability
  double cancelled = 0;   // probability that the sender takes a message back
  std::vector<std::pair<uint64_t, int>> kills = {};  // step, rank
};

// Ranks with one number each, and a network that keeps, delays and loses.
class Job {
 public:
  Job(const GossipSchedule& schedule, const Trouble& trouble, uint64_t seed)
      : schedule_(schedule), trouble_(trouble), random_(seed) {
    const int n = schedule.alive().nranks();
    for (int r = 0; r < n; ++r) x_.push_back(std::sin(r * 1.7) + 3);
    ranks_.resize(x_.size());
    alive_.resize(x_.size(), true);
    for (const double x : x_) started_ += x;
  }

  void run(uint64_t steps) {
    for (uint64_t end = now_ + steps; now_ < end; ++now_) {
      for (const auto& [step, rank] : trouble_.kills) {
        if (step == now_) kill(rank);
      }
      for (size_t r = 0; r < x_.size(); ++r) {
        if (alive_[r]) send(static_cast<int>(r));
      }
      deliver(now_);
      expect_accounted();
    }
  }

  // Everything that is under way arrives.
  void flush() {
    while (!flying_.empty()) deliver(flying_.begin()->first);
    expect_accounted();
  }

  double estimate(size_t r) const { return x_[r] / ranks_[r].weight(); }
  const PushSum& rank(size_t r) const { return ranks_[r]; }
  bool alive(size_t r) const { return alive_[r]; }
  double lost_weight() const { return lost_.weight; }
  // sum of x over sum of w, over the living.
  double mean_of_living() const {
    double x = 0, w = 0;
    for (size_t r = 0; r < x_.size(); ++r) {
      if (!alive_[r]) continue;
      x += x_[r];
      w += ranks_[r].weight();
    }
    return x / w;
  }
  double spread() const {
    double low = 1e300, high = -1e300;
    for (size_t r = 0; r < x_.size(); ++r) {
      if (!alive_[r]) continue;
      low = std::min(low, estimate(r));
      high = std::max(high, estimate(r));
    }
    return high - low;
  }

 private:
  bool chance(double probability) {
    return std::uniform_real_distribution<double>(0, 1)(random_) < probability;
  }

  void send(int rank) {
    const auto me = static_cast<size_t>(rank);
    const GossipAt at{now_, rank};
    const Exchange exchange = schedule_.exchange(at);
    for (int i = 0; i < exchange.sends; ++i) {
      // What is left is in (total - i) parts: an equal share for each peer and the own one.
      const double weight = ranks_[me].send(1, exchange.total_parts - i);
      const double x = x_[me] / (exchange.total_parts - i);
      x_[me] -= x;
      const Parcel parcel{schedule_.send_peer(at, i), x, weight};
      if (chance(trouble_.cancelled)) {
        ranks_[me].take_back(weight);
        x_[me] += x;
      } else if (chance(trouble_.loss)) {
        lose(parcel);
      } else {
        const auto delay = random_() % static_cast<uint64_t>(trouble_.longest_delay + 1);
        flying_.emplace(now_ + delay, parcel);
      }
    }
  }

  void deliver(uint64_t until) {
    while (!flying_.empty() && flying_.begin()->first <= until) {
      const Parcel parcel = flying_.begin()->second;
      flying_.erase(flying_.begin());
      const auto to = static_cast<size_t>(parcel.to);
      if (!alive_[to]) {
        lose(parcel);
        continue;
      }
      ASSERT_TRUE(ranks_[to].receive(parcel.weight));
      x_[to] += parcel.x;
    }
  }

  void lose(const Parcel& parcel) {
    lost_.x += parcel.x;
    lost_.weight += parcel.weight;
  }

  void kill(int rank) {
    const auto me = static_cast<size_t>(rank);
    alive_[me] = false;
    lose({rank, x_[me], ranks_[me].weight()});
  }

  void expect_accounted() const {
    double weight = lost_.weight, x = lost_.x;
    CompensatedSum sent, received, returned;
    for (size_t r = 0; r < x_.size(); ++r) {
      sent.add(ranks_[r].account().sent.value());
      received.add(ranks_[r].account().received.value());
      returned.add(ranks_[r].account().returned.value());
      ASSERT_NEAR(ranks_[r].account().held(), ranks_[r].weight(), 1e-12);
      if (!alive_[r]) continue;
      weight += ranks_[r].weight();
      x += x_[r];
    }
    double flying = 0;
    for (const auto& [arrival, parcel] : flying_) {
      flying += parcel.weight;
      x += parcel.x;
    }
    const auto n = static_cast<double>(x_.size());
    ASSERT_NEAR((weight + flying) / n, 1, 1e-12);
    ASSERT_NEAR(x / started_, 1, 1e-12);
    // What the ranks' accounts say is missing is what flies or was lost on the way.
    double dead = 0;
    for (size_t r = 0; r < x_.size(); ++r) dead += alive_[r] ? 0 : ranks_[r].weight();
    ASSERT_NEAR(sent.value() - received.value() - returned.value(), flying + lost_.weight - dead,
                1e-12 * n);
  }

  const GossipSchedule& schedule_;
  Trouble trouble_;
  std::mt19937_64 random_;
  std::vector<double> x_;
  std::vector<PushSum> ranks_;
  std::vector<bool> alive_;
  std::multimap<uint64_t, Parcel> flying_;
  Parcel lost_{-1, 0, 0};
  double started_ = 0;
  uint64_t now_ = 0;
};

std::vector<GossipSchedule> schedules(int n) {
  std::vector<GossipSchedule> all;
  for (const GossipCase& c : gossip_cases(n)) {
    GossipOptions options = c.options;
    if (options.topology == Topology::kFold) continue;
    options.push_sum = true;
    all.push_back(make_gossip(options, AliveSet::all(n)));
  }
  return all;
}

TEST(PushSum, WithoutTroubleIsPlainMixing) {
  const GossipSchedule schedule = make_gossip(Topology::kHypercube, 8);
  Job job(schedule, {}, 1);
  const double mean = job.mean_of_living();
  job.run(3);
  for (size_t r = 0; r < 8; ++r) {
    EXPECT_EQ(job.rank(r).weight(), 1);
    EXPECT_NEAR(job.estimate(r), mean, 1e-14);
  }
}

TEST(PushSum, FindsTheMeanThroughDelays) {
  for (const int n : {2, 5, 8, 16}) {
    for (const GossipSchedule& schedule : schedules(n)) {
      Job job(schedule, {.longest_delay = 4}, 3);
      const double mean = job.mean_of_living();
      job.run(1500);  // the custom list and the ring are slow
      job.flush();
      SCOPED_TRACE(topology_name(schedule.topology()) + std::string(",n=") + std::to_string(n));
      EXPECT_NEAR(job.mean_of_living(), mean, 1e-12);
      EXPECT_LT(job.spread(), 1e-4);
      for (size_t r = 0; r < static_cast<size_t>(n); ++r) EXPECT_GT(job.rank(r).weight(), 0);
    }
  }
}

TEST(PushSum, AgreesAndAccountsWhenMessagesAreLostOrTakenBack) {
  for (const int n : {2, 6, 8}) {
    for (const GossipSchedule& schedule : schedules(n)) {
      Job job(schedule, {.longest_delay = 2, .loss = 0.01, .cancelled = 0.1}, 11);
      job.run(200);
      job.flush();
      EXPECT_GT(job.lost_weight(), 0);
      EXPECT_LT(job.spread(), 0.05) << topology_name(schedule.topology()) << ",n=" << n;
    }
  }
}

TEST(PushSum, SurvivorsAccountForTheMassOfTheDead) {  // T7
  for (uint64_t seed = 0; seed < static_cast<uint64_t>(test_scale(40, 10)); ++seed) {
    for (const Topology topology : {Topology::kHypercube, Topology::kDissemination}) {
      const GossipSchedule schedule = make_gossip(topology, 8, true);
      // Three of eight, rank 0 among them, two of them in the same step.
      Job job(schedule,
              {.longest_delay = 3, .loss = 0.01, .kills = {{20 + seed, 0}, {33, 5}, {33, 4}}},
              seed);
      job.run(60);
      job.flush();
      for (size_t r = 0; r < 8; ++r) {
        EXPECT_EQ(job.alive(r), r != 0 && r != 4 && r != 5);
        if (job.alive(r)) EXPECT_GT(job.rank(r).weight(), 0);
      }
      if (HasFatalFailure()) return;
    }
  }
}

TEST(PushSum, RefusesWeightsThatNobodyCanHaveSent) {
  PushSum sum;
  for (const double bad : {0.0, -0.5, std::nan(""), std::numeric_limits<double>::infinity()}) {
    EXPECT_FALSE(sum.receive(bad));
  }
  EXPECT_EQ(sum.weight(), 1);
  EXPECT_TRUE(sum.receive(0.25));
  EXPECT_EQ(sum.weight(), 1.25);
}

TEST(PushSum, AsksForAResetWhenTooLittleIsLeft) {
  PushSum sum;
  int steps = 0;
  for (; !sum.needs_reset(); ++steps) sum.send(1, 2);
  EXPECT_EQ(steps, 10);  // 2^-10 < 1e-3
  sum.reset();
  EXPECT_EQ(sum.weight(), 1);
  EXPECT_NEAR(sum.account().held(), 1, 1e-15);
  EXPECT_NEAR(sum.account().created.value(), 2 - std::ldexp(1.0, -10), 1e-15);
}

TEST(PushSum, AccountsKeepTheirDigitsOverManySteps) {
  PushSum sum;
  for (int i = 0; i < 3'000'000; ++i) sum.receive(sum.send(1, 3));
  EXPECT_NEAR(sum.account().held(), sum.weight(), 1e-12);
  EXPECT_GT(sum.account().sent.value(), 900'000);
}

}  // namespace
}  // namespace goss::collectives
