// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "evaluation.h"

namespace goss::train {

Evaluation evaluate(Model& model, const Dataset& data, const Ranks& ranks) {
  std::vector<uint32_t> mine;
  for (size_t i = static_cast<size_t>(ranks.rank()); i < data.count();
       i += static_cast<size_t>(ranks.count())) {
    mine.push_back(static_cast<uint32_t>(i));
  }
  std::vector<float> my_losses(mine.size());
  std::vector<uint8_t> my_right(mine.size());
  model.evaluate(data, mine, my_losses, my_right);

  // Every rank adds zeros for the samples of others.
  Evaluation result;
  result.losses.resize(data.count());
  std::vector<uint8_t> right(data.count());
  for (size_t k = 0; k < mine.size(); ++k) {
    result.losses[mine[k]] = my_losses[k];
    right[mine[k]] = my_right[k];
  }
  ranks.sum(result.losses);
  ranks.sum(right);
  for (size_t i = 0; i < data.count(); ++i) {
    result.loss += result.losses[i];
    result.accuracy += right[i];
  }
  result.loss /= static_cast<double>(data.count());
  result.accuracy /= static_cast<double>(data.count());
  return result;
}

}  // namespace goss::train
