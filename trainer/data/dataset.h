// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Images with labels in memory, and the errors of reading them. Values without behaviour; whoever
// loads or generates data fills one in.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

namespace goss::train {

// What is wrong with a file or an option, in a sentence for the user.
struct Failure : std::runtime_error {
  using std::runtime_error::runtime_error;
};

struct ImageShape {
  uint32_t channels = 1;
  uint32_t height = 0;
  uint32_t width = 0;

  size_t size() const { return size_t{channels} * height * width; }
  bool operator==(const ImageShape&) const = default;
};

struct Dataset {
  ImageShape shape;
  uint32_t classes = 0;
  std::vector<uint8_t> pixels;      // count() images, each channel by channel, row by row
  std::vector<uint8_t> labels;      // below classes
  std::vector<uint8_t> difficulty;  // of generated samples, 0 to 255; empty where nobody knows

  size_t count() const { return labels.size(); }
  std::span<const uint8_t> image(size_t i) const {
    return std::span(pixels).subspan(i * shape.size(), shape.size());
  }
};

// FNV-1a over shape, classes, pixels and labels: equal data, equal number, on every machine.
uint64_t hash_of(const Dataset& data);

// Samples [first, first + count) as a data set of their own.
Dataset slice(const Dataset& data, size_t first, size_t count);

}  // namespace goss::train
