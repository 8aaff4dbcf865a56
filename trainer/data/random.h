// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Random numbers that are the same on every machine: integers from splitmix64 (Steele et al.
// 2014), floating point from them by IEEE +, * and exact scaling only. Each (seed, stream) is a
// sequence of its own, so samples can be made in any order.
#pragma once

#include <cstdint>

namespace goss::train {

class Random {
 public:
  Random(uint64_t seed, uint64_t stream) : state_(mix(mix(seed) + stream)) {}

  uint64_t next() { return mix(state_ += 0x9e3779b97f4a7c15u); }
  // Below n, n > 0. The bias of the multiplication is below n / 2^32.
  uint32_t below(uint32_t n) { return static_cast<uint32_t>(((next() >> 32) * uint64_t{n}) >> 32); }
  double unit() { return static_cast<double>(next() >> 11) * 0x1p-53; }  // [0, 1)
  double centred() { return 2 * unit() - 1; }                            // [-1, 1)
  // Nearly normal: mean 0, variance 1, within +-3.5.
  double bell() {
    uint64_t sum = 0;  // an integer: calls in one expression may come in any order
    for (int i = 0; i < 4; ++i) sum += next() >> 11;
    return (static_cast<double>(sum) * 0x1p-53 - 2) * 1.7320508075688772;
  }

 private:
  static uint64_t mix(uint64_t x) {
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
  }

  uint64_t state_;
};

// Difficulty of a sample: nearly Beta(1.5, 4), so most samples are easy and few are hard.
double draw_difficulty(Random& random);

}  // namespace goss::train
