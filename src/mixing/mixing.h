// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// The arithmetic of gossip: weighted means of models (here), and compressed mixing that keeps the
// mean (compressed.h). fp32, fp64, fp16 and bf16; the narrow ones are computed in fp32 and rounded
// once to nearest even. Every implementation gives the bits of scalar.cpp and
// compressed_scalar.cpp, which are the specification. Pure functions; any thread, any alignment.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/types.h"
#include "mixing/compressed.h"

namespace goss::mixing {

// Of two sources a and b: what statistics call disagreement.
struct Difference {
  double sum_of_squares = 0;  // of b - a
  double largest = 0;         // of |b - a|; NaNs are passed over here, and seen in the sum
};

// dst = (factor 0 * source 0 + factor 1 * source 1 + ..) / divisor, from left to right, every
// product, sum and quotient rounded. With factors (1, 1) and divisor 2 it is the mean of a pair;
// sources in rank order make partners agree in every bit.
struct MixArguments {
  void* dst;                   // may equal a source, not overlap one otherwise
  void* dst2 = nullptr;        // optional second copy of the result; may equal another source
  const void* const* sources;  // nsources pointers
  const double* factors;       // one per source, rounded to fp32 but for fp64
  size_t nsources;             // 1..
  size_t count;                // elements
  double divisor = 1;
  Difference* difference = nullptr;  // optional; needs two sources
};

struct Kernels {
  void (*mix)(const MixArguments&);
  // Null where not compresses(type). The mixes return the number of blocks not mixed.
  void (*modulo_encode)(const ModuloEncode&);
  size_t (*modulo_mix)(const ModuloMix&);
  void (*edge_encode)(const EdgeEncode&);
  size_t (*edge_mix)(const EdgeMix&);
};

constexpr bool mixes(DataType type) {
  return type == gossFloat32 || type == gossFloat64 || type == gossFloat16 || type == gossBfloat16;
}
constexpr bool compresses(DataType type) { return mixes(type) && type != gossFloat64; }

// Of the best instruction set that the machine and GOSS_CPU_ISA allow; a type that mixes().
Kernels kernels(DataType type);
}  // namespace goss::mixing
