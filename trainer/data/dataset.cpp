// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "data/dataset.h"

#include "hash.h"

namespace goss::train {

namespace {

uint64_t hash_number(uint64_t hash, uint32_t number) {
  const uint8_t bytes[4] = {static_cast<uint8_t>(number), static_cast<uint8_t>(number >> 8),
                            static_cast<uint8_t>(number >> 16), static_cast<uint8_t>(number >> 24)};
  return hash_bytes(hash, bytes);
}

std::vector<uint8_t> part(const std::vector<uint8_t>& all, size_t begin, size_t size) {
  const auto first = all.begin() + static_cast<ptrdiff_t>(begin);
  return {first, first + static_cast<ptrdiff_t>(size)};
}

}  // namespace

uint64_t hash_of(const Dataset& data) {
  uint64_t hash = kHashStart;
  for (const uint32_t number :
       {data.shape.channels, data.shape.height, data.shape.width, data.classes}) {
    hash = hash_number(hash, number);
  }
  return hash_bytes(hash_bytes(hash, data.pixels), data.labels);
}

Dataset slice(const Dataset& data, size_t first, size_t count) {
  if (first > data.count() || count > data.count() - first) {
    throw Failure("samples " + std::to_string(first) + " to " + std::to_string(first + count) +
                  " of " + std::to_string(data.count()) + " are wanted: the data set is too small");
  }
  const size_t size = data.shape.size();
  Dataset result;
  result.shape = data.shape;
  result.classes = data.classes;
  result.pixels = part(data.pixels, first * size, count * size);
  result.labels = part(data.labels, first, count);
  if (!data.difficulty.empty()) result.difficulty = part(data.difficulty, first, count);
  return result;
}

}  // namespace goss::train
