// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "transport/messages/recent.h"

#include <gtest/gtest.h>

namespace goss::transport {
namespace {

TEST(Recent, KeepsTheLastOnes) {
  Recent recent(3);
  for (const uint64_t number : {1, 2, 3, 1, 4}) recent.insert(number);
  EXPECT_FALSE(recent.contains(1));
  EXPECT_TRUE(recent.contains(2) && recent.contains(3) && recent.contains(4));
  EXPECT_EQ(recent.size(), 3U);
}

}  // namespace
}  // namespace goss::transport
