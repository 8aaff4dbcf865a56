// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// AVX-512 instructions that Highway has no function for, for the quick forms of kernels
// (loops-inl.h): comparison of two registers for NaNs in either, and operations under a mask.
#if defined(GOSS_REDUCE_QUICK_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef GOSS_REDUCE_QUICK_INL_H_
#undef GOSS_REDUCE_QUICK_INL_H_
#else
#define GOSS_REDUCE_QUICK_INL_H_
#endif

#include <hwy/highway.h>

#include "reduce/loops-inl.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#define GOSS_REDUCE_QUICK (HWY_TARGET == HWY_AVX3)

HWY_BEFORE_NAMESPACE();
namespace goss::reduce::HWY_NAMESPACE {
#if GOSS_REDUCE_QUICK

using Floats512 = hn::Vec512<float>;
using Doubles512 = hn::Vec512<double>;
using Words512 = hn::Vec512<uint32_t>;

// What has been read: gcc would read it again for every instruction that can do so.
template <class V>
HWY_INLINE V in_register(V value) {
  asm("" : "+v"(value.raw));
  return value;
}

// Whether there has been a NaN. Comparisons under the mask of those before: nothing else is needed
// to put them together.
template <class T>
class Numbers;
template <>
class Numbers<float> {
 public:
  HWY_INLINE void look(Floats512 a, Floats512 b) {
    mask_ = _mm512_mask_cmp_ps_mask(mask_, a.raw, b.raw, _CMP_ORD_Q);
  }
  HWY_INLINE bool only() const { return mask_ == 0xffff; }

 private:
  __mmask16 mask_ = 0xffff;
};
template <>
class Numbers<double> {
 public:
  HWY_INLINE void look(Doubles512 a, Doubles512 b) {
    mask_ = _mm512_mask_cmp_pd_mask(mask_, a.raw, b.raw, _CMP_ORD_Q);
  }
  HWY_INLINE bool only() const { return mask_ == 0xff; }

 private:
  __mmask8 mask_ = 0xff;
};

// Numbers as sign and magnitude, without NaNs; -0 < +0. As signed integers the lesser is right
// unless both are negative; then as unsigned ones the greater is. (By shift and selection, because
// processors compute few masks at a time.)
template <class V>
HWY_INLINE V where_negative(V sign, V yes, V no) {
  const hn::DFromV<V> d;
  const hn::RebindToSigned<hn::DFromV<V>> s;
  return hn::IfVecThenElse(hn::BitCast(d, hn::BroadcastSignBit(hn::BitCast(s, sign))), yes, no);
}
template <class V>
HWY_INLINE V lesser(V a, V b) {
  const hn::DFromV<V> d;
  const hn::RebindToSigned<hn::DFromV<V>> s;
  const V least = hn::BitCast(d, hn::Min(hn::BitCast(s, a), hn::BitCast(s, b)));
  return where_negative(least, hn::Max(a, b), least);
}
template <class V>
HWY_INLINE V greater(V a, V b) {
  const hn::DFromV<V> d;
  const hn::RebindToSigned<hn::DFromV<V>> s;
  const V most = hn::BitCast(d, hn::Max(hn::BitCast(s, a), hn::BitCast(s, b)));
  return where_negative(most, hn::Min(a, b), most);
}

// fp32 without NaNs, rounded to bf16 in the upper half: plus half of the last place that stays, or
// less than that where the rest is even.
HWY_INLINE Words512 rounded_to_upper_half(Floats512 value) {
  const __m512i bits = _mm512_castps_si512(value.raw);
  const __mmask16 odd = _mm512_test_epi32_mask(bits, _mm512_set1_epi32(0x10000));
  const __m512i less = _mm512_add_epi32(bits, _mm512_set1_epi32(0x7fff));
  return Words512{_mm512_mask_add_epi32(less, odd, bits, _mm512_set1_epi32(0x8000))};
}

#endif  // GOSS_REDUCE_QUICK
}  // namespace goss::reduce::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // include guard
