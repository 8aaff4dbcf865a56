// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "collectives/gossip_alive.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

namespace goss::collectives {
namespace {

TEST(AliveSet, NumbersTheLivingInRankOrder) {
  for (const int n : {1, 2, 63, 64, 65, 128, 200, 4096}) {
    AliveSet alive = AliveSet::all(n);
    EXPECT_EQ(alive.size(), n);
    std::set<int> expected;
    for (int r = 0; r < n; ++r) {
      if (r % 3 == 1 && n > 2) {
        alive = alive.without(r);
      } else {
        expected.insert(r);
      }
    }
    ASSERT_EQ(alive.size(), static_cast<int>(expected.size()));
    int position = 0;
    for (const int rank : expected) {
      ASSERT_EQ(alive.rank_at(position), rank) << "n=" << n;
      ASSERT_EQ(alive.position(rank), position) << "n=" << n;
      ++position;
    }
    for (int r = 0; r < n; ++r) ASSERT_EQ(alive.contains(r), expected.count(r) == 1);
  }
}

TEST(AliveSet, IsTheSameHoweverItWasReached) {
  const AliveSet all = AliveSet::all(100);
  const AliveSet there_and_back = all.without(70).without(3).with(70).with(3);
  EXPECT_EQ(there_and_back, all);
  EXPECT_EQ(there_and_back.hash(), all.hash());
  EXPECT_EQ(all.without(3).without(3), all.without(3));
  EXPECT_EQ(all.with(3), all);
  const int some[] = {99, 0, 64, 63};
  EXPECT_EQ(AliveSet::of(100, some).take().rank_at(1), 63);
}

TEST(AliveSet, HashesDifferentSetsDifferently) {
  std::set<uint64_t> hashes;
  for (int n = 1; n <= 130; ++n) {
    const AliveSet all = AliveSet::all(n);
    EXPECT_TRUE(hashes.insert(all.hash()).second) << n;
    for (int r = 0; r < n; r += 7) EXPECT_TRUE(hashes.insert(all.without(r).hash()).second) << n;
  }
}

TEST(AliveSet, RefusesWhatIsNoSetOfRanks) {
  const int twice[] = {1, 2, 1};
  EXPECT_EQ(AliveSet::of(4, twice).status().message(),
            "alive set of 4 ranks: rank 1 is named twice");
  const int outside[] = {1, 4};
  EXPECT_EQ(AliveSet::of(4, outside).status().message(),
            "alive set of 4 ranks: there is no rank 4");
  const int negative[] = {-1};
  EXPECT_FALSE(AliveSet::of(4, negative).ok());
  EXPECT_FALSE(AliveSet::of(4, {}).ok());
  EXPECT_FALSE(AliveSet::of(0, {}).ok());
}

}  // namespace
}  // namespace goss::collectives
