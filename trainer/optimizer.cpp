// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "optimizer.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "data/dataset.h"

namespace goss::train {

namespace {

// Adam's constants (Kingma and Ba 2015).
constexpr double kBeta1 = 0.9;
constexpr double kBeta2 = 0.999;
constexpr double kEpsilon = 1e-8;

}  // namespace

Optimizer::Optimizer(const OptimizerOptions& options, size_t parameters) : options_(options) {
  if (options.name != "sgd" && options.name != "adam") {
    throw Failure("--optimizer " + options.name + ": expected sgd or adam");
  }
  buffers_.assign(options.name == "sgd" ? 1 : 2, std::vector<float>(parameters));
}

void Optimizer::apply(const Step& step, std::span<float> weights, size_t begin, size_t end) {
  if (options_.name == "sgd") {
    sgd(step, weights, begin, end);
  } else {
    adam(step, weights, begin, end);
  }
}

double Optimizer::unit(double rate, double real) const {
  return options_.name == "sgd" ? rate / real : 1 / real;
}

void Optimizer::sgd(const Step& step, std::span<float> weights, size_t begin, size_t end) {
  const auto momentum = static_cast<float>(options_.momentum);
  const auto gradient_factor = static_cast<float>(step.rate / step.real);
  const auto decay = static_cast<float>(step.rate * options_.weight_decay);
  float* v = buffers_[0].data();
  const float* g = step.gradient.data();
  float* w = weights.data();
  for (size_t i = begin; i < end; ++i) {
    v[i] = momentum * v[i] + gradient_factor * g[i] + decay * w[i];
    w[i] -= v[i];
  }
}

void Optimizer::adam(const Step& step, std::span<float> weights, size_t begin, size_t end) {
  const auto n = static_cast<double>(steps_);
  const auto rate = static_cast<float>(step.rate / (1 - std::pow(kBeta1, n)));
  const auto correction = static_cast<float>(1 / std::sqrt(1 - std::pow(kBeta2, n)));
  const auto scale = static_cast<float>(1 / step.real);
  const auto decay = static_cast<float>(step.rate * options_.weight_decay);  // as AdamW
  float* m = buffers_[0].data();
  float* v = buffers_[1].data();
  for (size_t i = begin; i < end; ++i) {
    const float g = step.gradient[i] * scale;
    m[i] = static_cast<float>(kBeta1) * m[i] + static_cast<float>(1 - kBeta1) * g;
    v[i] = static_cast<float>(kBeta2) * v[i] + static_cast<float>(1 - kBeta2) * g * g;
    const float root = std::sqrt(v[i]) * correction + static_cast<float>(kEpsilon);
    weights[i] -= rate * m[i] / root + decay * weights[i];
  }
}

double Schedule::at(double part) const {
  if (part < warmup) return rate * (part / warmup);
  if (!cosine) return rate;
  const double rest = std::min(1.0, (part - warmup) / (1 - warmup));
  return rate * .5 * (1 + std::cos(std::numbers::pi * rest));
}

}  // namespace goss::train
