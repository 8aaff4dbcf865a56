// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Gossip schedules against the closed forms. T1, T2, T4 and T12 of the specification.
#include "collectives/gossip_matrix.h"

#include <cmath>
#include <numbers>
#include <numeric>
#include <random>

#include "gossip_cases.h"
#include "support/test_scale.h"

namespace goss::collectives {
namespace {

using Vector = std::vector<double>;

uint64_t length(const GossipSchedule& schedule) { return static_cast<uint64_t>(schedule.period()); }

// Largest element of |product of one period's matrices - J|.
double distance_from_mean(const GossipSchedule& schedule, uint64_t first) {
  const auto n = static_cast<size_t>(schedule.alive().nranks());
  double largest = 0;
  for (size_t sender = 0; sender < n; ++sender) {
    Vector x(n, 0);
    x[sender] = 1;
    for (uint64_t s = first; s < first + length(schedule); ++s) apply_mixing(schedule, s, x);
    for (const double value : x) {
      largest = std::max(largest, std::abs(value - 1.0 / static_cast<double>(n)));
    }
  }
  return largest;
}

TEST(GossipMatrix, OfEveryStepHasRowsAndColumnsThatSumToOne) {  // T2
  for (int n = 1; n <= 65; ++n) {
    for (const GossipCase& c : gossip_cases(n)) {
      const GossipSchedule schedule = make_gossip(c.options, AliveSet::all(n));
      const auto size = static_cast<size_t>(n);
      for (uint64_t step = 0; step < length(schedule); ++step) {
        const Vector w = mixing_matrix(schedule, step);
        for (size_t i = 0; i < size; ++i) {
          double row = 0, column = 0;
          for (size_t j = 0; j < size; ++j) {
            ASSERT_GE(w[i * size + j], 0);
            row += w[i * size + j];
            column += w[j * size + i];
          }
          ASSERT_NEAR(row, 1, 1e-12) << c.name << ",n=" << n << ",step=" << step;
          ASSERT_NEAR(column, 1, 1e-12) << c.name << ",n=" << n << ",step=" << step;
        }
      }
    }
  }
}

TEST(GossipMatrix, OfPairsIsItsOwnSquareAndSymmetric) {  // T2
  for (const int n : {2, 5, 8, 13, 16}) {
    for (const GossipCase& c : gossip_cases(n)) {
      const GossipSchedule schedule = make_gossip(c.options, AliveSet::all(n));
      if (schedule.topology() != Topology::kHypercube) continue;
      const auto size = static_cast<size_t>(n);
      const Vector w = mixing_matrix(schedule, 1);
      for (size_t i = 0; i < size; ++i) {
        for (size_t j = 0; j < size; ++j) {
          double square = 0;
          for (size_t k = 0; k < size; ++k) square += w[i * size + k] * w[k * size + j];
          ASSERT_EQ(square, w[i * size + j]);
          ASSERT_EQ(w[i * size + j], w[j * size + i]);
        }
      }
    }
  }
}

TEST(GossipMatrix, OfAPeriodIsTheMeanForPowersOfTwo) {  // T1
  for (const int n : {1, 2, 4, 8, 16, 32, 64}) {
    for (const Topology topology : {Topology::kHypercube, Topology::kDissemination}) {
      for (const bool rotate : {false, true}) {
        const GossipSchedule schedule = make_gossip(topology, n, rotate);
        for (const uint64_t period : {0, 1, 77}) {
          EXPECT_LE(distance_from_mean(schedule, period * length(schedule)), 1e-12)
              << topology_name(topology) << ",n=" << n;
        }
        EXPECT_EQ(contraction(schedule), 0);
        EXPECT_LE(computed_contraction(schedule, 0), 1e-12);
      }
    }
  }
}

TEST(GossipMatrix, WithoutRotationIsTheMeanOverAnyConsecutiveSteps) {  // T1: phases commute
  for (const Topology topology : {Topology::kHypercube, Topology::kDissemination}) {
    for (const uint64_t first : {1, 2, 5}) {
      EXPECT_LE(distance_from_mean(make_gossip(topology, 16), first), 1e-12);
    }
  }
}

TEST(GossipMatrix, OfMixedRadixAndFoldIsTheMeanForEveryNumberOfRanks) {
  for (int n = 1; n <= 65; ++n) {
    for (const Topology topology : {Topology::kMixedRadix, Topology::kFold}) {
      for (const bool rotate : {false, true}) {
        const GossipSchedule schedule = make_gossip(topology, n, rotate);
        EXPECT_LE(distance_from_mean(schedule, 0), 1e-12)
            << topology_name(topology) << ",n=" << n << ",rotate=" << rotate;
        EXPECT_EQ(contraction(schedule), 0);
      }
    }
  }
}

TEST(GossipMatrix, OfLargeSchedulesSpreadsOneRankEvenly) {
  for (const int n : {256, 1000, 1024, 3000, 4095, 4096}) {
    for (const Topology topology : {Topology::kHypercube, Topology::kMixedRadix, Topology::kFold}) {
      if (topology == Topology::kHypercube && (n & (n - 1)) != 0) continue;
      const GossipSchedule schedule = make_gossip(topology, n, true);
      Vector x(static_cast<size_t>(n), 0);
      x[static_cast<size_t>(n / 3)] = n;
      for (uint64_t s = 0; s < length(schedule); ++s) apply_mixing(schedule, s, x);
      for (const double value : x) ASSERT_NEAR(value, 1, 1e-12) << topology_name(topology) << n;
    }
  }
}

TEST(GossipMatrix, OfDisseminationShrinksByItsClosedForm) {  // T1: n = 3..65 that are no powers
  for (int n = 3; n <= 65; ++n) {
    if ((n & (n - 1)) == 0) continue;
    const GossipSchedule schedule = make_gossip(Topology::kDissemination, n);
    const GossipSchedule rotated = make_gossip(Topology::kDissemination, n, true);
    EXPECT_NEAR(computed_contraction(schedule, 0), contraction(schedule), 1e-9) << "n=" << n;
    EXPECT_NEAR(computed_contraction(rotated, 5 * length(rotated)), contraction(rotated), 1e-9);
    EXPECT_LE(contraction(schedule), 0.25 + 1e-12);
  }
}

double norm(const Vector& x) {
  return std::sqrt(std::inner_product(x.begin(), x.end(), x.begin(), 0.0));
}

// The matrices are circulant, so each Fourier mode shrinks by its own factor.
TEST(GossipMatrix, OfLargeCirculantSchedulesShrinksEveryModeByItsClosedForm) {
  for (const int n : {66, 100, 257, 1000, 3000, 4095, 4096}) {
    const GossipSchedule spread = make_gossip(Topology::kDissemination, n);
    const GossipSchedule ring = make_gossip(Topology::kRing, n);
    const double hops = std::ldexp(1.0, spread.period());
    for (const int j : {1, 2, n / 3, n / 2, n - 1}) {
      Vector mode;
      for (int r = 0; r < n; ++r) mode.push_back(std::cos(2 * std::numbers::pi * j * r / n));
      const double before = norm(mode);
      Vector x = mode;
      for (uint64_t s = 0; s < length(spread); ++s) apply_mixing(spread, s, x);
      const double theta = std::numbers::pi * j / n;
      const double expected = std::abs(std::sin(hops * theta)) / (hops * std::sin(theta));
      ASSERT_NEAR(norm(x) / before, expected, 1e-12) << "n=" << n << ",j=" << j;
      ASSERT_LE(expected, contraction(spread) + 1e-12);
      x = mode;
      apply_mixing(ring, 0, x);
      ASSERT_NEAR(norm(x) / before, std::abs(1 + 2 * std::cos(2 * theta)) / 3, 1e-12);
    }
  }
}

TEST(GossipMatrix, OfLargeSchedulesKeepsEqualModelsAndTheMean) {  // T2
  for (const int n : {66, 100, 255, 256, 1000, 4095, 4096}) {
    for (const GossipCase& c : gossip_cases(n)) {
      const GossipSchedule schedule = make_gossip(c.options, AliveSet::all(n));
      Vector rows(static_cast<size_t>(n), 1), columns = rows;
      for (uint64_t step = 0; step < length(schedule); ++step) {
        apply_mixing(schedule, step, rows);
        apply_transposed_mixing(schedule, step, columns);
      }
      for (const double sum : rows) ASSERT_NEAR(sum, 1, 1e-12) << c.name << ",n=" << n;
      for (const double sum : columns) ASSERT_NEAR(sum, 1, 1e-12) << c.name << ",n=" << n;
    }
  }
}

TEST(GossipMatrix, OfDisseminationHasTheTabulatedRates) {
  const std::pair<int, double> table[] = {{3, .250},  {5, .202},  {6, .217},  {7, .125},
                                          {9, .118},  {10, .192}, {12, .209}, {14, .122},
                                          {20, .190}, {24, .207}, {31, .031}, {33, .031},
                                          {48, .207}, {63, .016}, {65, .016}};
  for (const auto& [n, rho] : table) {
    EXPECT_NEAR(contraction(make_gossip(Topology::kDissemination, n)), rho, 6e-4) << "n=" << n;
  }
  double worst = 0;
  for (int n = 101; n <= 4096; ++n) {
    worst = std::max(worst, contraction(make_gossip(Topology::kDissemination, n)));
  }
  EXPECT_NEAR(worst, 0.2172, 1e-3);
}

TEST(GossipMatrix, OfARingShrinksByItsClosedForm) {
  for (int n = 2; n <= 65; ++n) {
    const GossipSchedule schedule = make_gossip(Topology::kRing, n);
    EXPECT_NEAR(computed_contraction(schedule, 0), contraction(schedule), 1e-6) << "n=" << n;
  }
  for (const auto& [n, rate] : {std::pair{8, .805}, {16, .949}, {32, .987}, {64, .997}}) {
    EXPECT_NEAR(contraction(make_gossip(Topology::kRing, n)), rate, 6e-4);
  }
}

TEST(GossipMatrix, OfRandomPairsShrinksTheSquareByItsExpectation) {
  std::mt19937 random(1);
  std::normal_distribution<double> normal;
  for (const int n : {3, 4, 7, 8, 16, 33}) {
    const GossipSchedule schedule = make_gossip(Topology::kRandomPair, n);
    const int steps = test_scale(20'000, 4000);
    double ratio = 0;
    for (int step = 0; step < steps; ++step) {
      Vector x(static_cast<size_t>(n));
      for (double& value : x) value = normal(random);
      const double mean = std::accumulate(x.begin(), x.end(), 0.0) / n;
      const auto squares = [&] {
        double sum = 0;
        for (const double value : x) sum += (value - mean) * (value - mean);
        return sum;
      };
      const double before = squares();
      apply_mixing(schedule, static_cast<uint64_t>(step), x);
      ratio += squares() / before / steps;
    }
    EXPECT_NEAR(ratio, std::pow(contraction(schedule), 2), 0.02) << "n=" << n;
  }
}

TEST(GossipMatrix, OfTheHypercubeWithSkipsIsSlow) {
  GossipOptions options;
  options.hypercube_skips = true;
  for (const auto& row : {std::pair{5, .73}, {6, .64}, {9, .82}, {12, .71}, {33, .89}}) {
    const int n = row.first;
    const double rate = row.second;
    const GossipSchedule schedule = make_gossip(options, AliveSet::all(n));
    // The rate is what is left after many periods; the norm of one period bounds it from above.
    Vector x(static_cast<size_t>(n), 0);
    x[static_cast<size_t>(n - 1)] = 1;
    double before = 0, after = 0;
    const auto deviation = [&] {
      double sum = 0;
      for (const double value : x) sum += std::pow(value - 1.0 / n, 2);
      return std::sqrt(sum);
    };
    constexpr uint64_t kPeriods = 12;
    for (uint64_t step = 0; step < kPeriods * length(schedule); ++step) {
      if (step == (kPeriods - 1) * length(schedule)) before = deviation();
      apply_mixing(schedule, step, x);
    }
    after = deviation();
    EXPECT_NEAR(std::pow(after / before, 1.0 / schedule.period()), rate, .011) << "n=" << n;
    EXPECT_GE(contraction(schedule), after / before - 1e-9) << "n=" << n;
    EXPECT_LT(contraction(schedule), 1) << "n=" << n;
  }
}

// By hand for 5 ranks: after two phases ranks 0 to 3 hold their mean m, rank 4 its own e; the third
// phase makes (m + e) / 2 of ranks 0 and 4, so m - e becomes 3/8 of itself.
TEST(GossipMatrix, OfFiveRanksWithSkipsLeavesThreeEighths) {
  GossipOptions options;
  options.hypercube_skips = true;
  const GossipSchedule schedule = make_gossip(options, AliveSet::all(5));
  Vector x{1, 1, 1, 1, 0};
  for (uint64_t step = 0; step < 6; ++step) {
    apply_mixing(schedule, step, x);
    if (step == 1) EXPECT_EQ(x[0] - x[4], 1);
    if (step == 4) EXPECT_EQ(x[0] - x[4], 3.0 / 8);
  }
}

TEST(GossipMatrix, LeavesTheDeadAloneAndAveragesTheLiving) {
  AliveSet alive = AliveSet::all(11).without(0).without(4).without(9);  // 8 are left
  const GossipSchedule schedule = make_gossip(GossipOptions{}, alive);
  Vector x(11);
  std::iota(x.begin(), x.end(), 0.0);
  for (uint64_t step = 0; step < 3; ++step) apply_mixing(schedule, step, x);
  for (int r = 0; r < 11; ++r) {
    EXPECT_EQ(x[static_cast<size_t>(r)], alive.contains(r) ? 42.0 / 8 : r) << r;
  }
}

TEST(GossipMatrix, OfAGlobalStepIsTheMean) {
  GossipOptions options;
  options.topology = Topology::kRing;
  options.global_every = 5;
  const GossipSchedule schedule = make_gossip(options, AliveSet::all(6));
  for (const double value : mixing_matrix(schedule, 4)) EXPECT_NEAR(value, 1.0 / 6, 1e-15);
  EXPECT_EQ(mixing_matrix(schedule, 3)[3], 0);
}

TEST(GossipMatrix, TransposedIsTheTranspose) {
  for (const int n : {5, 8}) {
    for (const GossipCase& c : gossip_cases(n)) {
      const GossipSchedule schedule = make_gossip(c.options, AliveSet::all(n));
      const auto size = static_cast<size_t>(n);
      const Vector w = mixing_matrix(schedule, 0);
      for (size_t i = 0; i < size; ++i) {
        Vector x(size, 0);
        x[i] = 1;
        apply_transposed_mixing(schedule, 0, x);
        for (size_t j = 0; j < size; ++j) EXPECT_NEAR(x[j], w[i * size + j], 1e-15) << c.name;
      }
    }
  }
}

TEST(GossipMatrix, SaysHowManyStepsADisagreementNeeds) {
  EXPECT_EQ(steps_to_shrink(make_gossip(Topology::kHypercube, 8), 1e-6), 3u);
  EXPECT_EQ(steps_to_shrink(make_gossip(Topology::kDissemination, 3), 1.0 / 16), 4u);
  EXPECT_EQ(steps_to_shrink(make_gossip(Topology::kDissemination, 3), 1.0 / 17), 6u);
  EXPECT_EQ(steps_to_shrink(make_gossip(Topology::kHypercube, 8), 1), 0u);
}

TEST(GossipMatrix, IsPrintedAsWhoGivesWhatToWhom) {
  EXPECT_EQ(describe(make_gossip(GossipOptions{}, AliveSet::all(5).without(3)), 1),
            "hypercube, step 1, 4 of 5 ranks alive\n"
            "  rank 0: keeps 1/2, to rank 2, 1/2 of rank 2\n"
            "  rank 1: keeps 1/2, to rank 4, 1/2 of rank 4\n"
            "  rank 2: keeps 1/2, to rank 0, 1/2 of rank 0\n"
            "  rank 4: keeps 1/2, to rank 1, 1/2 of rank 1\n");
  EXPECT_EQ(describe(make_gossip(Topology::kFold, 3), 0),
            "fold, step 0, 3 of 3 ranks alive\n"
            "  rank 0 round 0: keeps 1/2, 1/2 of rank 2\n"
            "  rank 0 round 1: keeps 2/3, to rank 1, 1/3 of rank 1\n"
            "  rank 0 round 2: keeps 1/1, to rank 2\n"
            "  rank 1 round 0: idle\n"
            "  rank 1 round 1: keeps 1/3, to rank 0, 2/3 of rank 0\n"
            "  rank 1 round 2: idle\n"
            "  rank 2 round 0: keeps 1/1, to rank 0\n"
            "  rank 2 round 1: idle\n"
            "  rank 2 round 2: keeps 0/1, 1/1 of rank 0\n");
  GossipOptions options;
  options.global_every = 2;
  EXPECT_EQ(describe(make_gossip(options, AliveSet::all(2)), 1),
            "hypercube, step 1, 2 of 2 ranks alive\n  all-reduce\n");
}

// The stationary disagreement under noise of variance 1 per rank and step, mean over ranks and
// time.
double stationary_variance(const GossipSchedule& schedule, bool adapt_first, int steps) {
  const int n = schedule.alive().size();
  std::mt19937 random(7);
  std::normal_distribution<double> normal;
  Vector x(static_cast<size_t>(n), 0);
  double sum = 0;
  for (int step = 0; step < steps; ++step) {
    Vector noise(x.size());
    for (double& value : noise) value = normal(random);
    if (!adapt_first) apply_mixing(schedule, static_cast<uint64_t>(step), x);
    for (size_t i = 0; i < x.size(); ++i) x[i] += noise[i];
    if (adapt_first) apply_mixing(schedule, static_cast<uint64_t>(step), x);
    const double mean = std::accumulate(x.begin(), x.end(), 0.0) / n;
    for (const double value : x) sum += (value - mean) * (value - mean) / n / steps;
  }
  return sum;
}

TEST(GossipMatrix, UnderNoiseKeepsTheDisagreementOfItsClosedForm) {  // T4
  constexpr double kN = 8, kLog = 3;
  for (const Topology topology : {Topology::kHypercube, Topology::kDissemination}) {
    const GossipSchedule schedule = make_gossip(topology, 8);
    const int steps = test_scale(40'000, 10'000);
    const double adapt_then_combine = 1 - 1 / kN - kLog / kN;
    const double combine_then_adapt = 2 - 2 / kN - kLog / kN;
    EXPECT_NEAR(stationary_variance(schedule, true, steps), adapt_then_combine,
                0.05 * adapt_then_combine);
    EXPECT_NEAR(stationary_variance(schedule, false, steps), combine_then_adapt,
                0.05 * combine_then_adapt);
  }
}

}  // namespace
}  // namespace goss::collectives
