// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "collectives/gossip_membership.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <set>

namespace goss::collectives {
namespace {

TEST(Membership, BeginsWithEverybody) {
  const Membership all(5);
  EXPECT_EQ(all.living(), 5);
  EXPECT_EQ(all.alive().take(), AliveSet::all(5));
  EXPECT_EQ(all.epoch(), 0u);
}

TEST(Membership, GoesBackAndForthByVersions) {
  Membership m(4);
  EXPECT_TRUE(m.suspect(2));
  EXPECT_FALSE(m.suspect(2)) << "twice is once";
  EXPECT_FALSE(m.is_alive(2));
  EXPECT_EQ(m.alive().take(), AliveSet::all(4).without(2));
  EXPECT_TRUE(m.admit(2));
  EXPECT_FALSE(m.admit(2));
  EXPECT_TRUE(m.is_alive(2));
  EXPECT_EQ(m.epoch(), 2u);
  EXPECT_NE(m.hash(), Membership(4).hash())
      << "a returned rank is another than one that never left";
}

// A rank that was only stopped hears of its death and contradicts; the old suspicion, which still
// travels, does not kill it again.
TEST(Membership, LetsARankContradict) {
  Membership accuser(3), accused(3), third(3);
  accuser.suspect(1);
  const Membership rumour = accuser;
  ASSERT_TRUE(accused.merge(rumour.versions()).take());
  ASSERT_TRUE(accused.admit(1));
  ASSERT_TRUE(third.merge(accused.versions()).take());
  EXPECT_FALSE(third.merge(rumour.versions()).take());
  EXPECT_TRUE(third.is_alive(1));
  ASSERT_TRUE(accuser.merge(third.versions()).take());
  EXPECT_EQ(accuser, third);
}

TEST(Membership, IsTheSameWhateverTheOrderAndRepetitionOfNews) {
  std::mt19937 random(1);
  for (int trial = 0; trial < 200; ++trial) {
    const int n = 2 + static_cast<int>(random() % 20);
    std::vector<Membership> news;
    Membership m(n);
    for (int i = 0; i < 12; ++i) {
      const int rank = static_cast<int>(random() % static_cast<unsigned>(n));
      if (!m.suspect(rank)) m.admit(rank);
      news.push_back(m);
      if (random() % 3 == 0) m = Membership(n);  // somebody who has heard nothing begins anew
    }
    Membership expected(n);
    for (const Membership& item : news) ASSERT_TRUE(expected.merge(item.versions()).ok());
    for (int order = 0; order < 5; ++order) {
      std::shuffle(news.begin(), news.end(), random);
      Membership heard(n);
      uint64_t epoch = 0;
      for (size_t i = 0; i < 2 * news.size(); ++i) {
        const bool changed = heard.merge(news[i % news.size()].versions()).take();
        ASSERT_EQ(changed, heard.epoch() > epoch);
        epoch = heard.epoch();
      }
      ASSERT_EQ(heard, expected);
      ASSERT_EQ(heard.hash(), expected.hash());
    }
  }
}

TEST(Membership, RefusesWhatNoPeerCanMean) {
  Membership m(3);
  EXPECT_EQ(m.merge(Membership(4).versions()).status().message(),
            "membership: a peer speaks of 4 ranks, here are 3");
  const std::vector<uint32_t> damaged{0, 0x80000001u, 0};
  EXPECT_THAT(m.merge(damaged).status().message(), testing::HasSubstr("the message is damaged"));
  EXPECT_EQ(m, Membership(3));
  for (int r = 0; r < 3; ++r) m.suspect(r);
  EXPECT_EQ(m.alive().status().message(), "alive set of 3 ranks: nobody is alive");
}

}  // namespace
}  // namespace goss::collectives
