// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// The model on held-out samples, each rank a part of them.
#pragma once

#include <vector>

#include "model.h"
#include "ranks.h"

namespace goss::train {

struct Evaluation {
  std::vector<float> losses;  // of all samples, equal on all ranks
  double loss = 0;            // their mean
  double accuracy = 0;
};

// Collective.
Evaluation evaluate(Model& model, const Dataset& data, Ranks& ranks);

// Accuracy of this rank's own model on all samples. Not collective.
double accuracy_alone(Model& model, const Dataset& data);

// While it lives, the model is the mean of the ranks' models; then it is this rank's again.
// Collective when made.
class AverageModel {
 public:
  AverageModel(Model& model, Ranks& ranks);
  ~AverageModel();
  AverageModel(const AverageModel&) = delete;
  AverageModel& operator=(const AverageModel&) = delete;

 private:
  Model& model_;
  std::vector<float> own_;
};

}  // namespace goss::train
