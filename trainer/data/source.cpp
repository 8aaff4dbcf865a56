// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "data/source.h"

#include <algorithm>
#include <filesystem>
#include <map>

#include "data/cifar.h"
#include "data/generate.h"
#include "data/idx.h"
#include "hash.h"

namespace goss::train {

namespace {

const std::map<std::string, Generated> kGenerated = {{"glyphs", Generated::kGlyphs},
                                                     {"glyphs47", Generated::kGlyphs47},
                                                     {"textures", Generated::kTextures}};

// The file, or the same with .gz.
std::string find_file(const std::string& folder, const std::string& name) {
  const std::string path = (std::filesystem::path(folder) / name).string();
  for (const char* ending : {"", ".gz"}) {
    if (std::filesystem::exists(path + ending)) return path + ending;
  }
  throw Failure(path + ": there is no such file, and none with .gz (see --data-folder)");
}

Dataset read_idx_split(const std::string& folder, const std::string& prefix) {
  return read_idx(find_file(folder, prefix + "-images-idx3-ubyte"),
                  find_file(folder, prefix + "-labels-idx1-ubyte"));
}

Dataset read_cifar_split(const DataOptions& options, bool train) {
  const uint32_t classes = options.name == "cifar10" ? 10 : 100;
  std::vector<std::string> names;
  if (classes == 100) {
    names.push_back(train ? "train.bin" : "test.bin");
  } else if (!train) {
    names.push_back("test_batch.bin");
  } else {
    for (int i = 1; i <= 5; ++i) names.push_back("data_batch_" + std::to_string(i) + ".bin");
  }
  for (std::string& name : names) name = find_file(options.folder, name);
  return read_cifar(names, classes);
}

// All samples that the three splits are cut from.
Dataset generate_or_read(const DataOptions& options, size_t count) {
  const Generated kind = kGenerated.at(options.name);
  if (options.cache.empty()) return generate(kind, options.seed, 0, count);
  std::filesystem::create_directories(options.cache);
  const std::string stem = (std::filesystem::path(options.cache) /
                            (options.name + "-v" + std::to_string(kGeneratorVersion) + "-seed" +
                             std::to_string(options.seed) + "-" + std::to_string(count)))
                               .string();
  const std::string images = stem + "-images.idx";
  const std::string labels = stem + "-labels.idx";
  const std::string difficulty = stem + "-difficulty.idx";
  if (std::filesystem::exists(images)) {  // written last
    Dataset data = read_idx(images, labels);
    data.classes = kind == Generated::kGlyphs47 ? 47 : 10;
    data.difficulty = read_idx_bytes(difficulty);
    if (data.difficulty.size() != data.count()) {
      throw Failure(difficulty + ": " + std::to_string(data.difficulty.size()) + " values for " +
                    std::to_string(data.count()) + " images: remove the files of this cache");
    }
    return data;
  }
  Dataset data = generate(kind, options.seed, 0, count);
  write_idx_bytes(data.difficulty, difficulty);
  write_idx(data, images, labels);
  return data;
}

Splits cut(const DataOptions& options, const Dataset& all, const Dataset& test) {
  size_t train = options.train;
  if (train == 0) {
    if (all.count() <= options.validation) {
      throw Failure("--validation " + std::to_string(options.validation) + ": there are only " +
                    std::to_string(all.count()) + " training samples");
    }
    train = all.count() - options.validation;
  }
  Splits splits;
  splits.train = slice(all, 0, train);
  splits.validation = slice(all, train, options.validation);
  splits.test = slice(test, 0, options.test == 0 ? test.count() : options.test);
  return splits;
}

}  // namespace

Splits load_data(const DataOptions& options) {
  Splits splits;
  if (kGenerated.contains(options.name)) {
    if (options.train == 0 || options.test == 0) {
      throw Failure("--train and --test: generated data has no end, say how much you want");
    }
    const size_t first = options.train + options.validation;
    const Dataset all = generate_or_read(options, first + options.test);
    splits = cut(options, all, slice(all, first, options.test));
  } else if (options.folder.empty()) {
    throw Failure("--data " + options.name + " needs --data-folder");
  } else if (options.name == "idx") {
    const Dataset all = read_idx_split(options.folder, "train");
    splits = cut(options, all, read_idx_split(options.folder, "t10k"));
  } else {
    const Dataset all = read_cifar_split(options, true);
    splits = cut(options, all, read_cifar_split(options, false));
  }
  const Dataset* parts[3] = {&splits.train, &splits.validation, &splits.test};
  uint32_t classes = 0;
  for (const Dataset* part : parts) classes = std::max(classes, part->classes);
  splits.train.classes = splits.validation.classes = splits.test.classes = classes;
  add_label_noise(splits.train, options.label_noise, options.seed);
  for (const Dataset* part : parts) splits.hash = splits.hash * kHashPrime + hash_of(*part);
  return splits;
}

}  // namespace goss::train
