// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// The conversions of numbers.h between fp32 vectors and narrow floats that stand as codes in the
// low bits of 32-bit lanes, by arithmetic that every instruction set has. Neither direction
// computes with subnormal fp32 numbers, which are slow on some processors.
#if defined(GOSS_REDUCE_NARROW_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef GOSS_REDUCE_NARROW_INL_H_
#undef GOSS_REDUCE_NARROW_INL_H_
#else
#define GOSS_REDUCE_NARROW_INL_H_
#endif

#include <hwy/highway.h>

#include "reduce/loops-inl.h"
#include "reduce/numbers.h"

HWY_BEFORE_NAMESPACE();
namespace goss::reduce::HWY_NAMESPACE {
#if !GOSS_SIMD_IS_SCALAR

using Tag32 = hn::ScalableTag<uint32_t>;
using TagF32 = hn::ScalableTag<float>;
using Words = hn::Vec<Tag32>;
using Floats = hn::Vec<TagF32>;

HWY_INLINE Floats canonical_nan(Floats value) {
  const Floats nan = hn::BitCast(TagF32(), hn::Set(Tag32(), kCanonicalNan32));
  return hn::IfThenElse(hn::IsNaN(value), nan, value);
}

// The bits of `yes` where `mask` has ones, else those of `no`. IfVecThenElse selects bits on AVX3
// only, in one instruction; elsewhere it selects bytes.
HWY_INLINE Words select_bits(uint32_t mask, Words yes, Words no) {
  const Words m = hn::Set(Tag32(), mask);
#if HWY_TARGET == HWY_AVX3
  return hn::IfVecThenElse(m, yes, no);
#else
  return hn::Or(hn::And(m, yes), hn::AndNot(m, no));
#endif
}

HWY_INLINE auto above(Words magnitude, uint32_t bound) {
  const hn::RebindToSigned<Tag32> s;  // the order is the same for both below 2^31
  return hn::RebindMask(Tag32(),
                        hn::Gt(hn::BitCast(s, magnitude), hn::Set(s, static_cast<int32_t>(bound))));
}

// `code` has zeros above the format's bits.
template <class Format>
HWY_INLINE Floats decode(Words code) {
  const Tag32 u;
  const TagF32 f;
  const hn::RebindToSigned<Tag32> s;
  constexpr int kMantissaBits = Format::kMantissa;
  constexpr uint32_t kUnit = static_cast<uint32_t>(Format::kMinExponent - kMantissaBits + 127)
                             << 23;
  constexpr uint32_t kRebias = static_cast<uint32_t>(127 - Format::kBias) << 23;
  const Words magnitude = hn::And(code, hn::Set(u, Format::kSign - 1));
  const Words normal = hn::Add(hn::ShiftLeft<23 - kMantissaBits>(magnitude), hn::Set(u, kRebias));
  const Words subnormal = hn::BitCast(
      u, hn::Mul(hn::ConvertTo(f, hn::BitCast(s, magnitude)), hn::BitCast(f, hn::Set(u, kUnit))));
  Words bits = hn::IfThenElse(above(magnitude, (1u << kMantissaBits) - 1), normal, subnormal);
  if constexpr (Format::kHasInfinity) {
    bits = hn::IfThenElse(above(magnitude, Format::kMax), hn::Set(u, 0x7f800000u), bits);
    bits = hn::IfThenElse(above(magnitude, Format::kInfinity), hn::Set(u, kCanonicalNan32), bits);
  } else {
    bits = hn::IfThenElse(above(magnitude, Format::kMax), hn::Set(u, kCanonicalNan32), bits);
  }
  return hn::BitCast(f, select_bits(0x80000000u, hn::ShiftLeft<32 - Format::kBits>(code), bits));
}

// Bits above the code are garbage. The floating-point adder rounds: |x| + 2^(E + 23 - M), E the
// exponent of x but at least that of the smallest normal number, has its last bit where the
// result's last bit is, for normal and subnormal results alike. Its low bits count these units, k;
// the code is (E - Emin) * 2^M + k. The shifted exponent adds E * 2^M, and a constant in the low
// bits of the addend subtracts Emin * 2^M modulo the size of the code; it is even, so it does not
// disturb ties. The value may stand 2^kScale times too small, and need not be looked at for NaN.
template <class Format, int kScale = 0, bool kMayBeNan = true>
HWY_INLINE Words encode(Floats value) {
  const Tag32 u;
  const TagF32 f;
  constexpr int kShift = 23 - Format::kMantissa;
  constexpr uint32_t kLeast = static_cast<uint32_t>(Format::kMinExponent - kScale + 127);
  constexpr uint32_t kOffset = (0u - (kLeast << Format::kMantissa)) & ((1u << Format::kBits) - 1);
  static_assert(kOffset % 2 == 0);
  // What is larger gives the same code: the largest number, or 2^(Emax + 1), which is infinity's.
  constexpr float kLimit =
      (Format::kSaturates ? Format::decode(Format::kMax) : 65536.0f) / (1 << kScale);
  const Words all = hn::BitCast(u, value);
  const Words magnitude = hn::BitCast(
      u, hn::Min(hn::BitCast(f, hn::And(all, hn::Set(u, 0x7fffffffu))), hn::Set(f, kLimit)));
  const Words exponent =
      hn::Max(hn::And(magnitude, hn::Set(u, 0x7f800000u)), hn::Set(u, kLeast << 23));
  const Words addend =
      hn::Add(exponent, hn::Set(u, (static_cast<uint32_t>(kShift) << 23) + kOffset));
  const Words units = hn::BitCast(u, hn::Add(hn::BitCast(f, magnitude), hn::BitCast(f, addend)));
  const Words code = hn::Add(units, hn::ShiftRight<kShift>(exponent));
  const Words with_sign = select_bits(Format::kSign, hn::ShiftRight<32 - Format::kBits>(all), code);
  if constexpr (!kMayBeNan) return with_sign;
  const auto is_nan = hn::RebindMask(u, hn::IsNaN(value));
  return hn::IfThenElse(is_nan, hn::Set(u, Format::kNan), with_sign);
}

#endif  // !GOSS_SIMD_IS_SCALAR
}  // namespace goss::reduce::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // include guard
