// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "topology/cpu_set.h"

#include <gtest/gtest.h>

#include <string>

namespace goss::topology {
namespace {

TEST(CpuSet, IsWrittenAsRanges) {
  EXPECT_EQ(CpuSet().text(), "none");
  CpuSet set = CpuSet::range(0, 3);
  set.add(8);
  set.add(64);
  set.add(65);
  EXPECT_EQ(set.text(), "0-3,8,64-65");
  EXPECT_EQ(set.count(), 7);
  EXPECT_EQ(set.first(), 0);
  EXPECT_EQ(CpuSet().first(), -1);
}

TEST(CpuSet, IsTheSameHoweverLongItsMaskWas) {
  EXPECT_EQ(CpuSet::from_mask(std::string("\x05\x00\x80", 3)).text(), "0,2,23");
  EXPECT_EQ(CpuSet::from_mask(std::string("\x05", 1) + std::string(127, '\0')),
            CpuSet::from_mask(std::string("\x05", 1)));
  EXPECT_TRUE(CpuSet::from_mask(std::string(128, '\0')).empty());
}

TEST(CpuSet, KnowsWhatItSharesWithAnother) {
  const CpuSet low = CpuSet::range(0, 99);
  const CpuSet high = CpuSet::range(90, 200);
  EXPECT_EQ((low & high).text(), "90-99");
  EXPECT_EQ((low | high).text(), "0-200");
  EXPECT_TRUE(low.intersects(high));
  EXPECT_FALSE(low.includes(high));
  EXPECT_TRUE(low.includes(CpuSet::range(64, 99)));
  EXPECT_TRUE(low.includes(CpuSet()));
  EXPECT_FALSE(CpuSet().intersects(low));
  EXPECT_TRUE((low & CpuSet::range(100, 101)).empty());
  EXPECT_FALSE(low.contains(100));
  EXPECT_FALSE(low.contains(-1));
}

}  // namespace
}  // namespace goss::topology
