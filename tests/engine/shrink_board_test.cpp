// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "engine/shrink_board.h"

#include <gtest/gtest.h>

namespace goss::engine {
namespace {

constexpr uint64_t kParent = 7;

TEST(ShrinkBoard, KnowsWhoChoseSomethingElse) {
  ShrinkBoard board;
  board.choose(kParent, {1, "2"});
  board.hear(5, kParent, {9, "3"});
  EXPECT_EQ(board.differing(kParent, {4, 5}).rank, 5);
  EXPECT_EQ(board.differing(kParent, {4, 5}).text, "3");
  EXPECT_EQ(board.differing(kParent, {4}).rank, -1) << "not asked about";
  EXPECT_EQ(board.differing(kParent + 1, {5}).rank, -1) << "another communicator";
}

TEST(ShrinkBoard, TakesTheLatestChoiceOfARankAndKnowsAllOfItsOwn) {
  ShrinkBoard board;
  board.choose(kParent, {1, "2"});
  board.choose(kParent, {2, "2, 3"});
  board.hear(5, kParent, {9, "3"});
  board.hear(5, kParent, {1, "2"});
  EXPECT_EQ(board.differing(kParent, {5}).rank, -1) << "it is where this rank was before";
}

TEST(ShrinkBoard, ForgetsWhatItKnowsOfACommunicatorThatHasEnded) {
  ShrinkBoard board;
  board.hear(5, kParent, {9, "3"});
  board.hear(5, kParent + 1, {8, "4"});
  board.forget(kParent);
  EXPECT_EQ(board.differing(kParent, {5}).rank, -1);
  EXPECT_EQ(board.differing(kParent + 1, {5}).rank, 5);
}

}  // namespace
}  // namespace goss::engine
