// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// The codes of a thread's eight elements: from and to the planes of a tile, from and to numbers.
// The planes of eight codes are whole bytes, so threads never share one.
#pragma once

#include "quant/gpu/numbers-inl.h"
#include "quant/layout.h"

namespace goss::quant::gpu {

template <int kBits>
struct Codes {
  static constexpr int kLow = low_bits(kBits);
  static constexpr int kHigh = kBits - kLow;
  static constexpr int kPerWord = kLow == 16 ? 4 : 8;

  uint64_t low[8 / kPerWord] = {};
  uint32_t high = 0;

  GPU_DEVICE void put(unsigned j, uint32_t code) {
    low[j / kPerWord] |= uint64_t{code & ((1u << kLow) - 1)} << (j % kPerWord * kLow);
    if constexpr (kHigh > 0) high |= (code >> kLow) << (j * kHigh);
  }
  GPU_DEVICE uint32_t get(unsigned j) const {
    auto code =
        static_cast<uint32_t>(low[j / kPerWord] >> (j % kPerWord * kLow)) & ((1u << kLow) - 1);
    if constexpr (kHigh > 0) code |= (high >> (j * kHigh) & ((1u << kHigh) - 1)) << kLow;
    return code;
  }

  // Elements i to i + 7 of a tile with `blocks` blocks.
  GPU_DEVICE void store(uint8_t* payload, size_t blocks, unsigned i) const {
    uint8_t* to = payload + i / 8 * kLow;
    if constexpr (kLow == 16) {
      if (is_aligned(to, 16)) {
        *reinterpret_cast<Vector16*>(to) = {
            {static_cast<uint32_t>(low[0]), static_cast<uint32_t>(low[0] >> 32),
             static_cast<uint32_t>(low[1]), static_cast<uint32_t>(low[1] >> 32)}};
      } else {
        store_word<8>(to, low[0]);
        store_word<8>(to + 8, low[1]);
      }
    } else {
      store_word<kLow>(to, low[0]);
    }
    if constexpr (kHigh > 0) store_word<kHigh>(payload + blocks * 4 * kLow + i / 8 * kHigh, high);
  }
  GPU_DEVICE void load(const uint8_t* payload, size_t blocks, unsigned i) {
    const uint8_t* from = payload + i / 8 * kLow;
    if constexpr (kLow == 16) {
      if (is_aligned(from, 16)) {
        const Vector16 words = *reinterpret_cast<const Vector16*>(from);
        low[0] = words.at[0] | uint64_t{words.at[1]} << 32;
        low[1] = words.at[2] | uint64_t{words.at[3]} << 32;
      } else {
        low[0] = load_word<8>(from);
        low[1] = load_word<8>(from + 8);
      }
    } else {
      low[0] = load_word<kLow>(from);
    }
    if constexpr (kHigh > 0) {
      high = static_cast<uint32_t>(load_word<kHigh>(payload + blocks * 4 * kLow + i / 8 * kHigh));
    }
  }
};

// ---- scales -------------------------------------------------------------------------------------

template <Scale kScale>
GPU_DEVICE uint32_t load_scale(const uint8_t* scales, unsigned block) {
  if constexpr (kScale == Scale::kE8m0) return scales[block];
  return static_cast<uint32_t>(load_word<2>(scales + 2 * block));
}
template <Scale kScale>
GPU_DEVICE void store_scale(uint8_t* scales, unsigned block, uint32_t bits) {
  if constexpr (kScale == Scale::kE8m0) {
    scales[block] = static_cast<uint8_t>(bits);
  } else {
    store_word<2>(scales + 2 * block, bits);
  }
}

// ---- numbers of codes ---------------------------------------------------------------------------
// NaNs need not be canonical: whoever stores numbers makes them so.

template <Scale kScale, class Element>
GPU_DEVICE float number_of(BlockFormat<kScale, Element>, uint32_t code, uint32_t scale) {
  return Element::decode(code) * BlockFormat<kScale, Element>::step_of(scale);
}
template <class Small>
GPU_DEVICE float number_of(CastFormat<Small>, uint32_t code, uint32_t) {
  constexpr bool kIsBf16 = Small::kMantissa == Bfloat16::kMantissa;
  return widen(kIsBf16 ? NumberType::kBf16 : NumberType::kFp16, code);
}
GPU_DEVICE inline float number_of(SignFormat, uint32_t code, uint32_t scale) {
  return code != 0 ? -SignFormat::step_of(scale) : SignFormat::step_of(scale);
}

// Elements i to i + kCount - 1 of a tile: a thread's eight, or a single one. The first of them is
// before the end.
template <unsigned kCount, class Format>
GPU_DEVICE void decode(Format format, const uint8_t* bytes, const Place& place, unsigned i,
                       float (&x)[kCount]) {
  constexpr Scale kScale = Format::kShape.scale;
  uint32_t scale = 0;
  if constexpr (kScale != Scale::kNone) {
    const unsigned block = kScale == Scale::kMean ? 0 : i / unsigned{kBlock};
    scale = load_scale<kScale>(bytes + place.scales, block);
  }
  Codes<Format::kShape.code_bits> codes;
  codes.load(bytes + place.payload, place.blocks, i / kPerThread * kPerThread);
  for (unsigned j = 0; j < kCount; ++j) {
    x[j] = number_of(format, codes.get(kCount == 1 ? i % kPerThread : j), scale);
  }
}

// ---- codes of numbers ---------------------------------------------------------------------------

template <Rounding kRounding, class Element>
GPU_DEVICE void round_eight(const float (&y)[8], const Target& a, size_t i,
                            Codes<Element::kBits>* codes) {
  std::array<uint32_t, 4> words = {};
  if constexpr (kRounding == Rounding::kStochastic) {
    words = dither_words(a.dither, (a.first_element + i) / 8);
  }
  for (unsigned j = 0; j < kPerThread; ++j) {
    const uint32_t dither = words[j / 2] >> (j % 2 * 16) & 0xffffu;
    codes->put(j, Element::template encode<kRounding>(y[j], dither));
  }
}
template <class Element>
GPU_DEVICE Codes<Element::kBits> round_eight(const float (&y)[8], const Target& a, size_t i) {
  Codes<Element::kBits> codes;
  if (a.rounding == Rounding::kNearest) {
    round_eight<Rounding::kNearest, Element>(y, a, i, &codes);
  } else {
    round_eight<Rounding::kStochastic, Element>(y, a, i, &codes);
  }
  return codes;
}

}  // namespace goss::quant::gpu
