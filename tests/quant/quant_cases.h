// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// What the tests of the codecs share: every codec as a test parameter, and tiles of numbers that
// contain what is difficult.
#pragma once

#include <gtest/gtest.h>

#include <bit>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include "quant/kernels.h"
#include "quant/registry.h"

namespace goss::quant {

using Random = std::mt19937_64;
using Numbers = std::vector<float>;

inline std::vector<Codec> all_codecs() {
  std::vector<Codec> codecs;
  for (const CodecInfo& info : codec_table()) codecs.push_back(info.codec);
  return codecs;
}
inline std::string codec_name(const testing::TestParamInfo<Codec>& info) {
  return codec_info(info.param).name;
}

// All instruction sets but the specification.
inline std::vector<Isa> vector_isas() {
  std::vector<Isa> isas = available_isas();
  isas.pop_back();
  return isas;
}
inline const Isa& scalar_isa() {
  static const Isa isa = available_isas().back();
  return isa;
}

inline float from_bits(uint32_t bits) { return std::bit_cast<float>(bits); }
inline float random_bits(Random& random) { return from_bits(static_cast<uint32_t>(random())); }
inline float normal(Random& random) { return std::normal_distribution<float>()(random); }

inline constexpr uint32_t kInfinityBits = 0x7f800000u;
inline constexpr uint32_t kSpecialBits[] = {0x7f800000u, 0xff800000u, 0x7fc00000u, 0xffc12345u,
                                            0x7f800001u, 0x7f7fffffu, 0xff7fffffu, 0x00000001u,
                                            0x807fffffu, 0x80000000u};

// A way of filling buffers, by name.
struct Kind {
  const char* name;
  std::function<float(Random&, size_t)> make;  // element i
};

inline std::vector<Kind> ordinary_kinds() {
  return {
      {"normal", [](Random& r, size_t) { return normal(r); }},
      {"negative", [](Random& r, size_t) { return -std::abs(normal(r)) - 0.01f; }},
      {"constant", [](Random&, size_t i) { return i / kTile % 2 == 0 ? 0.7f : -3.0f; }},
      {"heavy tails", [](Random& r, size_t) { return std::exp(4 * normal(r)) * normal(r); }},
      {"blocks of all sizes",
       [](Random& r, size_t i) {
         return std::ldexp(normal(r), static_cast<int>(i / kBlock * 7919 % 240) - 120);
       }},
      {"ties",
       [](Random& r, size_t i) {  // halves of the steps of int8, with a block's largest 127
         return i % kBlock == 0 ? 127.0f
                                : static_cast<float>(static_cast<int>(r() % 508) - 254) / 2;
       }},
      {"bf16 numbers",
       [](Random& r, size_t) {
         return from_bits(std::bit_cast<uint32_t>(normal(r)) & 0xffff0000u);
       }},
  };
}

inline std::vector<Kind> extreme_kinds() {
  return {
      {"zero", [](Random&, size_t i) { return i % 3 == 0 ? -0.0f : 0.0f; }},
      {"huge", [](Random& r, size_t) { return 1e30f * normal(r); }},
      {"the largest", [](Random& r, size_t) { return from_bits(0x7f7fffffu - r() % 0x8000); }},
      {"tiny", [](Random& r, size_t) { return 1e-30f * normal(r); }},
      {"about 2^-118", [](Random& r, size_t) { return 0x1p-118f * (1 + 0.001f * normal(r)); }},
      {"subnormal", [](Random& r, size_t) { return from_bits((r() & 0x807fffffu)); }},
      {"any bits", [](Random& r, size_t) { return random_bits(r); }},
      {"a special one here and there",
       [](Random& r, size_t) {
         return r() % 50 == 0 ? from_bits(kSpecialBits[r() % std::size(kSpecialBits)]) : normal(r);
       }},
  };
}

inline std::vector<Kind> all_kinds() {
  std::vector<Kind> kinds = ordinary_kinds();
  for (Kind& kind : extreme_kinds()) kinds.push_back(std::move(kind));
  return kinds;
}

inline Numbers numbers_of(const Kind& kind, size_t count, Random& random) {
  Numbers numbers(count);
  for (size_t i = 0; i < count; ++i) numbers[i] = kind.make(random, i);
  return numbers;
}

}  // namespace goss::quant
