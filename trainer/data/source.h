// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// From a name on the command line to training, validation and test data.
#pragma once

#include <string>

#include "data/dataset.h"

namespace goss::train {

struct DataOptions {
  std::string name = "glyphs";  // glyphs, glyphs47, textures; idx, cifar10, cifar100
  std::string folder;           // of idx and cifar: where the files are
  std::string cache;            // of generated data: kept there as IDX files; empty: not kept
  size_t train = 10000;         // samples; 0: all there are (files only)
  size_t validation = 2000;     // held out of the training data
  size_t test = 2000;
  double label_noise = 0;  // share of wrong labels among the training samples
  uint64_t seed = 1;
};

struct Splits {
  Dataset train;
  Dataset validation;
  Dataset test;
  uint64_t hash = 0;  // of all three
};

// Throws Failure. The training files of idx are train-images-idx3-ubyte and
// train-labels-idx1-ubyte, the test files t10k-...; CIFAR-10 has data_batch_1.bin to 5 and
// test_batch.bin, CIFAR-100 train.bin and test.bin. Each may end in .gz besides.
Splits load_data(const DataOptions& options);

}  // namespace goss::train
