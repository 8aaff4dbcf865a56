// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Two steps of stochastic rounding that AVX-512 does with one instruction each and that Highway has
// no function for; other instruction sets take several. They save an eighth of its instructions.
#if defined(GOSS_QUANT_ROUNDING_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef GOSS_QUANT_ROUNDING_INL_H_
#undef GOSS_QUANT_ROUNDING_INL_H_
#else
#define GOSS_QUANT_ROUNDING_INL_H_
#endif

#include <hwy/highway.h>

#include "quant/simd/vectors-inl.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

HWY_BEFORE_NAMESPACE();
namespace goss::quant::simd::HWY_NAMESPACE {
#if !GOSS_SIMD_IS_SCALAR

#if HWY_TARGET == HWY_AVX3
// gcc 12 warns of undefined values inside the functions without masks, and drops this mask.
constexpr __mmask16 kAll = 0xffff;

// A word of at most 24 significant bits is fraction_of(word) * kFractionUnit times 2^32, exactly.
HWY_INLINE Floats fraction_of(Words word) {
  return Floats{_mm512_maskz_cvtepu32_ps(kAll, word.raw)};
}
constexpr float kFractionUnit = 0x1p-32f;

// |t| < 2^22: floor(t) in the low bits.
HWY_INLINE Words floor_bits(Floats t) {
  constexpr int kDown = _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC;
  return words_of(Floats{_mm512_maskz_add_round_ps(kAll, t.raw, set(0x1.8p23f).raw, kDown)});
}
#else
HWY_INLINE Floats fraction_of(Words word) {  // conversions are signed here
  return hn::ConvertTo(TagF32(), hn::BitCast(TagI32(), hn::ShiftRight<1>(word)));
}
constexpr float kFractionUnit = 0x1p-31f;

HWY_INLINE Words floor_bits(Floats t) { return words_of(hn::Add(hn::Floor(t), set(0x1.8p23f))); }
#endif

#endif  // !GOSS_SIMD_IS_SCALAR
}  // namespace goss::quant::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // include guard
