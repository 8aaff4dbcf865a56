// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Modulo mixing by the specification on fp32 vectors: what the tests of messages and of convergence
// share.
#pragma once

#include <algorithm>
#include <cmath>

#include "mixing/message.h"
#include "mixing_cases.h"

namespace goss::mixing {

inline const Kernels kScalar = scalar_kernels(gossFloat32);

using Model = std::vector<float>;

inline Model random_model(size_t count, float rms, Random& random) {
  Model x(count);
  std::normal_distribution<float> normal(0, rms);
  for (float& value : x) value = normal(random);
  return x;
}

struct Encoded {
  std::vector<int32_t> exponents;
  Bytes message;
};

inline Encoded modulo_encode(const Model& x, int bits, const std::vector<float>& bounds) {
  Encoded out{std::vector<int32_t>(blocks_of(x.size())), Bytes(message_bytes(x.size(), bits))};
  kScalar.modulo_encode(
      {x.data(), x.size(), bits, bounds.data(), out.exponents.data(), out.message.data()});
  return out;
}

struct Mixed {
  Model x;
  std::vector<Verdict> verdicts;
  std::vector<float> observed;
  size_t refused;
};

inline Mixed modulo_mix(const Model& x, int bits, const Encoded& own, const Bytes& message) {
  const size_t blocks = blocks_of(x.size());
  Mixed out{Model(x.size()), std::vector<Verdict>(blocks), std::vector<float>(blocks), 0};
  out.refused = kScalar.modulo_mix({.dst = out.x.data(),
                                    .x = x.data(),
                                    .count = x.size(),
                                    .bits = bits,
                                    .exponents = own.exponents.data(),
                                    .message = message.data(),
                                    .verdicts = out.verdicts.data(),
                                    .observed = out.observed.data()});
  return out;
}

inline float largest_difference(const Model& a, const Model& b) {
  float largest = 0;
  for (size_t i = 0; i < a.size(); ++i) largest = std::max(largest, std::abs(a[i] - b[i]));
  return largest;
}

}  // namespace goss::mixing
