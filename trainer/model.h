// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// What the training loop needs of a network: numbers in flat buffers. torch_model.cpp makes one
// from a libtorch module; the loop, the optimizer and the checkpoints know nothing of libtorch.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>

#include "data/dataset.h"

namespace goss::train {

class Model {
 public:
  // Elements [begin, end) of the gradient are final on this rank.
  using Ready = std::function<void(size_t begin, size_t end)>;

  virtual ~Model() = default;

  // All parameters, and the gradient of the last backward(); as long as one another, at the same
  // addresses for the life of the model. The gradient lies in memory of gossMemAlloc.
  virtual std::span<float> weights() = 0;
  virtual std::span<float> gradient() = 0;

  // Forward and backward pass of `samples` of `data`: the gradient of sum(weight * loss), not of a
  // mean, and the loss of every sample, not weighted. `ready` is called for parts that are final
  // while the rest is still being computed: adjoining, from 0 on, the same parts at every call on
  // every rank.
  virtual void backward(const Dataset& data, std::span<const uint32_t> samples,
                        std::span<const float> weights, std::span<float> losses,
                        const Ready& ready) = 0;

  // Forward pass: losses, and 1 where the class with the highest score is the label, else 0.
  virtual void evaluate(const Dataset& data, std::span<const uint32_t> samples,
                        std::span<float> losses, std::span<uint8_t> right) = 0;
};

struct NetworkOptions {
  std::string name = "lenet";  // mlp, lenet, lenet-large, cnn, resnet8
  ImageShape shape;
  uint32_t classes = 10;
  uint64_t seed = 1;           // of the initial weights
  size_t bucket_elements = 0;  // parts that `ready` is told of have at least so many; 0: one part
  size_t micro_batch = 0;      // samples computed at a time; 0: all
};

// Throws Failure for a network that does not exist or does not fit the images.
std::unique_ptr<Model> make_model(const NetworkOptions& options);

}  // namespace goss::train
