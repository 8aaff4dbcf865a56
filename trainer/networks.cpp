// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "networks.h"

namespace goss::train {

namespace {

namespace nn = torch::nn;

nn::Conv2d conv(int64_t in, int64_t out, int64_t size, int64_t stride = 1) {
  return nn::Conv2d(
      nn::Conv2dOptions(in, out, size).stride(stride).padding(size / 2).bias(size != 1));
}

nn::Functional relu() { return nn::Functional(torch::relu); }
nn::MaxPool2d pool() { return nn::MaxPool2d(nn::MaxPool2dOptions(2)); }

// Sides after `halvings` poolings.
int64_t area(const ImageShape& shape, int halvings) {
  return int64_t{shape.height >> halvings} * (shape.width >> halvings);
}

nn::Sequential mlp(const ImageShape& shape, int64_t classes) {
  return nn::Sequential(nn::Flatten(), nn::Linear(static_cast<int64_t>(shape.size()), 128), relu(),
                        nn::Linear(128, 64), relu(), nn::Linear(64, classes));
}

// LeCun et al. 1998 with ReLU and max-pooling; `large` has the widths of Caffe's example, without
// padding: 431,080 parameters for 28 x 28 and 10 classes.
nn::Sequential lenet(const ImageShape& shape, int64_t classes, bool large) {
  if (large) {
    const int64_t height = ((shape.height - 4) / 2 - 4) / 2;
    const int64_t width = ((shape.width - 4) / 2 - 4) / 2;
    return nn::Sequential(nn::Conv2d(shape.channels, 20, 5), pool(), nn::Conv2d(20, 50, 5), pool(),
                          nn::Flatten(), nn::Linear(50 * height * width, 500), relu(),
                          nn::Linear(500, classes));
  }
  return nn::Sequential(conv(shape.channels, 6, 5), relu(), pool(), conv(6, 16, 5), relu(), pool(),
                        nn::Flatten(), nn::Linear(16 * area(shape, 2), 120), relu(),
                        nn::Linear(120, 84), relu(), nn::Linear(84, classes));
}

nn::Sequential cnn(const ImageShape& shape, int64_t classes) {
  return nn::Sequential(conv(shape.channels, 16, 3), relu(), pool(), conv(16, 32, 3), relu(),
                        pool(), conv(32, 64, 3), relu(), nn::AdaptiveAvgPool2d(2), nn::Flatten(),
                        nn::Linear(64 * 4, classes));
}

// Group normalisation, because batches of samples of equal difficulty have other statistics than
// the data set, and batch normalisation would learn theirs.
nn::GroupNorm norm(int64_t channels) { return nn::GroupNorm(nn::GroupNormOptions(8, channels)); }

// Two convolutions around a shortcut (He et al. 2016).
struct ResidualImpl : nn::Module {
  ResidualImpl(int64_t in, int64_t out, int64_t stride)
      : path(conv(in, out, 3, stride), norm(out), relu(), conv(out, out, 3), norm(out)) {
    register_module("path", path);
    if (in != out) shortcut = register_module("shortcut", conv(in, out, 1, stride));
  }
  torch::Tensor forward(torch::Tensor x) {
    return torch::relu(path->forward(x) + (shortcut ? shortcut->forward(x) : x));
  }
  nn::Sequential path;
  nn::Conv2d shortcut{nullptr};
};
TORCH_MODULE(Residual);

nn::Sequential resnet8(const ImageShape& shape, int64_t classes) {
  return nn::Sequential(conv(shape.channels, 16, 3), norm(16), relu(), Residual(16, 16, 1),
                        Residual(16, 32, 2), Residual(32, 64, 2), nn::AdaptiveAvgPool2d(1),
                        nn::Flatten(), nn::Linear(64, classes));
}

}  // namespace

torch::nn::Sequential make_network(const NetworkOptions& options) {
  torch::manual_seed(options.seed);
  const ImageShape& shape = options.shape;
  if (shape.height < 16 || shape.width < 16) {
    throw Failure("images of " + std::to_string(shape.height) + " x " +
                  std::to_string(shape.width) + ": the networks need 16 x 16 or more");
  }
  if (options.name == "mlp") return mlp(shape, options.classes);
  if (options.name == "lenet") return lenet(shape, options.classes, false);
  if (options.name == "lenet-large") return lenet(shape, options.classes, true);
  if (options.name == "cnn") return cnn(shape, options.classes);
  if (options.name == "resnet8") return resnet8(shape, options.classes);
  throw Failure("--network " + options.name + ": expected mlp, lenet, lenet-large, cnn or resnet8");
}

}  // namespace goss::train
