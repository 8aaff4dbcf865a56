// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "collectives/partition.h"

#include <gtest/gtest.h>

namespace goss::collectives {
namespace {

TEST(Partition, CoversEveryElementExactlyOnceInOrder) {
  for (int parts : {1, 2, 3, 7, 8, 33, 1024}) {
    for (size_t unit : {1, 2, 8, 16, 64}) {
      for (size_t count : {0, 1, 2, 6, 7, 8, 13, 63, 64, 65, 1021, 4099, 100'000}) {
        const Partition partition(count, parts, unit);
        size_t next = 0;
        for (int part = 0; part < parts; ++part) {
          ASSERT_EQ(partition.begin(part), next) << "count=" << count << ",parts=" << parts;
          next += partition.size(part);
        }
        ASSERT_EQ(next, count) << "parts=" << parts << ",unit=" << unit;
      }
    }
  }
}

TEST(Partition, BeginsEveryNonEmptyPartOnAMultipleOfTheUnit) {
  for (size_t count : {1, 17, 1000, 4097}) {
    const Partition partition(count, 5, 16);
    for (int part = 0; part < 5; ++part) {
      EXPECT_TRUE(partition.size(part) == 0 || partition.begin(part) % 16 == 0) << part;
    }
  }
}

TEST(Partition, HasPartsThatDifferByLessThanAUnitPerPart) {
  const Partition partition(1000, 8, 1);
  for (int part = 0; part < 8; ++part) EXPECT_EQ(partition.size(part), 125u);
  const Partition ragged(1001, 8, 4);  // 128 each, the last what is left
  for (int part = 0; part < 7; ++part) EXPECT_EQ(ragged.size(part), 128u);
  EXPECT_EQ(ragged.size(7), 105u);
}

TEST(Partition, LeavesPartsEmptyWhenThereAreFewerElementsThanParts) {
  const Partition partition(3, 8, 1);
  for (int part = 0; part < 8; ++part) EXPECT_EQ(partition.size(part), part < 3 ? 1u : 0u);
}

TEST(Partition, OfNothingIsEmpty) {
  const Partition partition(0, 4, 16);
  for (int part = 0; part < 4; ++part) EXPECT_EQ(partition.size(part), 0u);
}

}  // namespace
}  // namespace goss::collectives
