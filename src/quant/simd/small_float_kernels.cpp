// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Vector kernels of fp8 and of the MX formats of small floats.
#include "base/simd_targets.h"
#include "quant/kernels.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "quant/simd/small_float_kernels.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "quant/formats.h"
#include "quant/simd/block_codec-inl.h"

HWY_BEFORE_NAMESPACE();
namespace goss::quant::simd::HWY_NAMESPACE {
#if !GOSS_SIMD_IS_SCALAR

template <class Format>
struct Floating {
  static constexpr int kBits = Format::kBits;
  static constexpr int kShift = 0;
  static constexpr bool kSigned = false;
  static constexpr float kLimit = Format::decode(Format::kMax);
  static constexpr int kMantissa = Format::kMantissa;
  static constexpr uint32_t kLeast = static_cast<uint32_t>(Format::kMinExponent + 127);

  // The exponent, in its place in fp32; subnormals share the smallest.
  static HWY_INLINE Words exponent_of(Words size) {
    return hn::Max(hn::And(size, set_word(0x7f800000u)), set_word(kLeast << 23));
  }
  // `units` of the last place of numbers with this exponent.
  static HWY_INLINE Words assemble(Floats y, Words exponent, Words units) {
    const Words base =
        hn::Sub(hn::ShiftRight<23 - kMantissa>(exponent), set_word(kLeast << kMantissa));
    const Words code = hn::Min(hn::Add(units, base), set_word(Format::kMax));
    const Words sign = hn::And(hn::ShiftRight<32 - kBits>(words_of(y)), set_word(Format::kSign));
    return hn::IfThenZeroElse(hn::Eq(code, set_word(0)), hn::Or(code, sign));
  }

  // |y| + 2^(exponent + 23 - M) has its last place where the result's is: the adder rounds.
  template <bool kClamp>
  static HWY_INLINE Words nearest(Floats y) {
    const Floats size = magnitude(y);
    const Words exponent = exponent_of(words_of(size));
    const Words large = hn::Add(exponent, set_word(uint32_t{23 - kMantissa} << 23));
    const Words units = hn::Sub(words_of(hn::Add(size, floats_of(large))), large);
    return assemble(y, exponent, units);
  }
  template <bool kClamp>
  static HWY_INLINE Words stochastic(Floats y, Words dither) {
    const Floats size = magnitude(y);
    const Words exponent = exponent_of(words_of(size));
    const Words scale = hn::Sub(set_word(uint32_t{254 + kMantissa} << 23), exponent);
    const Floats sum = add_dither(hn::Mul(size, floats_of(scale)), dither);
    return assemble(y, exponent, hn::BitCast(TagU32(), hn::ConvertTo(TagI32(), sum)));
  }

  static HWY_INLINE Floats decode(Ints code) {
    constexpr float kUnit =
        float_of(static_cast<uint32_t>(Format::kMinExponent - kMantissa + 127) << 23);
    constexpr uint32_t kRebias = static_cast<uint32_t>(127 - Format::kBias) << 23;
    const TagI32 d;
    const Ints size = hn::And(code, hn::Set(d, static_cast<int>(Format::kSign - 1)));
    const Words normal =
        hn::Add(hn::ShiftLeft<23 - kMantissa>(hn::BitCast(TagU32(), size)), set_word(kRebias));
    const Floats subnormal = hn::Mul(hn::ConvertTo(TagF32(), size), set(kUnit));
    const auto is_above = [&](uint32_t bound) {
      return hn::RebindMask(TagF32(), hn::Gt(size, hn::Set(d, static_cast<int>(bound))));
    };
    Floats value = hn::IfThenElse(is_above((1u << kMantissa) - 1), floats_of(normal), subnormal);
    if constexpr (Format::kHasInfinity) {
      value = hn::IfThenElse(is_above(Format::kMax), floats_of(set_word(kInfinity32)), value);
    }
    const Words sign = hn::ShiftLeft<32 - kBits>(hn::BitCast(TagU32(), code));
    value = floats_of(select_bits(~kMagnitude32, sign, words_of(value)));
    if constexpr (kBits < 8) return value;
    const uint32_t largest = Format::kHasInfinity ? Format::kInfinity : Format::kMax;
    return hn::IfThenElse(is_above(largest), floats_of(set_word(kCanonicalNan32)), value);
  }
};

template <Scale kScale, class Format>
const TileKernels* kernels_of(BlockFormat<kScale, quant::Floating<Format>>) {
  return &BlockCodec<kScale, Floating<Format>>::kKernels;
}
template <class OtherFormat>
const TileKernels* kernels_of(OtherFormat) {
  return nullptr;
}

const TileKernels* small_float_kernels(Codec codec) {
  return visit_format(codec, [](auto format) { return kernels_of(format); });
}

#endif  // !GOSS_SIMD_IS_SCALAR
}  // namespace goss::quant::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace goss::quant::simd {

const TileKernels* small_float_kernels(int64_t target, Codec codec) {
  GOSS_SIMD_DISPATCH(target, small_float_kernels(codec));
  return nullptr;
}

}  // namespace goss::quant::simd
#endif
