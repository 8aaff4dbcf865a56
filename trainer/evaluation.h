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
Evaluation evaluate(Model& model, const Dataset& data, const Ranks& ranks);

}  // namespace goss::train
