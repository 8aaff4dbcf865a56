// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "base/status.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <set>
#include <string>
#include <utility>

namespace goss {
namespace {

using testing::StartsWith;

TEST(Status, SuccessIsOnePointerWideAndSaysNothing) {
  const Status status;
  EXPECT_EQ(sizeof(Status), sizeof(void*));
  EXPECT_TRUE(status.ok());
  EXPECT_EQ(status.code(), gossSuccess);
  EXPECT_EQ(status.message(), "");
}

TEST(Status, AFailureHasACodeAndASentence) {
  const Status status = fail(gossInvalidArgument, "root %d of %d ranks", 7, 4);
  EXPECT_FALSE(status.ok());
  EXPECT_EQ(status.code(), gossInvalidArgument);
  EXPECT_EQ(status.message(), "root 7 of 4 ranks");
}

TEST(Status, ACopyIsIndependentOfItsOriginal) {
  Status original = fail(gossTimeout, "late");
  const Status copy = original;
  original = Status();
  EXPECT_TRUE(original.ok());
  EXPECT_EQ(copy.code(), gossTimeout);
  EXPECT_EQ(copy.message(), "late");
  original = copy;
  EXPECT_EQ(original.message(), "late");
}

// So copying needs no memory, as where there is none left.
TEST(Status, CopiesShareTheirSentence) {
  const Status original = fail(gossTimeout, "late");
  const Status copy = original;
  EXPECT_EQ(&copy.message(), &original.message());
  EXPECT_EQ(out_of_memory().code(), gossSystemError);
  EXPECT_EQ(&out_of_memory().message(), &out_of_memory().message());
  const Status more = Status(copy).with_context("rank 3");
  EXPECT_EQ(original.message(), "late");
  EXPECT_EQ(more.message(), "rank 3: late");
}

TEST(Status, AssigningToItselfKeepsIt) {
  Status status = fail(gossTimeout, "late");
  const Status& same = status;
  status = same;
  EXPECT_EQ(status.message(), "late");
}

TEST(Status, MovingHandsTheFailureOver) {
  Status original = fail(gossSystemError, "no memory");
  const Status moved = std::move(original);
  EXPECT_EQ(moved.code(), gossSystemError);
  EXPECT_EQ(moved.message(), "no memory");
}

TEST(Status, ContextGoesInFront) {
  const Status status = fail(gossSystemError, "connection refused").with_context("rank 3");
  EXPECT_EQ(status.code(), gossSystemError);
  EXPECT_EQ(status.message(), "rank 3: connection refused");
}

TEST(Status, ContextLeavesSuccessAlone) { EXPECT_TRUE(Status().with_context("rank 3").ok()); }

TEST(Status, SystemErrorsCarryTheReasonOfTheSystem) {
  const Status status = fail_errno(ENOENT, "cannot open %s", "/nowhere");
  EXPECT_EQ(status.code(), gossSystemError);
  EXPECT_EQ(status.message(), "cannot open /nowhere: No such file or directory");
}

TEST(Status, UnknownSystemErrorsAreStillSentences) {
  EXPECT_THAT(fail_errno(123456, "odd").message(), StartsWith("odd: Unknown error"));
}

Status fails_at_the_second(bool* third_was_reached) {
  GOSS_TRY(Status());
  GOSS_TRY(fail(gossRemoteError, "second"));
  *third_was_reached = true;
  return {};
}

TEST(Try, ReturnsTheFirstFailure) {
  bool reached = false;
  const Status status = fails_at_the_second(&reached);
  EXPECT_EQ(status.code(), gossRemoteError);
  EXPECT_EQ(status.message(), "second");
  EXPECT_FALSE(reached);
}

TEST(ToString, HasAPhraseOfItsOwnForEveryCode) {
  std::set<std::string> phrases;
  for (int code = 0; code < gossNumResults; ++code) {
    phrases.insert(to_string(static_cast<Code>(code)));
  }
  EXPECT_EQ(phrases.size(), static_cast<size_t>(gossNumResults));
  EXPECT_EQ(phrases.count(""), 0u);
  EXPECT_EQ(phrases.count("unknown result code"), 0u);
}

TEST(ToString, KnowsWhatItDoesNotKnow) {
  EXPECT_STREQ(to_string(gossNumResults), "unknown result code");
}

TEST(Format, HoldsTextsOfAnyLength) {
  const std::string long_text(100'000, 'x');
  EXPECT_EQ(format("%s!", long_text.c_str()), long_text + "!");
  EXPECT_EQ(format("%s", ""), "");
}

TEST(AssertDeathTest, ABrokenInvariantEndsTheProcessWithItsPlace) {
  EXPECT_DEATH(GOSS_ASSERT(1 + 1 == 3, "arithmetic holds"),
               "status_test.cpp:[0-9]+: broken invariant: arithmetic holds");
}

TEST(AssertDeathTest, AFailureMayNotCarrySuccess) {
  EXPECT_DEATH((void)Status(gossSuccess, "fine"), "a failure needs a code");
}

}  // namespace
}  // namespace goss
