// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// The message of compressed mixing, block by block: header {uint32 checksum, 32-bit scale}, then
// one bit plane per level bit. Plane k has bit k of the levels: element i is bit i % 8 of byte i /
// 8, as vector masks and GPU ballots give them. Little-endian, as all of the wire. Shared by the
// scalar and the vector kernels.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

#include "mixing/compressed.h"
#include "mixing/numbers.h"

namespace goss::mixing {

// Which elements belong to a block, and where its part of the message is.
struct Block {
  size_t index;
  size_t first;  // element
  size_t count;  // 1..kBlock
  size_t at;     // byte of the message
  size_t plane_bytes() const { return (count + 7) / 8; }
};

inline Block block_at(size_t index, size_t count, int bits) {
  const size_t first = index * kBlock;
  return {index, first, std::min(kBlock, count - first), message_bytes(first, bits)};
}

struct BlockHeader {
  uint32_t check;
  uint32_t scale;  // modulo: the exponent; edge difference: bits of an fp32
};
static_assert(sizeof(BlockHeader) == kBlockHeaderBytes);

inline BlockHeader read_header(const uint8_t* p) {
  BlockHeader header;
  std::memcpy(&header, p, sizeof header);
  return header;
}
inline void write_header(uint8_t* p, BlockHeader header) { std::memcpy(p, &header, sizeof header); }

// Odd coefficients of the checksum, sum of coefficient * value modulo 2^32: one wrong value always
// shows, several cancel with a chance of about 2^-32. From the finalizer of SplitMix64.
constexpr std::array<uint32_t, kBlock> make_coefficients() {
  std::array<uint32_t, kBlock> table{};
  for (uint64_t i = 0; i < kBlock; ++i) {
    uint64_t x = (i + 1) * 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    table[i] = static_cast<uint32_t>((x ^ (x >> 31)) >> 32) | 1u;
  }
  return table;
}
alignas(64) inline constexpr std::array<uint32_t, kBlock> kCoefficients = make_coefficients();

// ---- modulo: grid numbers stay below 2^22, so that they and their fractions are exact in fp32 ---
constexpr int kGridBits = 22;
constexpr float kGridLimit = 0x1p23f;  // of numbers that a message may make the receiver compute
constexpr int kLeastExponent = -126;
constexpr int kGreatestExponent = 126;

inline float power_of_two(int exponent) {  // of a normal number
  return float_of(static_cast<uint32_t>(exponent + 127) << 23);
}
// The least e with value <= 2^e, for value > 0.
inline int exponent_above(float value) {
  int e;
  const float fraction = std::frexp(value, &e);  // value = fraction * 2^e, fraction in [0.5, 1)
  return fraction == 0.5f ? e - 1 : e;
}

// The exponent of the grid: numbers within `bound` of each other are told apart by their low bits
// (half a step is lost to rounding), and none is too far from zero.
inline int modulo_exponent(float bound, float largest, int bits) {
  const float half_range = static_cast<float>(1 << (bits - 1)) - 0.5f;
  int exponent = kLeastExponent;
  if (bound > 0) {
    const float step = bound / half_range;  // an infinite bound gives the coarsest grid
    exponent = std::isinf(step) ? kGreatestExponent : step > 0 ? exponent_above(step) : exponent;
  }
  if (largest > 0) exponent = std::max(exponent, exponent_above(largest) - kGridBits);
  return std::clamp(exponent, kLeastExponent, kGreatestExponent);
}

inline bool valid_exponent(uint32_t scale) {
  const auto exponent = static_cast<int32_t>(scale);
  return exponent >= kLeastExponent && exponent <= kGreatestExponent;
}

// ---- edge difference ----------------------------------------------------------------------------
// Changes below this are not sent: their reciprocal would not be finite.
constexpr float kLeastChange = 0x1p-100f;

}  // namespace goss::mixing
