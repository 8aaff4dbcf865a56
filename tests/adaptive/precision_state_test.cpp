// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// That restored controllers go on bit for bit is in precision_log_test.cpp; here is what is
// refused.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "gossamer/adaptive.h"

namespace goss::test {
namespace {

std::string said() { return gossGetLastError(nullptr); }

std::vector<unsigned char> saved_controller() {
  gossPrecisionConfig_t config = GOSS_PRECISION_CONFIG_INITIALIZER;
  gossPrecision_t controller = nullptr;
  EXPECT_EQ(gossPrecisionCreate(&controller, &config), gossSuccess);
  const float losses[] = {1, 2, 3};
  gossDecision_t decision{};
  decision.size = sizeof(decision);
  EXPECT_EQ(gossPrecisionDecide(controller, nullptr, 0, losses, 3, &decision), gossSuccess);
  size_t bytes = 0;
  EXPECT_EQ(gossPrecisionSave(controller, nullptr, 0, &bytes), gossSuccess);
  std::vector<unsigned char> state(bytes);
  EXPECT_EQ(gossPrecisionSave(controller, state.data(), bytes, &bytes), gossSuccess);
  EXPECT_EQ(gossPrecisionSave(controller, state.data(), 10, &bytes), gossInvalidArgument);
  EXPECT_EQ(gossPrecisionDestroy(controller), gossSuccess);
  return state;
}

TEST(PrecisionState, DamagedTruncatedAndForeignStatesAreRefused) {
  const auto good = saved_controller();
  gossPrecision_t controller = nullptr;
  for (size_t at = 0; at < good.size(); ++at) {
    auto bad = good;
    bad[at] ^= 0x40;
    ASSERT_EQ(gossPrecisionRestore(&controller, bad.data(), bad.size()), gossInvalidArgument);
    EXPECT_NE(said().find("byte"), std::string::npos) << said();
  }
  for (size_t length = 0; length < good.size(); ++length) {
    ASSERT_EQ(gossPrecisionRestore(&controller, good.data(), length), gossInvalidArgument);
  }
  gossBatchPlanner_t planner = nullptr;
  EXPECT_EQ(gossBatchPlannerRestore(&planner, good.data(), good.size()), gossInvalidArgument);
  EXPECT_NE(said().find("precision controller"), std::string::npos) << said();
  EXPECT_EQ(gossPrecisionRestore(&controller, nullptr, 5), gossInvalidArgument);
  EXPECT_EQ(gossPrecisionRestore(nullptr, good.data(), good.size()), gossInvalidArgument);
}

TEST(PrecisionState, NullArgumentsAreRefused) {
  gossPrecision_t controller = nullptr;
  EXPECT_EQ(gossPrecisionCreate(nullptr, nullptr), gossInvalidArgument);
  EXPECT_EQ(gossPrecisionCreate(&controller, nullptr), gossInvalidArgument);
  EXPECT_EQ(gossPrecisionGetBits(nullptr, nullptr, nullptr), gossInvalidArgument);
  EXPECT_EQ(gossPrecisionGetLog(nullptr, nullptr, nullptr), gossInvalidArgument);
  EXPECT_EQ(gossPrecisionDecide(nullptr, nullptr, 0, nullptr, 0, nullptr), gossInvalidArgument);
  EXPECT_EQ(gossPrecisionDestroy(nullptr), gossSuccess);
}

}  // namespace
}  // namespace goss::test
