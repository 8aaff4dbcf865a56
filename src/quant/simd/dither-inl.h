// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// The dithers of a tile: Philox4x32-7 with one call per 64-bit lane, whose words stand in the low
// halves of four vectors; high halves are ignored by the multiplication.
#if defined(GOSS_QUANT_DITHER_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef GOSS_QUANT_DITHER_INL_H_
#undef GOSS_QUANT_DITHER_INL_H_
#else
#define GOSS_QUANT_DITHER_INL_H_
#endif

#include <hwy/highway.h>

#include "quant/philox.h"
#include "quant/simd/vectors-inl.h"

HWY_BEFORE_NAMESPACE();
namespace goss::quant::simd::HWY_NAMESPACE {
#if !GOSS_SIMD_IS_SCALAR

using TagU64 = hn::ScalableTag<uint64_t>;
using Longs = hn::Vec<TagU64>;
constexpr size_t kCalls = kLanes / 2;  // at once
constexpr size_t kCallsPerTile = kTile / 8;

struct TileDither {
  HWY_ALIGN uint16_t at[kTile];
};

HWY_INLINE Longs times(Longs a, uint32_t b) {
  return hn::MulEven(hn::BitCast(TagU32(), a), set_word(b));
}
HWY_INLINE Longs xor3(Longs a, Longs b, Longs c) { return hn::Xor(a, hn::Xor(b, c)); }

HWY_INLINE void fill_dither(const Dither& dither, uint64_t first_element, TileDither* out) {
  const TagU64 d;
  const PhiloxKey key = philox_key(dither);
  const Longs low = hn::Set(d, 0xffffffffu);
  for (size_t call = 0; call < kCallsPerTile; call += kCalls) {
    const Longs counter = hn::Add(hn::Set(d, first_element / 8 + call), hn::Iota(d, 0));
    Longs c0 = counter;
    Longs c1 = hn::ShiftRight<32>(counter);
    Longs c2 = hn::Set(d, key.c2);
    Longs c3 = hn::Set(d, key.c3);
    uint32_t k0 = key.k0, k1 = key.k1;
    for (int round = 0; round < kPhiloxRounds; ++round) {
      const Longs p0 = times(c0, kPhiloxMultiplier0);
      const Longs p1 = times(c2, kPhiloxMultiplier1);
      c0 = xor3(hn::ShiftRight<32>(p1), c1, hn::Set(d, k0));
      c1 = p1;
      c2 = xor3(hn::ShiftRight<32>(p0), c3, hn::Set(d, k1));
      c3 = p0;
      k0 += kPhiloxWeyl0;
      k1 += kPhiloxWeyl1;
    }
    const Longs c01 = hn::Or(hn::And(c0, low), hn::ShiftLeft<32>(c1));
    const Longs c23 = hn::Or(hn::And(c2, low), hn::ShiftLeft<32>(c3));
    hn::StoreInterleaved2(c01, c23, d, reinterpret_cast<uint64_t*>(out->at + 8 * call));
  }
}

// The dithers of elements i..: 0 to 65535, and u, exact.
HWY_INLINE Words dither_words_at(const TileDither& dither, size_t i) {
  const hn::Rebind<uint16_t, TagU32> half;
  return hn::PromoteTo(TagU32(), hn::Load(half, dither.at + i));
}
HWY_INLINE Floats dither_at(const TileDither& dither, size_t i) {
  const Ints r = hn::BitCast(TagI32(), dither_words_at(dither, i));
  return hn::MulAdd(hn::ConvertTo(TagF32(), r), set(0x1p-16f), set(0x1p-17f));
}

#endif  // !GOSS_SIMD_IS_SCALAR
}  // namespace goss::quant::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // include guard
