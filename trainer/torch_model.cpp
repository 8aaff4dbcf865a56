// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// A libtorch module as a Model: its parameters and gradients become views of two flat buffers, the
// last layer first, because its gradient is final first. Nothing is copied from then on.
#include <dlfcn.h>

#include <algorithm>
#include <optional>

#include "flat_buffer.h"
#include "networks.h"

namespace goss::train {

namespace {

using torch::Tensor;

// Ranks are the parallelism: a second thread per rank only gets in the way of the other ranks.
void use_one_thread() {
  at::set_num_threads(1);
  // OpenBLAS has threads of its own, and libtorch does not tell it.
  if (void* symbol = dlsym(RTLD_DEFAULT, "openblas_set_num_threads")) {
    reinterpret_cast<void (*)(int)>(symbol)(1);
  }
}

Tensor view(std::span<float> buffer, size_t offset, const Tensor& like) {
  return torch::from_blob(buffer.data() + offset, like.sizes());
}

// Called behind the accumulation of one parameter's gradient; a hook on the tensor would come
// before it.
class AfterAccumulation : public torch::autograd::FunctionPostHook {
 public:
  explicit AfterAccumulation(std::function<void()> action) : action_(std::move(action)) {}
  torch::autograd::variable_list operator()(const torch::autograd::variable_list& outputs,
                                            const torch::autograd::variable_list&) override {
    action_();
    return outputs;
  }

 private:
  std::function<void()> action_;
};

struct Part {
  size_t begin = 0;
  size_t end = 0;
  size_t tensors = 0;
  size_t pending = 0;  // tensors whose gradient is not final yet
};

class TorchModel : public Model {
 public:
  explicit TorchModel(const NetworkOptions& options)
      : options_(options), network_(make_network(options)) {
    std::vector<Tensor> parameters = network_->parameters();
    std::reverse(parameters.begin(), parameters.end());
    size_t count = 0;
    for (const Tensor& p : parameters) count += static_cast<size_t>(p.numel());
    weights_.emplace(count);
    gradient_.emplace(count);
    size_t offset = 0;
    for (Tensor& p : parameters) {
      adopt(p, offset);
      offset += static_cast<size_t>(p.numel());
    }
  }

  std::span<float> weights() override { return weights_->span(); }
  std::span<float> gradient() override { return gradient_->span(); }

  void backward(const Dataset& data, std::span<const uint32_t> samples,
                std::span<const float> weights, std::span<float> losses,
                const Ready& ready) override {
    std::ranges::fill(gradient(), 0.f);
    begin_parts();
    const size_t piece = options_.micro_batch == 0 ? samples.size() : options_.micro_batch;
    for (size_t first = 0; first < samples.size(); first += piece) {
      const size_t count = std::min(piece, samples.size() - first);
      const bool last = first + count == samples.size();
      ready_ = last ? &ready : nullptr;
      const Tensor loss = losses_of(data, samples.subspan(first, count));
      std::copy_n(loss.data_ptr<float>(), count, losses.data() + first);
      const Tensor weight = torch::tensor(at::ArrayRef<float>(weights.data() + first, count));
      (loss * weight).sum().backward();
    }
    for (Part& part : parts_) part.pending = 0;  // of parameters that took no part
    ready_ = &ready;
    report();
  }

  void evaluate(const Dataset& data, std::span<const uint32_t> samples, std::span<float> losses,
                std::span<uint8_t> right) override {
    const torch::NoGradGuard no_gradients;
    const size_t piece = options_.micro_batch == 0 ? 256 : options_.micro_batch;
    for (size_t first = 0; first < samples.size(); first += piece) {
      const size_t count = std::min(piece, samples.size() - first);
      Tensor scores;
      const Tensor loss = losses_of(data, samples.subspan(first, count), &scores);
      std::copy_n(loss.data_ptr<float>(), count, losses.data() + first);
      const Tensor best = scores.argmax(1);
      for (size_t i = 0; i < count; ++i) {
        right[first + i] = best.data_ptr<int64_t>()[i] == data.labels[samples[first + i]];
      }
    }
  }

 private:
  // Move a parameter into the flat buffers, and have its part told when its gradient is final.
  void adopt(Tensor& parameter, size_t offset) {
    const Tensor weights = view(this->weights(), offset, parameter);
    weights.copy_(parameter.detach());
    parameter.set_data(weights);
    parameter.mutable_grad() = view(gradient(), offset, parameter);
    const size_t elements = static_cast<size_t>(parameter.numel());
    const bool full =
        parts_.empty() || (options_.bucket_elements != 0 &&
                           parts_.back().end - parts_.back().begin >= options_.bucket_elements);
    if (full) parts_.push_back({offset, offset, 0, 0});
    parts_.back().end += elements;
    ++parts_.back().tensors;
    const size_t index = parts_.size() - 1;
    auto accumulator = torch::autograd::impl::grad_accumulator(parameter);
    accumulator->add_post_hook(std::make_unique<AfterAccumulation>([this, index] {
      if (ready_ == nullptr) return;
      --parts_[index].pending;
      report();
    }));
    accumulators_.push_back(std::move(accumulator));  // the tensor holds it weakly
  }

  void begin_parts() {
    for (Part& part : parts_) part.pending = part.tensors;
    reported_ = 0;
  }

  // Parts become final in any order and are told in theirs.
  void report() {
    while (reported_ < parts_.size() && parts_[reported_].pending == 0) {
      const Part& part = parts_[reported_++];
      (*ready_)(part.begin, part.end);
    }
  }

  Tensor losses_of(const Dataset& data, std::span<const uint32_t> samples,
                   Tensor* scores_out = nullptr) {
    const auto count = static_cast<int64_t>(samples.size());
    const ImageShape& shape = data.shape;
    Tensor images = torch::empty({count, shape.channels, shape.height, shape.width});
    Tensor labels = torch::empty({count}, torch::kInt64);
    float* pixel = images.data_ptr<float>();
    for (size_t i = 0; i < samples.size(); ++i) {
      for (const uint8_t byte : data.image(samples[i])) *pixel++ = byte * (1 / 127.5f) - 1;
      labels.data_ptr<int64_t>()[i] = data.labels[samples[i]];
    }
    const Tensor scores = network_->forward(images);
    if (scores_out != nullptr) *scores_out = scores;
    return torch::nn::functional::cross_entropy(
        scores, labels, torch::nn::functional::CrossEntropyFuncOptions().reduction(torch::kNone));
  }

  NetworkOptions options_;
  torch::nn::Sequential network_;
  std::optional<FlatBuffer> weights_;
  std::optional<FlatBuffer> gradient_;
  std::vector<Part> parts_;
  std::vector<std::shared_ptr<torch::autograd::Node>> accumulators_;
  size_t reported_ = 0;           // parts that were told in this pass
  const Ready* ready_ = nullptr;  // while the last piece of a batch is computed
};

}  // namespace

std::unique_ptr<Model> make_model(const NetworkOptions& options) {
  use_one_thread();
  return std::make_unique<TorchModel>(options);
}

}  // namespace goss::train
