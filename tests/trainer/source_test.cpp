// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "data/source.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "data/generate.h"
#include "data/idx.h"
#include "temporary_folder.h"

namespace goss::train {
namespace {

using ::testing::HasSubstr;

DataOptions small(const std::string& name) {
  DataOptions options;
  options.name = name;
  options.train = 50;
  options.validation = 20;
  options.test = 30;
  return options;
}

TEST(Source, SplitsOfGeneratedDataShareNoSample) {
  const Splits splits = load_data(small("glyphs"));
  const Dataset all = generate(Generated::kGlyphs, 1, 0, 100);
  EXPECT_EQ(hash_of(splits.train), hash_of(slice(all, 0, 50)));
  EXPECT_EQ(hash_of(splits.validation), hash_of(slice(all, 50, 20)));
  EXPECT_EQ(hash_of(splits.test), hash_of(slice(all, 70, 30)));
}

TEST(Source, NoiseIsInTrainingLabelsOnly) {
  DataOptions options = small("glyphs");
  options.label_noise = 0.5;
  const Splits noisy = load_data(options);
  const Splits clean = load_data(small("glyphs"));
  EXPECT_NE(noisy.train.labels, clean.train.labels);
  EXPECT_EQ(noisy.validation.labels, clean.validation.labels);
  EXPECT_EQ(noisy.test.labels, clean.test.labels);
  EXPECT_NE(noisy.hash, clean.hash);
}

TEST(Source, CachedDataIsTheData) {
  TemporaryFolder folder;
  for (const char* name : {"glyphs47", "textures"}) {
    DataOptions options = small(name);
    const Splits fresh = load_data(options);
    options.cache = folder / "cache";
    EXPECT_EQ(load_data(options).hash, fresh.hash);  // writes
    const Splits cached = load_data(options);        // reads
    EXPECT_EQ(cached.hash, fresh.hash);
    EXPECT_EQ(cached.train.difficulty, fresh.train.difficulty);
  }
}

TEST(Source, ACacheIsReadAndNotDrawnAnew) {
  TemporaryFolder folder;
  DataOptions options = small("glyphs");
  options.cache = folder / "cache";
  const Splits first = load_data(options);
  std::string images;
  for (const auto& entry : std::filesystem::directory_iterator(options.cache)) {
    if (entry.path().string().ends_with("-images.idx")) images = entry.path().string();
  }
  std::fstream file(images, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(-1, std::ios::end);
  file.put(static_cast<char>(first.test.pixels.back() ^ 1));
  file.close();
  EXPECT_EQ(load_data(options).test.pixels.back(), first.test.pixels.back() ^ 1);
}

TEST(Source, ValidationIsHeldOutOfTrainingFiles) {
  TemporaryFolder folder;
  const Dataset data = generate(Generated::kGlyphs, 1, 0, 100);
  write_idx(data, folder / "train-images-idx3-ubyte", folder / "train-labels-idx1-ubyte");
  write_idx(data, folder / "t10k-images-idx3-ubyte", folder / "t10k-labels-idx1-ubyte");
  DataOptions options = small("idx");
  options.folder = folder.path();
  options.train = 0;
  options.test = 0;
  const Splits splits = load_data(options);
  EXPECT_EQ(splits.train.count(), 80u);
  EXPECT_EQ(splits.validation.count(), 20u);
  EXPECT_EQ(splits.test.count(), 100u);

  options.train = 90;
  EXPECT_THAT(failure_of([&] { load_data(options); }), HasSubstr("the data set is too small"));
  options.train = 0;
  options.validation = 100;
  EXPECT_THAT(failure_of([&] { load_data(options); }), HasSubstr("there are only 100"));
}

TEST(Source, WhatIsMissingIsNamed) {
  EXPECT_THAT(failure_of([] { load_data(small("idx")); }), HasSubstr("needs --data-folder"));
  DataOptions options = small("cifar10");
  options.folder = "/nowhere";
  EXPECT_THAT(failure_of([&] { load_data(options); }), HasSubstr("/nowhere/data_batch_1.bin"));
}

}  // namespace
}  // namespace goss::train
