// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// The dithers of kByteLanes neighbouring elements: Philox4x32-7 with one call per 64-bit lane. The
// words of the calls stand in the low halves of four vectors; multiplications ignore the high ones.
#if defined(GOSS_QUANT_DITHER_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef GOSS_QUANT_DITHER_INL_H_
#undef GOSS_QUANT_DITHER_INL_H_
#else
#define GOSS_QUANT_DITHER_INL_H_
#endif

#include <hwy/highway.h>

#include "quant/philox.h"
#include "quant/simd/vectors-inl.h"
#include "quant/x86/rounding-inl.h"

HWY_BEFORE_NAMESPACE();
namespace goss::quant::simd::HWY_NAMESPACE {
#if !GOSS_SIMD_IS_SCALAR

using TagU64 = hn::ScalableTag<uint64_t>;
using Longs = hn::Vec<TagU64>;

// Of kByteLanes elements: (r + 0.5) * 2^16 of each, r its dither, in the order of the elements.
struct Dithers {
  Words at[4];
};
HWY_INLINE Words dither_word(Words dither) { return hn::ShiftRight<16>(dither); }
// u is exact before it is added, so it may be multiplied and added in one step or in two.
HWY_INLINE Floats add_dither(Floats y, Words dither) {
  return hn::MulAdd(fraction_of(dither), set(kFractionUnit), y);
}

// A call is a long chain of multiplications: processors have room for those of two groups at once.
constexpr size_t kGroups = 2;
constexpr size_t kDithered = kGroups * kByteLanes;

class DitherSource {
 public:
  explicit HWY_INLINE DitherSource(const Dither& dither) : key_(philox_key(dither)) {
    const uint64_t product = uint64_t{kPhiloxMultiplier1} * key_.c2;
    first_high_ = static_cast<uint32_t>(product >> 32) ^ key_.k0;
    first_low_ = static_cast<uint32_t>(product);
    // The calls of a vector, so that their words come out in order: see split().
    HWY_ALIGN uint64_t order[kLanes / 2];
    for (size_t lane = 0; lane < kLanes / 2; ++lane) {
      order[lane] = kLanes == 16 ? lane % 2 * 2 + lane / 4 + lane % 4 / 2 * 4 : lane;
    }
    order_ = hn::Load(TagU64(), order);
  }

  // Of the elements from `first` on, a multiple of 8.
  HWY_INLINE void make(uint64_t first, Dithers (&dithers)[kGroups]) const {
    Words c0[kGroups], c1[kGroups], c2[kGroups], c3[kGroups];
    for (size_t g = 0; g < kGroups; ++g) first_round(first / 8 + g * kLanes / 2, g, c0, c1, c2, c3);
    uint32_t k0 = key_.k0, k1 = key_.k1;
    for (int round = 1; round < kPhiloxRounds - 1; ++round) {
      k0 += kPhiloxWeyl0;
      k1 += kPhiloxWeyl1;
      for (size_t g = 0; g < kGroups; ++g) {
        const Words p0 = times(c0[g], kPhiloxMultiplier0);
        const Words p1 = times(c2[g], kPhiloxMultiplier1);
        c0[g] = hn::Xor3(hn::Shuffle2301(p1), c1[g], set_word(k0));
        c2[g] = hn::Xor3(hn::Shuffle2301(p0), c3[g], set_word(k1));
        c1[g] = p1;
        c3[g] = p0;
      }
    }
    for (size_t g = 0; g < kGroups; ++g) {
      const Words p0 = times(c0[g], kPhiloxMultiplier0);
      const Words p1 = times(c2[g], kPhiloxMultiplier1);
      dithers[g] = split(last(p1, c1[g], k0 + kPhiloxWeyl0), last(p0, c3[g], k1 + kPhiloxWeyl1));
    }
  }

 private:
  using Group = Words[kGroups];
  // Two of its words are the same for all calls, up to the high half of the counter.
  HWY_INLINE void first_round(uint64_t call, size_t g, Group& c0, Group& c1, Group& c2,
                              Group& c3) const {
    const Longs counter = hn::Add(hn::Set(TagU64(), call), order_);
    const Words product = times(hn::BitCast(TagU32(), counter), kPhiloxMultiplier0);
    const Words high = hn::BitCast(TagU32(), hn::ShiftRight<32>(counter));
    c0[g] = hn::Xor(high, set_word(first_high_));
    c1[g] = set_word(first_low_);
    c2[g] = hn::Xor(hn::Shuffle2301(product), set_word(key_.c3 ^ key_.k1));
    c3[g] = product;
  }
  static HWY_INLINE Words times(Words a, uint32_t b) {
    return hn::BitCast(TagU32(), hn::MulEven(a, set_word(b)));
  }
  // Both words that a product of the last round becomes, in order.
  static HWY_INLINE Words last(Words product, Words other, uint32_t key) {
    const Words swapped = hn::Shuffle2301(product);
    return hn::OddEven(swapped, hn::Xor3(swapped, other, set_word(key)));
  }

  // a has the first two words of the calls, b the last two, which are 4 dithers each. Interleaved
  // with halves they become words; that takes the lower 4 of every 128 bits, then the upper 4.
  static HWY_INLINE Dithers split(Words a, Words b) {
    const TagU64 d;
    const Longs first = hn::BitCast(d, a), second = hn::BitCast(d, b);
#if HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_AVX2
    const Longs lower = hn::OddEvenBlocks(hn::SwapAdjacentBlocks(second), first);
    const Longs upper = hn::OddEvenBlocks(second, hn::SwapAdjacentBlocks(first));
#else
    const Longs lower = hn::InterleaveLower(d, first, second);
    const Longs upper = hn::InterleaveUpper(d, first, second);
#endif
    const TagU16 d16;
    const auto half = hn::Set(d16, uint16_t{0x8000});
    const auto low = hn::BitCast(d16, lower), high = hn::BitCast(d16, upper);
    return {{hn::BitCast(TagU32(), hn::InterleaveLower(d16, half, low)),
             hn::BitCast(TagU32(), hn::InterleaveUpper(d16, half, low)),
             hn::BitCast(TagU32(), hn::InterleaveLower(d16, half, high)),
             hn::BitCast(TagU32(), hn::InterleaveUpper(d16, half, high))}};
  }

  PhiloxKey key_;
  uint32_t first_high_, first_low_;
  Longs order_;
};

#endif  // !GOSS_SIMD_IS_SCALAR
}  // namespace goss::quant::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // include guard
