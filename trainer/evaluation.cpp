// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "evaluation.h"

#include <algorithm>
#include <numeric>

namespace goss::train {

Evaluation evaluate(Model& model, const Dataset& data, Ranks& ranks) {
  const size_t count = data.count();
  std::vector<float> both(2 * count);  // losses; 1 where the model is right
  ranks.gather(both, [&](std::span<float> share) {
    std::vector<uint32_t> mine;
    for (size_t i = static_cast<size_t>(ranks.rank()); i < count;
         i += static_cast<size_t>(ranks.count())) {
      mine.push_back(static_cast<uint32_t>(i));
    }
    std::vector<float> losses(mine.size());
    std::vector<uint8_t> right(mine.size());
    model.evaluate(data, mine, losses, right);
    for (size_t k = 0; k < mine.size(); ++k) {
      share[mine[k]] = losses[k];
      share[count + mine[k]] = right[k];
    }
  });
  Evaluation result;
  result.losses.assign(both.begin(), both.begin() + static_cast<ptrdiff_t>(count));
  for (size_t i = 0; i < count; ++i) {
    result.loss += both[i];
    result.accuracy += both[count + i];
  }
  result.loss /= static_cast<double>(count);
  result.accuracy /= static_cast<double>(count);
  return result;
}

double accuracy_alone(Model& model, const Dataset& data) {
  std::vector<uint32_t> all(data.count());
  std::iota(all.begin(), all.end(), 0u);
  std::vector<float> losses(all.size());
  std::vector<uint8_t> right(all.size());
  model.evaluate(data, all, losses, right);
  return static_cast<double>(std::accumulate(right.begin(), right.end(), size_t{0})) /
         static_cast<double>(all.size());
}

AverageModel::AverageModel(Model& model, Ranks& ranks)
    : model_(model), own_(model.weights().begin(), model.weights().end()) {
  std::vector<float> sum = own_;
  sum.push_back(1);  // counts the models in the sum
  ranks.sum(sum);
  const float models = sum.back();
  std::transform(sum.begin(), sum.end() - 1, model.weights().begin(),
                 [models](float value) { return value / models; });
}

AverageModel::~AverageModel() { std::ranges::copy(own_, model_.weights().begin()); }

}  // namespace goss::train
