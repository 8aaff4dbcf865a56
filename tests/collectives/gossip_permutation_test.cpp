// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "collectives/gossip_permutation.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <vector>

namespace goss::collectives {
namespace {

std::vector<int> image(uint64_t seed, uint64_t counter, int n) {
  const Permutation permutation(seed, counter, n);
  std::vector<int> values;
  for (int i = 0; i < n; ++i) values.push_back(permutation.forward(i));
  return values;
}

TEST(Permutation, IsABijectionAndKnowsItsInverse) {
  for (const int n : {1, 2, 3, 4, 5, 7, 8, 9, 31, 32, 33, 100, 1000, 4095, 4096}) {
    for (uint64_t counter = 0; counter < 5; ++counter) {
      const Permutation permutation(1, counter, n);
      std::vector<int> values = image(1, counter, n);
      for (int i = 0; i < n; ++i) {
        ASSERT_EQ(permutation.backward(values[static_cast<size_t>(i)]), i) << "n=" << n;
      }
      std::sort(values.begin(), values.end());
      for (int i = 0; i < n; ++i) ASSERT_EQ(values[static_cast<size_t>(i)], i) << "n=" << n;
    }
  }
}

TEST(Permutation, DependsOnSeedAndCounter) {
  EXPECT_NE(image(1, 0, 100), image(2, 0, 100));
  EXPECT_NE(image(1, 0, 100), image(1, 1, 100));
  EXPECT_EQ(image(1, 7, 100), image(1, 7, 100));
}

// Ranks on different machines compute their peers by themselves: these numbers must never change.
TEST(Permutation, IsTheSameOnEveryMachine) {
  EXPECT_EQ(image(2403, 0, 8), (std::vector<int>{1, 6, 7, 5, 4, 2, 3, 0}));
  EXPECT_EQ(image(2403, 1, 5), (std::vector<int>{2, 3, 1, 0, 4}));
}

// Every value in every place, about equally often: 4 standard deviations around the mean.
TEST(Permutation, SpreadsEveryPlaceEvenly) {
  for (const int n : {2, 3, 4, 5, 8, 16}) {
    constexpr int kDraws = 20'000;
    std::map<std::pair<int, int>, int> seen;
    for (uint64_t counter = 0; counter < kDraws; ++counter) {
      const std::vector<int> values = image(5, counter, n);
      for (int i = 0; i < n; ++i) ++seen[{i, values[static_cast<size_t>(i)]}];
    }
    const double mean = double{kDraws} / n;
    const double slack = 4.5 * std::sqrt(mean * (1 - 1.0 / n));
    ASSERT_EQ(seen.size(), static_cast<size_t>(n * n));
    for (const auto& [place, times] : seen) {
      EXPECT_NEAR(times, mean, slack) << "n=" << n << ", " << place.first << "->" << place.second;
    }
  }
}

}  // namespace
}  // namespace goss::collectives
