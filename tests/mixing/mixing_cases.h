// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// What the tests of mixing share: every combination of instruction set and type as a parameter, and
// numbers of every type, difficult ones among them.
#pragma once

#include <gtest/gtest.h>

#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "mixing/kernels.h"
#include "mixing/numbers.h"

namespace goss::mixing {

constexpr DataType kMixedTypes[] = {gossFloat32, gossFloat64, gossFloat16, gossBfloat16};
constexpr DataType kCompressedTypes[] = {gossFloat32, gossFloat16, gossBfloat16};

struct Case {
  Isa isa;
  DataType type;
};

inline std::string case_name(const testing::TestParamInfo<Case>& info) {
  return std::string(info.param.isa.name) + "_" + type_name(info.param.type);
}
inline void PrintTo(const Case& c, std::ostream* out) {
  *out << c.isa.name << "," << type_name(c.type);
}

template <size_t kTypes>
std::vector<Case> cases_of(const DataType (&types)[kTypes]) {
  std::vector<Case> cases;
  for (const Isa& isa : available_isas()) {
    for (const DataType type : types) cases.push_back({isa, type});
  }
  return cases;
}

using Random = std::mt19937_64;
using Bytes = std::vector<uint8_t>;

inline void store_number(DataType type, double value, void* base, size_t index) {
  if (type == gossFloat16) store_element<Float16>(base, index, static_cast<float>(value));
  if (type == gossBfloat16) store_element<Bfloat16>(base, index, static_cast<float>(value));
  if (type == gossFloat32) store_element<Float32>(base, index, static_cast<float>(value));
  if (type == gossFloat64) std::memcpy(static_cast<char*>(base) + index * 8, &value, 8);
}

inline double load_number(DataType type, const void* base, size_t index) {
  if (type == gossFloat16) return load_element<Float16>(base, index);
  if (type == gossBfloat16) return load_element<Bfloat16>(base, index);
  if (type == gossFloat32) return load_element<Float32>(base, index);
  double value;
  std::memcpy(&value, static_cast<const char*>(base) + index * 8, 8);
  return value;
}

// Numbers around zero as a model has them.
inline Bytes model(DataType type, size_t count, double rms, Random& random) {
  Bytes bytes(count * type_size(type));
  std::normal_distribution<double> normal(0, rms);
  for (size_t i = 0; i < count; ++i) store_number(type, normal(random), bytes.data(), i);
  return bytes;
}

// The same with small changes.
inline Bytes nearby(DataType type, const Bytes& from, double rms, Random& random) {
  Bytes bytes = from;
  std::normal_distribution<double> normal(0, rms);
  for (size_t i = 0; i < from.size() / type_size(type); ++i) {
    store_number(type, load_number(type, from.data(), i) + normal(random), bytes.data(), i);
  }
  return bytes;
}

// Random bits: all exponents, infinities, quiet and signalling NaNs, subnormals, both zeros.
inline Bytes random_bits(DataType type, size_t count, Random& random) {
  const size_t size = type_size(type);
  Bytes bytes(count * size);
  for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(random());
  const double special[] = {0.0,        -0.0,  1.0,  -1.0, 1.0 / 0.0,
                            -1.0 / 0.0, 1e-40, 6e-8, 3e38, 65504.0};
  for (size_t i = 0; i < count; ++i) {
    if (random() % 4 == 0) store_number(type, special[random() % 10], bytes.data(), i);
  }
  return bytes;
}

}  // namespace goss::mixing
