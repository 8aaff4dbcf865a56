// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// What each codec is made of, as types: the only switch over codecs. scalar/, simd/ and gpu/ make
// their kernels from the same formats.
#pragma once

#include "quant/elements.h"

namespace goss::quant {

// Blocks with a scale. Element: Integer<..> or Floating<..>.
template <Scale kScaleKind, class ElementType>
struct BlockFormat {
  using Element = ElementType;
  static constexpr Shape kShape = {kScaleKind, Element::kBits};

  static constexpr BlockScale scale_of(float largest, float factor, MxScale how) {
    if constexpr (kScaleKind == Scale::kBf16) return bf16_scale(largest, factor, Element::kLimit);
    return e8m0_scale(largest, factor, Element::kLimit, Element::kShift, how);
  }
  // What a decoder multiplies codes by, from the bits of the scale.
  static constexpr float step_of(uint32_t bits) {
    if constexpr (kScaleKind == Scale::kBf16) return step_of_bf16(static_cast<uint16_t>(bits));
    return step_of_e8m0(static_cast<uint8_t>(bits)) * float_of((127u - Element::kShift) << 23);
  }
};

// Every number by itself.
template <class Small>
struct CastFormat {
  using Element = Cast<Small>;
  static constexpr Shape kShape = {Scale::kNone, 16};
};

// One bit each, and the mean of magnitudes of a tile.
struct SignFormat {
  static constexpr Shape kShape = {Scale::kMean, 1};
  static constexpr size_t kLanes = 16;  // of the sum: element i is in lane i mod 16

  // 2^-10 per element instead of at the end: sums cannot overflow.
  static constexpr float term_of(float value) {
    return float_of(bits_of(value) & kMagnitude32) * 0x1p-10f;
  }
  // Of the sum of `count` terms.
  static constexpr uint32_t scale_of(float sum, size_t count, float factor) {
    const float mean =
        sum / (static_cast<float>(count) * 0x1p-10f) * float_of(bits_of(factor) & kMagnitude32);
    if (!(mean <= 0x1.fffffep127f)) return kNanScaleBf16;
    return mean < kTiny ? 0u : smaller<uint32_t>(Bfloat16::encode(mean), kMaxBf16);
  }
  // Otherwise all bits are 0.
  static constexpr bool has_signs(uint32_t scale) { return scale != 0 && scale != kNanScaleBf16; }
  static constexpr float step_of(uint32_t bits) {
    return step_of_bf16(static_cast<uint16_t>(bits));
  }
};

// visit(format) with the format of the codec; `Visit` returns the same type for all of them.
template <class Visit>
constexpr auto visit_format(Codec codec, Visit visit) {
  switch (codec) {
    case Codec::kBf16: return visit(CastFormat<Bfloat16>());
    case Codec::kFp16: return visit(CastFormat<Float16>());
    case Codec::kInt8: return visit(BlockFormat<Scale::kBf16, Integer<8>>());
    case Codec::kInt6: return visit(BlockFormat<Scale::kBf16, Integer<6>>());
    case Codec::kInt5: return visit(BlockFormat<Scale::kBf16, Integer<5>>());
    case Codec::kInt4: return visit(BlockFormat<Scale::kBf16, Integer<4>>());
    case Codec::kInt3: return visit(BlockFormat<Scale::kBf16, Integer<3>>());
    case Codec::kInt2: return visit(BlockFormat<Scale::kBf16, Integer<2>>());
    case Codec::kSign: break;
    case Codec::kFp8E4m3: return visit(BlockFormat<Scale::kBf16, Floating<Float8E4m3>>());
    case Codec::kFp8E5m2: return visit(BlockFormat<Scale::kBf16, Floating<Float8E5m2>>());
    case Codec::kMxFp8E4m3: return visit(BlockFormat<Scale::kE8m0, Floating<Float8E4m3>>());
    case Codec::kMxFp8E5m2: return visit(BlockFormat<Scale::kE8m0, Floating<Float8E5m2>>());
    case Codec::kMxFp6E2m3: return visit(BlockFormat<Scale::kE8m0, Floating<Float6E2m3>>());
    case Codec::kMxFp6E3m2: return visit(BlockFormat<Scale::kE8m0, Floating<Float6E3m2>>());
    case Codec::kMxFp4: return visit(BlockFormat<Scale::kE8m0, Floating<Float4E2m1>>());
    case Codec::kMxInt8: return visit(BlockFormat<Scale::kE8m0, Integer<8, 6>>());
  }
  return visit(SignFormat());
}

}  // namespace goss::quant
