// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "base/result.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

namespace goss {
namespace {

Result<int> half(int number) {
  if (number % 2 != 0) return fail(gossInvalidArgument, "%d is odd", number);
  return number / 2;
}

Result<int> quarter(int number) {
  GOSS_TRY_ASSIGN(const int once, half(number));
  GOSS_TRY_ASSIGN(const int twice, half(once));
  return twice;
}

TEST(Result, HoldsAValue) {
  const Result<int> result = half(8);
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(result.value(), 4);
  EXPECT_TRUE(result.status().ok());
}

TEST(Result, HoldsTheReasonWhyThereIsNone) {
  const Result<int> result = half(7);
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.status().code(), gossInvalidArgument);
  EXPECT_EQ(result.status().message(), "7 is odd");
}

TEST(Result, HoldsWhatCanOnlyBeMoved) {
  Result<std::unique_ptr<int>> result(std::make_unique<int>(5));
  ASSERT_TRUE(result.ok());
  const std::unique_ptr<int> taken = result.take();
  EXPECT_EQ(*taken, 5);
}

TEST(Result, GivesItsStatusAway) {
  Result<int> result = half(3);
  EXPECT_EQ(result.take_status().message(), "3 is odd");
}

TEST(Result, ItsValueCanBeChanged) {
  Result<std::string> result(std::string("a"));
  result.value() += "b";
  EXPECT_EQ(result.value(), "ab");
}

TEST(TryAssign, GoesOnWithTheValue) { EXPECT_EQ(quarter(12).value(), 3); }

TEST(TryAssign, ReturnsTheFailureOfEachStep) {
  EXPECT_EQ(quarter(9).status().message(), "9 is odd");
  EXPECT_EQ(quarter(6).status().message(), "3 is odd");
}

TEST(ResultDeathTest, WithoutAValueItNeedsAFailure) {
  EXPECT_DEATH((void)Result<int>(Status()), "needs a failure");
}

}  // namespace
}  // namespace goss
