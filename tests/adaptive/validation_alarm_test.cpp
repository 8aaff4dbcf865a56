// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "adaptive/validation_alarm.h"

#include <gtest/gtest.h>

#include "adaptive/validation_model.h"

namespace goss::adaptive {
namespace {

using test::ValidationModel;

Verdict judge(ValidationAlarm& alarm, uint64_t epoch, const std::vector<float>& losses) {
  const Verdict verdict = alarm.judge(epoch, alarm.compare(losses));
  if (verdict.best) alarm.keep_best(losses);
  return verdict;
}

// The first epoch with an alarm, or -1.
int first_alarm(ValidationModel& model, int epochs, const auto& curve) {
  ValidationAlarm alarm(0.01, 0.005);
  for (int epoch = 0; epoch < epochs; ++epoch) {
    if (judge(alarm, static_cast<uint64_t>(epoch), model.losses(curve(epoch))).alarm) return epoch;
  }
  return -1;
}

TEST(ValidationAlarm, RemembersTheBestEpoch) {
  ValidationAlarm alarm(0.01, 0.005);
  EXPECT_TRUE(judge(alarm, 0, {2, 2}).best);
  EXPECT_FALSE(judge(alarm, 1, {2, 3}).best);
  EXPECT_TRUE(judge(alarm, 2, {1, 2}).best);
  EXPECT_EQ(alarm.best_epoch(), 2u);
  const Evidence evidence = alarm.compare(std::vector<float>{2, 2});
  EXPECT_EQ(evidence.loss, 2);
  EXPECT_EQ(evidence.rise, 0.5);
}

TEST(ValidationAlarm, AnEpochWithoutValidationSaysNothing) {
  ValidationAlarm alarm(0.01, 0.005);
  judge(alarm, 0, {2, 2});
  const Verdict verdict = judge(alarm, 1, {});
  EXPECT_FALSE(verdict.best);
  EXPECT_FALSE(verdict.alarm);
  EXPECT_EQ(alarm.best_epoch(), 0u);
}

TEST(ValidationAlarm, ARiseIsSeenWhenEpochsAreCalm) {
  for (uint64_t seed = 0; seed < 20; ++seed) {
    ValidationModel model(seed, 300, 0.003, 0.05);
    EXPECT_EQ(first_alarm(model, 20, [](int e) { return e < 12 ? 1.0 : 1.1; }), 12) << seed;
  }
}

TEST(ValidationAlarm, ARiseWithinTheScatterIsNotSeen) {
  ValidationModel model(1, 300, 0.03, 0.05);
  EXPECT_EQ(first_alarm(model, 20, [](int e) { return e < 12 ? 1.0 : 1.02; }), -1);
}

TEST(ValidationAlarm, AFallingLossNeverAlarms) {
  for (uint64_t seed = 0; seed < 50; ++seed) {
    ValidationModel model(seed, 100, 0.01, 0.1);
    EXPECT_EQ(first_alarm(model, 40, [](int e) { return std::exp(-0.1 * e); }), -1) << seed;
  }
}

// Samples that differ a hundredfold, and a rise of two percent of every one of them: unpaired means
// would not see it.
TEST(ValidationAlarm, PairsSamples) {
  ValidationAlarm alarm(0.01, 0.001);
  std::vector<float> losses;
  for (int i = 0; i < 50; ++i) losses.push_back(static_cast<float>(i % 10 * i % 37) + 0.1f);
  for (uint64_t epoch = 0; epoch < 10; ++epoch) EXPECT_FALSE(judge(alarm, epoch, losses).alarm);
  for (float& loss : losses) loss *= 1.02f;
  EXPECT_TRUE(judge(alarm, 10, losses).alarm);
}

TEST(ValidationAlarm, GoesOnFromItsState) {
  ValidationModel model(5, 60, 0.003, 0.05);
  ValidationAlarm alarm(0.01, 0.005);
  ValidationAlarm restored;
  for (uint64_t epoch = 0; epoch < 20; ++epoch) {
    const auto losses = model.losses(epoch < 12 ? 1.0 : 1.2);
    const Verdict verdict = judge(alarm, epoch, losses);
    if (epoch > 7) {
      const Verdict again = judge(restored, epoch, losses);
      EXPECT_EQ(again.alarm, verdict.alarm);
      EXPECT_EQ(again.bound, verdict.bound);
    }
    if (epoch != 7) continue;
    StateWriter writer;
    alarm.put(writer);
    const auto bytes = writer.finish(StateKind::kPrecision);
    StateReader reader = StateReader::open(bytes, StateKind::kPrecision).take();
    restored = ValidationAlarm::get(reader, 0.01, 0.005);
    ASSERT_TRUE(reader.finish().ok());
  }
}

}  // namespace
}  // namespace goss::adaptive
