// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "engine/shrink_board.h"

#include <gtest/gtest.h>

namespace goss::engine {
namespace {

constexpr uint64_t kParent = 7;

TEST(ShrinkBoard, KnowsWhoChoseSomethingElse) {
  ShrinkBoard other;
  ShrinkBoard own;
  own.choose(kParent, {1, "2"});
  EXPECT_TRUE(own.hear(5, other.choose(kParent, {9, "3"})));
  EXPECT_EQ(own.differing(kParent, {4, 5}).rank, 5);
  EXPECT_EQ(own.differing(kParent, {4, 5}).text, "3");
  EXPECT_EQ(own.differing(kParent, {4}).rank, -1) << "not asked about";
  EXPECT_EQ(own.differing(kParent + 1, {5}).rank, -1) << "another communicator";
}

TEST(ShrinkBoard, TakesTheLatestChoiceOfARankAndKnowsAllOfItsOwn) {
  ShrinkBoard other;
  ShrinkBoard own;
  own.choose(kParent, {1, "2"});
  own.choose(kParent, {2, "2, 3"});
  own.hear(5, other.choose(kParent, {9, "3"}));
  own.hear(5, other.choose(kParent, {1, "2"}));
  EXPECT_EQ(own.differing(kParent, {5}).rank, -1) << "it is where this rank was before";
}

TEST(ShrinkBoard, LeavesOtherMessagesAlone) {
  ShrinkBoard board;
  EXPECT_FALSE(board.hear(1, ""));
  EXPECT_FALSE(board.hear(1, "shrink: short"));
  EXPECT_FALSE(board.hear(1, "another message of more than 24 bytes"));
  EXPECT_EQ(board.differing(kParent, {1}).rank, -1);
}

}  // namespace
}  // namespace goss::engine
