// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Validation losses of a training that does not exist: samples of different difficulty, a mean that
// follows a given curve, scatter of whole epochs and of samples within them.
#pragma once

#include <cmath>
#include <random>
#include <vector>

namespace goss::test {

class ValidationModel {
 public:
  // Both as shares of the mean loss: scatter of epochs, and of a sample between epochs.
  ValidationModel(uint64_t seed, size_t samples, double epoch_scatter, double sample_scatter)
      : random_(seed), epoch_scatter_(epoch_scatter), sample_scatter_(sample_scatter) {
    for (size_t i = 0; i < samples; ++i) difficulty_.push_back(std::exp(normal()));
  }

  std::vector<float> losses(double mean) {
    const double level = mean * (1 + epoch_scatter_ * normal()) / 1.6487;  // mean of exp(normal)
    std::vector<float> losses;
    for (const double difficulty : difficulty_) {
      const double own = 1 + sample_scatter_ * normal();
      losses.push_back(static_cast<float>(level * difficulty * own));
    }
    return losses;
  }

  double normal() {  // sum of 12 uniform numbers; std distributions differ between libraries
    double sum = -6;
    for (int i = 0; i < 12; ++i) sum += static_cast<double>(random_()) * 0x1p-64;
    return sum;
  }

 private:
  std::mt19937_64 random_;
  std::vector<double> difficulty_;
  double epoch_scatter_;
  double sample_scatter_;
};

}  // namespace goss::test
