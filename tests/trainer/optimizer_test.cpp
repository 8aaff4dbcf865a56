// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "optimizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "temporary_folder.h"

namespace goss::train {
namespace {

using ::testing::HasSubstr;

// How far one gradient moves a weight in the end, when it comes in one batch and every later batch
// has gradient 0 and learning rate `later`.
double whole_effect(double later) {
  OptimizerOptions options;
  Optimizer optimizer(options, 1);
  std::vector<float> weight = {0};
  std::vector<float> gradient = {32};
  optimizer.apply({gradient, 32, 0.1}, weight);
  gradient[0] = 0;
  for (int i = 0; i < 200; ++i) optimizer.apply({gradient, 32, later}, weight);
  return -weight[0];
}

// With p -= rate * v an eightfold rate of later batches would weigh the first one eight times.
TEST(Sgd, AChangeOfTheBatchDoesNotWeighEarlierSamplesAnew) {
  const double expected = 0.1 / (1 - 0.9);
  EXPECT_NEAR(whole_effect(0.1), expected, 1e-4);
  EXPECT_NEAR(whole_effect(0.8), expected, 1e-4);
}

// The rate that belongs to a batch: twice the samples at twice the rate is the same step.
TEST(Sgd, LinearScalingWeighsSamplesAlike) {
  OptimizerOptions options;
  options.momentum = 0;
  std::vector<float> small = {0};
  std::vector<float> large = {0};
  Optimizer a(options, 1);
  const std::vector<float> g32 = {32 * .5f};
  a.apply({g32, 32, 0.1}, small);
  a.apply({g32, 32, 0.1}, small);
  Optimizer b(options, 1);
  const std::vector<float> g64 = {64 * .5f};
  b.apply({g64, 64, 0.2}, large);
  EXPECT_FLOAT_EQ(small[0], large[0]);
}

TEST(Sgd, WeightDecayShrinksWeightsWithoutAGradient) {
  OptimizerOptions options;
  options.momentum = 0;
  options.weight_decay = 0.5;
  Optimizer optimizer(options, 1);
  std::vector<float> weight = {1};
  const std::vector<float> gradient = {0};
  optimizer.apply({gradient, 1, 0.1}, weight);
  EXPECT_FLOAT_EQ(weight[0], 0.95f);
}

// Its first steps have the length of the learning rate, whatever the gradient's (Kingma and Ba).
TEST(Adam, TheFirstStepIsTheLearningRate) {
  for (const float size : {1e-3f, 1.f, 1e3f}) {
    OptimizerOptions options;
    options.name = "adam";
    Optimizer optimizer(options, 1);
    std::vector<float> weight = {0};
    const std::vector<float> gradient = {size};
    optimizer.apply({gradient, 1, 0.01}, weight);
    EXPECT_NEAR(weight[0], -0.01, 1e-5) << size;
    optimizer.apply({gradient, 1, 0.01}, weight);
    EXPECT_NEAR(weight[0], -0.02, 2e-5) << size;
  }
}

TEST(Optimizer, UnitsOfAGradientAreThoseOfTheStep) {
  EXPECT_EQ(Optimizer({"sgd", .9, 0}, 1).unit(.5, 64), .5 / 64);
  EXPECT_EQ(Optimizer({"adam", .9, 0}, 1).unit(.5, 64), 1. / 64);
}

TEST(Optimizer, AnUnknownNameIsRefused) {
  OptimizerOptions options;
  options.name = "lion";
  EXPECT_THAT(failure_of([&] { Optimizer(options, 1); }), HasSubstr("expected sgd or adam"));
}

TEST(Schedule, RisesThenFallsToZeroOverTheSamples) {
  Schedule schedule;
  schedule.rate = 2;
  schedule.warmup = 0.1;
  EXPECT_DOUBLE_EQ(schedule.at(0), 0);
  EXPECT_DOUBLE_EQ(schedule.at(.05), 1);
  EXPECT_DOUBLE_EQ(schedule.at(.1), 2);
  EXPECT_NEAR(schedule.at(.55), 1, 1e-12);
  EXPECT_NEAR(schedule.at(1), 0, 1e-12);
  EXPECT_NEAR(schedule.at(1.1), 0, 1e-12);  // not below
  schedule.cosine = false;
  EXPECT_DOUBLE_EQ(schedule.at(.999), 2);
}

}  // namespace
}  // namespace goss::train
