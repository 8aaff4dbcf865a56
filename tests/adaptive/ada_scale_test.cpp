// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Through the C API: the gain of gradients whose signal and noise are known.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "adaptive/validation_model.h"
#include "gossamer/adaptive.h"

namespace goss::test {
namespace {

std::string said() { return gossGetLastError(nullptr); }

double squares(const std::vector<double>& gradient) {
  double sum = 0;
  for (const double x : gradient) sum += x * x;
  return sum;
}

// Gradients of 20 elements, each 0.5 of signal and noise of a standard deviation of `noise` at the
// reference batch: |G|^2 = 5, variance = 20 noise^2.
class Gradients {
 public:
  explicit Gradients(double noise) : random_(11, 0, 0, 0), noise_(noise) {}

  std::vector<double> one(double batch_ratio) {
    std::vector<double> gradient(20);
    for (double& x : gradient) x = 0.5 + noise_ / std::sqrt(batch_ratio) * random_.normal();
    return gradient;
  }
  gossGradientNorms_t step(int parts, double batch_ratio) {
    gossGradientNorms_t norms{parts, 0, 0, batch_ratio};
    std::vector<double> mean(20, 0.0);
    for (int part = 0; part < parts; ++part) {
      const auto gradient = one(batch_ratio / parts);
      norms.part_squares += squares(gradient) / parts;
      for (size_t i = 0; i < mean.size(); ++i) mean[i] += gradient[i] / parts;
    }
    norms.mean_squares = squares(mean);
    return norms;
  }

 private:
  ValidationModel random_;
  double noise_;
};

double gain(const gossAdaScale_t& estimate, double batch_ratio) {
  double gain = -1;
  EXPECT_EQ(gossAdaScaleGain(&estimate, batch_ratio, &gain), gossSuccess) << said();
  return gain;
}

TEST(AdaScale, FindsTheGainOfKnownSignalAndNoise) {
  for (const int parts : {2, 3, 8}) {
    for (const double batch_ratio : {1.0, 2.0, 8.0}) {
      Gradients gradients(0.5);
      gossAdaScale_t estimate = GOSS_ADASCALE_INITIALIZER;
      for (int step = 0; step < 3000; ++step) {
        const gossGradientNorms_t norms = gradients.step(parts, batch_ratio);
        ASSERT_EQ(gossAdaScaleUpdate(&estimate, &norms), gossSuccess) << said();
      }
      EXPECT_NEAR(estimate.signal / estimate.weight, 5, 0.25) << parts << " " << batch_ratio;
      EXPECT_NEAR(estimate.variance / estimate.weight, 5, 0.25) << parts << " " << batch_ratio;
      // Whatever batch it was learned from: (5 + 5) / (5 / 8 + 5).
      EXPECT_NEAR(gain(estimate, 8), 16.0 / 9, 0.05);
      EXPECT_DOUBLE_EQ(gain(estimate, 1), 1);
    }
  }
}

TEST(AdaScale, OfOneRankComesFromTheGradientsOfTwoSteps) {
  Gradients gradients(0.5);
  gossAdaScale_t estimate = GOSS_ADASCALE_INITIALIZER;
  auto before = gradients.one(4);
  for (int step = 0; step < 3000; ++step) {
    const auto now = gradients.one(4);
    std::vector<double> mean(20);
    for (size_t i = 0; i < mean.size(); ++i) mean[i] = (now[i] + before[i]) / 2;
    const gossGradientNorms_t norms = {2, (squares(now) + squares(before)) / 2, squares(mean), 8};
    ASSERT_EQ(gossAdaScaleUpdate(&estimate, &norms), gossSuccess) << said();
    before = now;
  }
  EXPECT_NEAR(gain(estimate, 4), 10 / (5.0 / 4 + 5), 0.05);
}

TEST(AdaScale, IsLinearInPureNoiseAndConstantWithoutNoise) {
  gossAdaScale_t noise = GOSS_ADASCALE_INITIALIZER;
  EXPECT_EQ(gain(noise, 8), 1);  // nothing is known yet
  const gossGradientNorms_t orthogonal = {2, 2, 1, 4};
  ASSERT_EQ(gossAdaScaleUpdate(&noise, &orthogonal), gossSuccess);
  EXPECT_DOUBLE_EQ(gain(noise, 8), 8);
  EXPECT_DOUBLE_EQ(gain(noise, 0.5), 0.5);
  gossAdaScale_t calm = GOSS_ADASCALE_INITIALIZER;
  const gossGradientNorms_t equal = {2, 3, 3, 4};
  ASSERT_EQ(gossAdaScaleUpdate(&calm, &equal), gossSuccess);
  EXPECT_NEAR(gain(calm, 8), 1, 1e-5);
}

// A batch of eight reference batches counts as eight steps of one.
TEST(AdaScale, ForgetsInSamples) {
  const auto weight_after = [](int steps, double batch_ratio) {
    gossAdaScale_t estimate = GOSS_ADASCALE_INITIALIZER;
    const gossGradientNorms_t norms = {2, 2, 1, batch_ratio};
    for (int i = 0; i < steps; ++i) EXPECT_EQ(gossAdaScaleUpdate(&estimate, &norms), gossSuccess);
    return estimate.weight;
  };
  EXPECT_NEAR(weight_after(1, 1), 0.001, 1e-15);
  EXPECT_NEAR(weight_after(8, 1), weight_after(1, 8), 1e-15);
}

TEST(AdaScale, WrongArgumentsAreNamedAndChangeNothing) {
  gossAdaScale_t estimate = GOSS_ADASCALE_INITIALIZER;
  const auto refused = [&](gossGradientNorms_t norms, const char* what) {
    EXPECT_EQ(gossAdaScaleUpdate(&estimate, &norms), gossInvalidArgument);
    EXPECT_NE(said().find(what), std::string::npos) << said();
    EXPECT_EQ(estimate.weight, 0);
  };
  const double infinity = std::numeric_limits<double>::infinity();
  refused({1, 1, 1, 1}, "parts = 1");
  refused({2, -1, 1, 1}, "part_squares = -1");
  refused({2, 1, infinity, 1}, "mean_squares = inf");
  refused({2, 1, 1, 0}, "batch_ratio = 0");
  double result = 7;
  EXPECT_EQ(gossAdaScaleGain(&estimate, 0, &result), gossInvalidArgument);
  EXPECT_EQ(gossAdaScaleGain(&estimate, 1, nullptr), gossInvalidArgument);
  EXPECT_EQ(gossAdaScaleGain(nullptr, 1, &result), gossInvalidArgument);
  EXPECT_EQ(gossAdaScaleUpdate(&estimate, nullptr), gossInvalidArgument);
  estimate.weight = -1;
  EXPECT_EQ(gossAdaScaleGain(&estimate, 1, &result), gossInvalidArgument);
  estimate = {};
  EXPECT_EQ(gossAdaScaleGain(&estimate, 1, &result), gossInvalidArgument);
  EXPECT_NE(said().find("estimate->size is 0"), std::string::npos) << said();
  EXPECT_EQ(result, 7);
}

}  // namespace
}  // namespace goss::test
