// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Vector kernels of bf16 and fp16.
#include "base/simd_targets.h"
#include "quant/kernels.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "quant/simd/cast_kernels.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "quant/simd/dither-inl.h"
#include "quant/simd/vectors-inl.h"

HWY_BEFORE_NAMESPACE();
namespace goss::quant::simd::HWY_NAMESPACE {
#if !GOSS_SIMD_IS_SCALAR

struct Bfloat16Lanes {
  static HWY_INLINE Floats widen(Words code) { return widen_bf16(code); }
  static HWY_INLINE Words narrow(Floats value) { return narrow_bf16(value); }
  // A unit is 2^16 in the bits of fp32, whatever the exponent.
  static HWY_INLINE Words stochastic(Words size, Words dither) {
    return hn::Min(hn::ShiftRight<16>(hn::Add(size, dither)), set_word(Bfloat16::kInfinity));
  }
};

struct Float16Lanes {
  static HWY_INLINE Floats widen(Words code) { return widen_fp16(code); }
  static HWY_INLINE Words narrow(Floats value) { return narrow_fp16(value); }
  // As in scalar/cast.cpp, in 2^-17 of a unit.
  static HWY_INLINE Words stochastic(Words size, Words dither) {
    constexpr uint32_t kLeast = static_cast<uint32_t>(Float16::kMinExponent + 127);
    const Words biased = hn::ShiftRight<23>(size);
    const Words exponent = hn::Max(biased, set_word(1));
    const Words fraction = hn::And(size, set_word(0x7fffffu));
    const Words leading = hn::ShiftLeft<23>(hn::Min(biased, set_word(1)));
    const Words significand = hn::ShiftLeft<4>(hn::Or(fraction, leading));
    const Words target = hn::Max(biased, set_word(kLeast));
    const Words shift = hn::Min(hn::Sub(target, exponent), set_word(31));  // all bits are below 28
    const Words half = hn::Add(hn::ShiftLeft<1>(dither), set_word(1));
    const Words units = hn::ShiftRight<17>(hn::Add(hn::Shr(significand, shift), half));
    const Words base = hn::ShiftLeft<Float16::kMantissa>(hn::Sub(target, set_word(kLeast)));
    return hn::Min(hn::Add(units, base), set_word(Float16::kInfinity));
  }
};

template <class Lanes>
struct Cast {
  static HWY_INLINE Words narrow_stochastic(Floats value, Words dither) {
    const Floats size = magnitude(value);
    const Words sign = hn::And(hn::ShiftRight<16>(words_of(value)), set_word(0x8000u));
    const Words code = hn::Or(Lanes::stochastic(words_of(size), dither), sign);
    const auto finite = hn::RebindMask(TagU32(), hn::Le(size, set(0x1.fffffep127f)));
    if (HWY_LIKELY(hn::AllTrue(TagU32(), finite))) return code;
    return hn::IfThenElse(finite, code, Lanes::narrow(value));
  }

  static void encode_nearest(const TileEncode& a) {
    for (size_t i = 0; i < kTile; i += kLanes) {
      if (i % kByteLanes == 0) fetch(a.values, i, a.ahead_bytes);
      const Floats value = hn::Mul(load(a.values, i), set(a.factor));
      store_words16(Lanes::narrow(value), a.payload + 2 * i);
    }
  }
  static void encode_stochastic(const TileEncode& a) {
    const DitherSource source(a.dither);
    for (size_t i = 0; i < kTile; i += kDithered) {
      Dithers dithers[kGroups];
      source.make(a.first_element + i, dithers);
      for (size_t v = 0; v < 4 * kGroups; ++v) {
        const size_t at = i + v * kLanes;
        if (v % 4 == 0) fetch(a.values, at, a.ahead_bytes);
        const Floats value = hn::Mul(load(a.values, at), set(a.factor));
        const Words code = narrow_stochastic(value, dither_word(dithers[v / 4].at[v % 4]));
        store_words16(code, a.payload + 2 * at);
      }
    }
  }
  static void decode(const TileBytes& bytes, void* out) {
    for (size_t i = 0; i < kTile; i += kLanes) {
      if (i % kByteLanes == 0) fetch(out, i, bytes.ahead_bytes);
      store(out, i, Lanes::widen(load_words16(bytes.payload + 2 * i)));
    }
  }
  static void decode_add(const TileBytes& bytes, const void* base, void* out) {
    for (size_t i = 0; i < kTile; i += kLanes) {
      if (i % kByteLanes == 0) fetch(base, i, bytes.ahead_bytes);
      const Floats value = Lanes::widen(load_words16(bytes.payload + 2 * i));
      store(out, i, with_canonical_nan(hn::Add(load(base, i), value)));
    }
  }
  static constexpr TileKernels kKernels = {encode_nearest, encode_stochastic, decode, decode_add};
};

const TileKernels* bf16_kernels() { return &Cast<Bfloat16Lanes>::kKernels; }
const TileKernels* fp16_kernels() { return &Cast<Float16Lanes>::kKernels; }

#endif  // !GOSS_SIMD_IS_SCALAR
}  // namespace goss::quant::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace goss::quant::simd {

const TileKernels* bf16_kernels(int64_t target) {
  GOSS_SIMD_DISPATCH(target, bf16_kernels());
  return nullptr;
}
const TileKernels* fp16_kernels(int64_t target) {
  GOSS_SIMD_DISPATCH(target, fp16_kernels());
  return nullptr;
}

}  // namespace goss::quant::simd
#endif
