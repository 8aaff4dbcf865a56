// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Properties of every gossip schedule as messages: all topologies, n = 1..65 and some up to 4,096,
// with rotation, with dead ranks, in several periods. T2 of the specification, first half of T12.
#include "collectives/gossip.h"

#include <gmock/gmock.h>

#include <map>
#include <set>
#include <tuple>

#include "gossip_cases.h"

namespace goss::collectives {
namespace {

std::vector<int> some_sizes() {
  std::vector<int> sizes{100, 255, 256, 257, 1000, 4095, 4096};
  for (int n = 1; n <= 65; ++n) sizes.push_back(n);
  return sizes;
}

std::vector<uint64_t> some_steps(const GossipSchedule& schedule) {
  std::vector<uint64_t> steps;
  const auto period = static_cast<uint64_t>(schedule.period());
  for (uint64_t s = 0; s < 2 * period; ++s) steps.push_back(s);
  for (uint64_t s = 0; s < period; ++s) steps.push_back(1'000'000 * period + s);
  return steps;
}

// Everybody's messages of one round agree: each send is received once by the rank that it names.
void expect_matched(const GossipSchedule& schedule, uint64_t step, int round) {
  const AliveSet& alive = schedule.alive();
  std::map<std::pair<int, int>, int> open;  // from, to
  int receives = 0;
  for (int p = 0; p < alive.size(); ++p) {
    const GossipAt at{step, alive.rank_at(p), round};
    const Exchange exchange = schedule.exchange(at);
    for (int i = 0; i < exchange.sends; ++i) {
      const int to = schedule.send_peer(at, i);
      ASSERT_TRUE(to >= 0 && to < alive.nranks() && alive.contains(to)) << to;
      ASSERT_NE(to, at.rank);
      ASSERT_EQ(++open[std::make_pair(at.rank, to)], 1) << at.rank << " sends twice to " << to;
    }
    receives += exchange.receives;
  }
  ASSERT_EQ(receives, static_cast<int>(open.size()));
  for (int p = 0; p < alive.size(); ++p) {
    const GossipAt at{step, alive.rank_at(p), round};
    for (int i = 0; i < schedule.exchange(at).receives; ++i) {
      const int from = schedule.receive(at, i).peer;
      ASSERT_EQ(open.erase(std::make_pair(from, at.rank)), 1u)
          << "rank " << at.rank << " waits for rank " << from << ", which does not send";
    }
  }
}

// Rows sum to one: the parts are positive and make up the total.
void expect_whole(const GossipSchedule& schedule, uint64_t step, int round) {
  const AliveSet& alive = schedule.alive();
  for (int p = 0; p < alive.size(); ++p) {
    const GossipAt at{step, alive.rank_at(p), round};
    const Exchange exchange = schedule.exchange(at);
    int parts = exchange.own_parts;
    ASSERT_GE(parts, 0);
    for (int i = 0; i < exchange.receives; ++i) {
      const Incoming in = schedule.receive(at, i);
      ASSERT_GT(in.parts, 0);
      parts += in.parts;
    }
    ASSERT_EQ(parts, exchange.total_parts) << "rank " << at.rank;
  }
}

void expect_consistent(const GossipSchedule& schedule) {
  for (const uint64_t step : some_steps(schedule)) {
    for (int round = 0; round < schedule.rounds(); ++round) {
      expect_matched(schedule, step, round);
      expect_whole(schedule, step, round);
      if (testing::Test::HasFatalFailure()) return;
    }
  }
}

TEST(GossipSchedule, EverySendHasItsReceiveAndPartsMakeAWhole) {  // T2
  for (const int n : some_sizes()) {
    for (const GossipCase& c : gossip_cases(n)) {
      SCOPED_TRACE(c.name + ",n=" + std::to_string(n));
      expect_consistent(make_gossip(c.options, AliveSet::all(n)));
      if (HasFatalFailure()) return;
    }
  }
}

TEST(GossipSchedule, OfTheLivingNamesOnlyTheLiving) {
  for (const int n : {5, 8, 16, 17, 33}) {
    for (int dead = 1; dead < n; dead += 3) {
      AliveSet alive = AliveSet::all(n);
      for (int i = 0; i < dead; ++i) alive = alive.without((i * 7 + 2) % n);
      for (const GossipCase& c : gossip_cases(n)) {
        Result<GossipSchedule> schedule = GossipSchedule::create(c.options, alive);
        if (!schedule.ok()) {  // a list may fall apart, and says so; nothing else does
          ASSERT_EQ(c.options.topology, Topology::kCustom);
          continue;
        }
        SCOPED_TRACE(c.name + ",n=" + std::to_string(n) + ",dead=" + std::to_string(dead));
        expect_consistent(schedule.value());
        if (HasFatalFailure()) return;
      }
    }
  }
}

TEST(GossipSchedule, OfPairsIsAnInvolution) {  // T2: the hypercube's matrices are projections
  for (const int n : some_sizes()) {
    for (const GossipCase& c : gossip_cases(n)) {
      const GossipSchedule schedule = make_gossip(c.options, AliveSet::all(n));
      if (schedule.topology() != Topology::kHypercube &&
          schedule.topology() != Topology::kRandomPair) {
        continue;
      }
      for (const uint64_t step : some_steps(schedule)) {
        for (int r = 0; r < n; ++r) {
          if (schedule.exchange({step, r}).idle()) continue;
          const int partner = schedule.send_peer({step, r}, 0);
          ASSERT_EQ(schedule.receive({step, r}, 0).peer, partner);
          ASSERT_EQ(schedule.send_peer({step, partner}, 0), r) << c.name << ",n=" << n;
        }
      }
    }
  }
}

TEST(GossipSchedule, OfOneRankExchangesNothing) {  // T12
  for (const GossipCase& c : gossip_cases(1)) {
    const GossipSchedule schedule = make_gossip(c.options, AliveSet::all(1));
    EXPECT_GE(schedule.period(), 1);
    for (uint64_t step = 0; step < 4; ++step) {
      EXPECT_TRUE(schedule.exchange({step, 0}).idle()) << c.name;
    }
  }
}

TEST(GossipSchedule, OfTwoRanksSendsToWhomItReceivesFrom) {  // T12
  for (const GossipCase& c : gossip_cases(2)) {
    const GossipSchedule schedule = make_gossip(c.options, AliveSet::all(2));
    for (uint64_t step = 0; step < 4; ++step) {
      for (int r = 0; r < 2; ++r) {
        const Exchange exchange = schedule.exchange({step, r});
        EXPECT_EQ(exchange.sends, 1) << c.name;
        EXPECT_EQ(exchange.receives, 1) << c.name;
        EXPECT_EQ(2 * exchange.own_parts, exchange.total_parts) << c.name;
        EXPECT_EQ(schedule.send_peer({step, r}, 0), 1 - r) << c.name;
        EXPECT_EQ(schedule.receive({step, r}, 0).peer, 1 - r) << c.name;
      }
    }
  }
}

TEST(GossipSchedule, HasThePeersOfTheTextbook) {
  const GossipSchedule cube = make_gossip(Topology::kHypercube, 8);
  EXPECT_EQ(cube.period(), 3);
  EXPECT_EQ(cube.send_peer({0, 5}, 0), 4);
  EXPECT_EQ(cube.send_peer({1, 5}, 0), 7);
  EXPECT_EQ(cube.send_peer({2, 5}, 0), 1);
  EXPECT_EQ(cube.send_peer({3, 5}, 0), 4);
  const GossipSchedule spread = make_gossip(Topology::kDissemination, 6);
  EXPECT_EQ(spread.period(), 3);
  EXPECT_EQ(spread.send_peer({2, 5}, 0), 3);
  EXPECT_EQ(spread.receive({2, 1}, 0).peer, 3);
  const GossipSchedule radix = make_gossip(Topology::kMixedRadix, 12);  // 2 * 2 * 3
  EXPECT_EQ(radix.period(), 3);
  EXPECT_EQ(radix.exchange({2, 1}).sends, 2);
  EXPECT_EQ(radix.send_peer({2, 1}, 0), 5);
  EXPECT_EQ(radix.send_peer({2, 1}, 1), 9);
  const GossipSchedule fold = make_gossip(Topology::kFold, 6);
  EXPECT_EQ(fold.period(), 1);
  EXPECT_EQ(fold.rounds(), 4);
  EXPECT_EQ(fold.send_peer({0, 5, 0}, 0), 1);
  EXPECT_EQ(fold.exchange({0, 5, 0}).receives, 0);
  EXPECT_EQ(fold.exchange({0, 0, 2}).own_parts, 4);  // ranks 0, 1, 4 and 5 of 6
  EXPECT_EQ(fold.exchange({0, 0, 2}).total_parts, 6);
  EXPECT_EQ(fold.exchange({0, 5, 3}).own_parts, 0);
}

int sends_per_period(const GossipSchedule& schedule, int rank) {
  int sends = 0;
  for (int step = 0; step < schedule.period(); ++step) {
    for (int round = 0; round < schedule.rounds(); ++round) {
      sends += schedule.exchange({static_cast<uint64_t>(step), rank, round}).sends;
    }
  }
  return sends;
}

int sum_of_prime_factors_less_one(int n) {
  int sum = 0;
  for (int p = 2; n > 1; ++p) {
    for (; n % p == 0; n /= p) sum += p - 1;
  }
  return sum;
}

struct Bounds {
  int least;
  int most;
};

// Messages sent by one rank in one period. Skips, idle ranks and the ends of a fold send fewer.
Bounds expected_sends(const GossipSchedule& schedule) {
  const int n = schedule.alive().size();
  const bool whole = (n & (n - 1)) == 0;
  switch (schedule.topology()) {
    case Topology::kHypercube: return {whole ? schedule.period() : 0, schedule.period()};
    case Topology::kDissemination: return {schedule.period(), schedule.period()};
    case Topology::kRandomPair: return {n % 2 == 0 ? 1 : 0, 1};
    case Topology::kRing: return n == 2 ? Bounds{1, 1} : Bounds{2, 2};
    case Topology::kMixedRadix: {
      const int sends = sum_of_prime_factors_less_one(n);
      return {sends, sends};
    }
    case Topology::kFold:
      return whole ? Bounds{schedule.rounds(), schedule.rounds()}
                   : Bounds{1, schedule.rounds() - 1};
    case Topology::kCustom: return {1, 2};
  }
  return {};
}

TEST(GossipSchedule, SendsAsManyMessagesPerPeriodAsItsFormulaSays) {  // messages of T11
  for (const int n : some_sizes()) {
    if (n == 1) continue;
    for (const GossipCase& c : gossip_cases(n)) {
      const GossipSchedule schedule = make_gossip(c.options, AliveSet::all(n));
      const Bounds expected = expected_sends(schedule);
      for (const int rank : {0, n / 2, n - 1}) {
        const int sends = sends_per_period(schedule, rank);
        EXPECT_GE(sends, expected.least) << c.name << ",n=" << n << ",rank=" << rank;
        EXPECT_LE(sends, expected.most) << c.name << ",n=" << n << ",rank=" << rank;
      }
    }
  }
}

TEST(GossipSchedule, BecomesDisseminationWhenTheLivingAreNoPowerOfTwo) {
  GossipOptions options;
  const AliveSet eight = AliveSet::all(8);
  const GossipSchedule before = make_gossip(options, eight);
  EXPECT_EQ(before.topology(), Topology::kHypercube);
  const GossipSchedule after = before.remapped(eight.without(3)).take();
  EXPECT_EQ(after.topology(), Topology::kDissemination);
  EXPECT_EQ(after.remapped(eight).take().topology(), Topology::kHypercube);
  EXPECT_EQ(after.remapped(eight.without(0).without(1).without(2).without(5)).take().topology(),
            Topology::kHypercube);

  options.hypercube_skips = true;
  EXPECT_EQ(make_gossip(options, eight.without(3)).topology(), Topology::kHypercube);
}

TEST(GossipSchedule, ChangesPartnersAtPeriodsOnlyAndTheSameOnEveryRank) {
  GossipOptions options;
  options.rotate = true;
  const GossipSchedule rotated = make_gossip(options, AliveSet::all(16));
  const GossipSchedule again = make_gossip(options, AliveSet::all(16));
  // Within a period the partners are those of one cube: phases commute.
  for (uint64_t period = 0; period < 20; ++period) {
    for (int r = 0; r < 16; ++r) {
      const auto partner = [&](int rank, uint64_t k) {
        return rotated.send_peer({4 * period + k, rank}, 0);
      };
      for (uint64_t k = 1; k < 4; ++k) {
        EXPECT_EQ(partner(partner(r, 0), k), partner(partner(r, k), 0));
      }
      EXPECT_EQ(partner(r, 0), again.send_peer({4 * period, r}, 0));
    }
  }
  options.seed = 7;
  const GossipSchedule other = make_gossip(options, AliveSet::all(16));
  int differ = 0;
  for (int r = 0; r < 16; ++r) {
    differ += other.send_peer({0, r}, 0) != rotated.send_peer({0, r}, 0);
  }
  EXPECT_GT(differ, 0);
}

TEST(GossipSchedule, WithRotationEverybodyMeetsEverybody) {
  for (const Topology topology :
       {Topology::kHypercube, Topology::kDissemination, Topology::kRandomPair}) {
    const int n = 16;
    const GossipSchedule schedule = make_gossip(topology, n, true);
    std::set<std::pair<int, int>> met;
    for (uint64_t step = 0; step < 400; ++step) {
      for (int r = 0; r < n; ++r) met.insert({r, schedule.send_peer({step, r}, 0)});
    }
    EXPECT_EQ(met.size(), static_cast<size_t>(n * (n - 1))) << topology_name(topology);
  }
}

TEST(GossipSchedule, IsGlobalEverySoManySteps) {
  GossipOptions options;
  options.global_every = 48;
  const GossipSchedule schedule = make_gossip(options, AliveSet::all(4));
  int globals = 0;
  for (uint64_t step = 0; step < 480; ++step) {
    if (!schedule.is_global(step)) continue;
    ++globals;
    EXPECT_EQ(step % 48, 47u);
    for (int r = 0; r < 4; ++r) EXPECT_TRUE(schedule.exchange({step, r}).idle());
  }
  EXPECT_EQ(globals, 10);
  EXPECT_FALSE(make_gossip(Topology::kHypercube, 4).is_global(47));
}

TEST(GossipSchedule, SaysWhereTheNextPeriodBegins) {
  const GossipSchedule schedule = make_gossip(Topology::kDissemination, 5);  // 3 steps
  for (const auto& [step, next] : {std::pair{0, 3}, {1, 3}, {2, 3}, {3, 6}, {300, 303}}) {
    EXPECT_EQ(schedule.next_boundary(static_cast<uint64_t>(step)), static_cast<uint64_t>(next));
  }
}

TEST(GossipSchedule, RefusesCustomListsThatLeaveGroupsApart) {
  GossipOptions options;
  options.topology = Topology::kCustom;
  options.custom = {{1, 0, 3, 2}};
  EXPECT_THAT(GossipSchedule::create(options, AliveSet::all(4)).status().message(),
              testing::HasSubstr("nothing of rank 0 ever reaches rank 2"));
  options.custom.push_back({0, 2, 1, 3});
  EXPECT_TRUE(GossipSchedule::create(options, AliveSet::all(4)).ok());
  // The path 0-1-2-3 breaks without rank 1.
  EXPECT_FALSE(GossipSchedule::create(options, AliveSet::all(4).without(1)).ok());
  EXPECT_TRUE(GossipSchedule::create(options, AliveSet::all(4).without(0)).ok());
}

TEST(GossipSchedule, RefusesBadOptionsAndNobody) {
  GossipOptions options;
  options.staleness = 3;
  EXPECT_FALSE(GossipSchedule::create(options, AliveSet::all(4)).ok());
  EXPECT_EQ(GossipSchedule::create(GossipOptions{}, AliveSet::all(1).without(0)).status().message(),
            "gossip: none of the 1 ranks is alive");
}

}  // namespace
}  // namespace goss::collectives
