// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// A network of one linear layer, without libtorch: for tests of everything around networks.
#pragma once

#include <algorithm>
#include <cmath>

#include "flat_buffer.h"
#include "model.h"

namespace goss::train {

class SoftmaxModel : public Model {
 public:
  SoftmaxModel(size_t inputs, size_t classes)
      : inputs_(inputs),
        classes_(classes),
        weights_(inputs * classes),
        gradient_(inputs * classes) {}

  std::span<float> weights() override { return weights_.span(); }
  std::span<float> gradient() override { return gradient_.span(); }

  void backward(const Dataset& data, std::span<const uint32_t> samples,
                std::span<const float> weights, std::span<float> losses,
                const Ready& ready) override {
    std::ranges::fill(gradient(), 0.f);
    for (size_t i = 0; i < samples.size(); ++i) {
      std::vector<double> p = probabilities(data, samples[i]);
      const uint8_t label = data.labels[samples[i]];
      losses[i] = static_cast<float>(-std::log(p[label]));
      p[label] -= 1;
      for (size_t c = 0; c < classes_; ++c) {
        for (size_t k = 0; k < inputs_; ++k) {
          gradient()[c * inputs_ + k] +=
              static_cast<float>(weights[i] * p[c] * data.image(samples[i])[k] / 255.0);
        }
      }
    }
    ready(0, gradient().size());
  }

  void evaluate(const Dataset& data, std::span<const uint32_t> samples, std::span<float> losses,
                std::span<uint8_t> right) override {
    for (size_t i = 0; i < samples.size(); ++i) {
      const std::vector<double> p = probabilities(data, samples[i]);
      const uint8_t label = data.labels[samples[i]];
      losses[i] = static_cast<float>(-std::log(p[label]));
      right[i] = std::max_element(p.begin(), p.end()) - p.begin() == label;
    }
  }

 private:
  std::vector<double> probabilities(const Dataset& data, uint32_t sample) {
    std::vector<double> p(classes_);
    double sum = 0;
    for (size_t c = 0; c < classes_; ++c) {
      double score = 0;
      for (size_t k = 0; k < inputs_; ++k) {
        score += weights()[c * inputs_ + k] * (data.image(sample)[k] / 255.0);
      }
      sum += p[c] = std::exp(score);
    }
    for (double& value : p) value /= sum;
    return p;
  }

  size_t inputs_;
  size_t classes_;
  FlatBuffer weights_;
  FlatBuffer gradient_;
};

}  // namespace goss::train
