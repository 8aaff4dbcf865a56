// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// An own network, own data and an own loop, with adaptive batches: docs/your-own-model.md. The
// lines that end in "adaptive" are what an ordinary loop over shuffled samples does not have.
//
//   mpirun -np 2 custom
#include <torch/torch.h>

#include <cstdio>

#include "check.h"
#include "planner.h"  // adaptive
#include "ranks.h"

namespace {

using goss::train::check;
using torch::Tensor;

// The loader: points in three rings around one another, the borders blurred. Yours reads files.
struct Rings {
  explicit Rings(int64_t count) {
    labels = torch::randint(3, {count}, torch::kInt64);
    const Tensor radius = labels + 1 + 0.25 * torch::randn({count});
    const Tensor angle = 6.2831853 * torch::rand({count});
    points = torch::stack({radius * torch::cos(angle), radius * torch::sin(angle)}, 1);
  }
  uint64_t count() const { return static_cast<uint64_t>(labels.numel()); }
  Tensor points;
  Tensor labels;
};

// The network: any module.
struct Net : torch::nn::Module {
  Net() {
    in = register_module("in", torch::nn::Linear(2, 32));
    middle = register_module("middle", torch::nn::Linear(32, 32));
    out = register_module("out", torch::nn::Linear(32, 3));
  }
  Tensor forward(Tensor x) {
    return out->forward(torch::tanh(middle->forward(torch::tanh(in->forward(x)))));
  }
  torch::nn::Linear in{nullptr}, middle{nullptr}, out{nullptr};
};

Tensor tensor(std::span<const uint32_t> numbers) {
  return torch::tensor(std::vector<int64_t>(numbers.begin(), numbers.end()));
}
Tensor tensor(std::span<const float> numbers) {
  return torch::tensor(at::ArrayRef<float>(numbers.data(), numbers.size()));
}

void sum_over_ranks(const goss::train::Ranks& ranks, const std::vector<Tensor>& parameters) {
  for (const Tensor& p : parameters) {
    float* gradient = p.grad().data_ptr<float>();
    check(gossAllReduce(gradient, gradient, static_cast<size_t>(p.numel()), gossFloat, gossSum,
                        ranks.gradients(), nullptr),
          "gossAllReduce");
  }
}

double accuracy(Net& net, const Rings& data) {
  const torch::NoGradGuard no_gradients;
  return net.forward(data.points).argmax(1).eq(data.labels).to(torch::kFloat).mean().item<double>();
}

void train(goss::train::Ranks& ranks) {
  torch::manual_seed(1);  // the same data and weights on all ranks
  at::set_num_threads(1);
  const Rings training(6000);
  const Rings validation(2000);
  Net net;
  const std::vector<Tensor> parameters = net.parameters();
  const int epochs = 8;
  const double rate = 0.2;
  uint64_t updates = 0;

  gossBatchConfig_t config = GOSS_BATCH_CONFIG_INITIALIZER;  // adaptive
  config.samples = training.count();                         // adaptive
  goss::train::Planner planner(config, ranks);               // adaptive
  for (int epoch = 0; epoch < epochs; ++epoch) {
    for (uint64_t step = 0; step < planner.epoch().steps; ++step) {  // adaptive
      const goss::train::Batch batch = planner.batch(step);          // adaptive
      const Tensor mine = tensor(batch.samples);
      const Tensor losses = torch::nn::functional::cross_entropy(
          net.forward(training.points.index_select(0, mine)), training.labels.index_select(0, mine),
          torch::nn::functional::CrossEntropyFuncOptions().reduction(torch::kNone));
      net.zero_grad();
      (losses * tensor(batch.weights)).sum().backward();  // adaptive
      sum_over_ranks(ranks, parameters);
      const double scale = rate * batch.info.lr_scale / double(batch.info.real);  // adaptive
      const torch::NoGradGuard no_gradients;
      for (const Tensor& p : parameters) p.sub_(p.grad(), scale);
      planner.record(step, {losses.data_ptr<float>(), batch.samples.size()});  // adaptive
      ++updates;
    }
    planner.next_epoch({});  // adaptive
  }
  if (ranks.rank() == 0) {
    std::printf("%.4f right after %llu updates\n", accuracy(net, validation),
                static_cast<unsigned long long>(updates));
  }
  ranks.finalize();
}

}  // namespace

int main() {
  try {
    goss::train::Ranks ranks;
    train(ranks);
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "custom: %s\n", error.what());
    std::_Exit(1);
  }
}
