// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Through the C API: the log of a run decides the same again, and a changed log does not.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "adaptive/validation_model.h"
#include "gossamer/adaptive.h"

namespace goss::test {
namespace {

std::string said() { return gossGetLastError(nullptr); }

struct Logged {
  std::string log;
  std::vector<int> bits;  // the hard bucket's
  uint64_t hash = 0;
};

// Two bits do damage. At `saved_at` the controller is replaced by a restored one.
Logged run(int epochs, int saved_at = -1) {
  gossPrecisionConfig_t config = GOSS_PRECISION_CONFIG_INITIALIZER;
  gossPrecision_t controller = nullptr;
  EXPECT_EQ(gossPrecisionCreate(&controller, &config), gossSuccess) << said();
  const char* header = nullptr;
  EXPECT_EQ(gossPrecisionGetLog(controller, &header, nullptr), gossSuccess);
  Logged out{header, {}};
  ValidationModel model(4, 150, 0.003, 0.05);
  for (int epoch = 0; epoch < epochs; ++epoch) {
    if (epoch == saved_at) {
      size_t bytes = 0;
      EXPECT_EQ(gossPrecisionSave(controller, nullptr, 0, &bytes), gossSuccess);
      std::vector<char> state(bytes);
      EXPECT_EQ(gossPrecisionSave(controller, state.data(), bytes, &bytes), gossSuccess);
      gossPrecisionDestroy(controller);
      EXPECT_EQ(gossPrecisionRestore(&controller, state.data(), bytes), gossSuccess) << said();
    }
    int bits[GOSS_MAX_BUCKETS];
    EXPECT_EQ(gossPrecisionGetBits(controller, bits, nullptr), gossSuccess);
    out.bits.push_back(bits[0]);
    gossBucket_t buckets[3] = {};
    for (int b = 0; b < 3; ++b) {
      buckets[b].losses = 10;
      buckets[b].mean = buckets[b].p50 = 1.0 / (b + 1 + 0.1 * epoch);
      buckets[b].p90 = 0.7;
    }
    const auto losses = model.losses(bits[2] == 2 ? 1.2 : 1.0);
    gossDecision_t decision{};
    decision.size = sizeof(decision);
    EXPECT_EQ(gossPrecisionDecide(controller, buckets, 3, losses.data(), losses.size(), &decision),
              gossSuccess)
        << said();
    EXPECT_EQ(decision.epoch, static_cast<uint64_t>(epoch));
    const char* line = nullptr;
    EXPECT_EQ(gossPrecisionGetLog(controller, nullptr, &line), gossSuccess);
    out.log += line;
  }
  EXPECT_EQ(gossPrecisionGetBits(controller, nullptr, &out.hash), gossSuccess);
  gossPrecisionDestroy(controller);
  return out;
}

gossResult_t replay(const std::string& log, uint64_t* decisions = nullptr) {
  return gossPrecisionReplay(log.data(), log.size(), decisions);
}

TEST(PrecisionLog, DecidesTheSameAgain) {
  const Logged logged = run(30);
  EXPECT_NE(logged.log.find("\"event\":\"reset\""), std::string::npos);
  EXPECT_NE(logged.log.find("\"event\":\"recovered\""), std::string::npos);
  uint64_t decisions = 0;
  EXPECT_EQ(replay(logged.log, &decisions), gossSuccess) << said();
  EXPECT_EQ(decisions, 30u);
}

TEST(PrecisionLog, OfARestoredControllerIsTheSame) {
  const Logged whole = run(30);
  for (int saved_at = 0; saved_at < 30; ++saved_at) {
    const Logged resumed = run(30, saved_at);
    EXPECT_EQ(resumed.log, whole.log) << saved_at;
    EXPECT_EQ(resumed.bits, whole.bits) << saved_at;
    EXPECT_EQ(resumed.hash, whole.hash) << saved_at;
  }
}

TEST(PrecisionLog, ATruncatedLastLineIsLeftOut) {
  const std::string log = run(10).log;
  uint64_t decisions = 0;
  EXPECT_EQ(replay(log.substr(0, log.size() - 20), &decisions), gossSuccess) << said();
  EXPECT_EQ(decisions, 9u);
  EXPECT_EQ(replay(log.substr(0, log.find('\n') + 1), &decisions), gossSuccess);
  EXPECT_EQ(decisions, 0u);
}

TEST(PrecisionLog, AChangedDecisionIsFound) {
  std::string log = run(10).log;
  const size_t at = log.find("\"cap\":6");
  ASSERT_NE(at, std::string::npos);
  log[at + 6] = '5';
  EXPECT_EQ(replay(log), gossInvalidUsage);
  EXPECT_NE(said().find("comes out differently"), std::string::npos) << said();
}

TEST(PrecisionLog, AMissingLineIsFound) {
  std::string log = run(10).log;
  const size_t first = log.find('\n') + 1;
  log.erase(first, log.find('\n', first) + 1 - first);
  EXPECT_EQ(replay(log), gossInvalidUsage);
}

TEST(PrecisionLog, WhatIsNoLogIsNamedByItsLine) {
  std::string log = run(10).log;
  EXPECT_EQ(replay("hello\n"), gossInvalidArgument);
  EXPECT_NE(said().find("line 1"), std::string::npos);
  EXPECT_EQ(replay(""), gossInvalidArgument);
  log.insert(log.find('\n') + 1, "{\"epoch\":0}\n");
  EXPECT_EQ(replay(log), gossInvalidArgument);
  EXPECT_NE(said().find("line 2 is no decision"), std::string::npos) << said();
  EXPECT_EQ(gossPrecisionReplay(nullptr, 0, nullptr), gossInvalidArgument);
}

TEST(PrecisionLog, OneValidationSampleIsWrittenWithoutAnInfinity) {
  gossPrecisionConfig_t config = GOSS_PRECISION_CONFIG_INITIALIZER;
  gossPrecision_t controller = nullptr;
  ASSERT_EQ(gossPrecisionCreate(&controller, &config), gossSuccess);
  const char* header = nullptr;
  ASSERT_EQ(gossPrecisionGetLog(controller, &header, nullptr), gossSuccess);
  std::string log = header;
  config.warmupEpochs = 2;
  for (int epoch = 0; epoch < 2; ++epoch) {
    const float loss = 1;
    gossDecision_t decision{};
    decision.size = sizeof(decision);
    const gossBucket_t buckets[3] = {};
    ASSERT_EQ(gossPrecisionDecide(controller, buckets, 3, &loss, 1, &decision), gossSuccess);
    const char* line = nullptr;
    ASSERT_EQ(gossPrecisionGetLog(controller, nullptr, &line), gossSuccess);
    log += line;
  }
  EXPECT_NE(log.find("\"variance\":null"), std::string::npos);
  EXPECT_EQ(log.find("inf"), std::string::npos);
  EXPECT_EQ(replay(log), gossSuccess) << said();
  gossPrecisionDestroy(controller);
}

}  // namespace
}  // namespace goss::test
