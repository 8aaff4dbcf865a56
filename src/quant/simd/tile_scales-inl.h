// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// The scales of a tile, kLanes blocks at a time: the largest magnitudes come out of a transposition
// with block b in lane b, so that the arithmetic of scales.h (its division above all) is done for
// a vector of blocks.
#if defined(GOSS_QUANT_TILE_SCALES_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef GOSS_QUANT_TILE_SCALES_INL_H_
#undef GOSS_QUANT_TILE_SCALES_INL_H_
#else
#define GOSS_QUANT_TILE_SCALES_INL_H_
#endif

#include <hwy/highway.h>

#include "quant/simd/vectors-inl.h"

HWY_BEFORE_NAMESPACE();
namespace goss::quant::simd::HWY_NAMESPACE {
#if !GOSS_SIMD_IS_SCALAR

struct TileScales {
  HWY_ALIGN float at[kBlocksPerTile];  // inverses when encoding, steps when decoding
  uint32_t nan_blocks = 0;             // bit per block
  bool exceeds = false;                // a number divided by its step is above the largest code
};

// One block: the largest magnitudes in each lane.
HWY_INLINE Words block_largest(const void* values, size_t block) {
  const Words mask = set_word(kMagnitude32);
  Words largest = hn::And(words_of(load(values, block * kBlock)), mask);
  for (size_t i = kLanes; i < kBlock; i += kLanes) {
    largest = hn::Max(largest, hn::And(words_of(load(values, block * kBlock + i)), mask));
  }
  return largest;
}

// Four blocks: in every 128 bits, lane b has the largest of block b there.
HWY_INLINE Words four_largest(const void* values, size_t block) {
  const hn::Repartition<uint64_t, TagU32> d64;
  const TagU32 d;
  const Words a = block_largest(values, block), b = block_largest(values, block + 1);
  const Words c = block_largest(values, block + 2), e = block_largest(values, block + 3);
  const auto ab =
      hn::BitCast(d64, hn::Max(hn::InterleaveLower(d, a, b), hn::InterleaveUpper(d, a, b)));
  const auto ce =
      hn::BitCast(d64, hn::Max(hn::InterleaveLower(d, c, e), hn::InterleaveUpper(d, c, e)));
  return hn::Max(hn::BitCast(d, hn::InterleaveLower(d64, ab, ce)),
                 hn::BitCast(d, hn::InterleaveUpper(d64, ab, ce)));
}

#if HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_AVX2
// Halves of a in the lower, halves of b in the upper half.
HWY_INLINE Words join_halves(Words a, Words b) {
  return hn::Max(hn::ConcatLowerLower(TagU32(), b, a), hn::ConcatUpperUpper(TagU32(), b, a));
}
#endif

// The largest magnitudes of kLanes blocks from `block` on, as bits.
HWY_INLINE Words largest_of_blocks(const void* values, size_t block) {
#if HWY_TARGET == HWY_AVX3
  const Words s = join_halves(four_largest(values, block), four_largest(values, block + 8));
  const Words t = join_halves(four_largest(values, block + 4), four_largest(values, block + 12));
  return hn::OddEvenBlocks(hn::Max(t, hn::SwapAdjacentBlocks(t)),
                           hn::Max(s, hn::SwapAdjacentBlocks(s)));
#elif HWY_TARGET == HWY_AVX2
  return join_halves(four_largest(values, block), four_largest(values, block + 4));
#else
  static_assert(kLanes == 4);
  return four_largest(values, block);
#endif
}

// A vector of blocks: largest magnitudes, without and with the factor; which blocks are not NaN,
// and which of these are not zero.
struct Largest {
  Floats plain, scaled;
  hn::Mask<TagF32> finite, kept;
};
HWY_INLINE Largest scaled_largest(const TileEncode& a, size_t block) {
  const Floats plain = floats_of(largest_of_blocks(a.values, block));
  const Floats scaled = hn::Mul(plain, magnitude(set(a.factor)));
  const auto finite = hn::Le(scaled, set(0x1.fffffep127f));  // NaNs compare false
  return {plain, scaled, finite, hn::And(finite, hn::Ge(scaled, set(kTiny)))};
}

HWY_INLINE void note_nans(const Largest& largest, size_t block, TileScales* scales) {
  if (HWY_LIKELY(hn::AllTrue(TagF32(), largest.finite))) return;
  uint8_t bits[8] = {};
  hn::StoreMaskBits(TagF32(), hn::Not(largest.finite), bits);
  scales->nan_blocks |= static_cast<uint32_t>(bits[0] | bits[1] << 8) << block;
}

HWY_INLINE void keep_inverses(const Largest& largest, Floats inverse, float limit, size_t block,
                              TileScales* scales) {
  const Floats kept = hn::IfThenElseZero(largest.kept, inverse);
  hn::Store(kept, TagF32(), scales->at + block);
  const auto above = hn::Gt(hn::Mul(largest.plain, magnitude(kept)), set(limit));
  scales->exceeds |= !hn::AllFalse(TagF32(), hn::And(above, largest.kept));
  note_nans(largest, block, scales);
}

template <class Element>
HWY_INLINE void bf16_scales(const TileEncode& a, TileScales* scales) {
  constexpr float kInverse = inverse_up(Element::kLimit);
  const float least = float_of(bits_of(a.factor) & kMagnitude32) * 0x1p-126f;
  for (size_t block = 0; block < kBlocksPerTile; block += kLanes) {
    const Largest largest = scaled_largest(a, block);
    const Floats exact = hn::Max(hn::Mul(largest.scaled, set(kInverse)), set(least));
    const Words rounded = hn::ShiftRight<16>(hn::Add(words_of(exact), set_word(0xffffu)));
    const Words bits = hn::Min(rounded, set_word(kMaxBf16));
    const Floats inverse = hn::Div(set(a.factor), floats_of(hn::ShiftLeft<16>(bits)));
    const Floats kept = hn::IfThenElseZero(largest.kept, floats_of(bits));
    const Floats nan = floats_of(set_word(kNanScaleBf16));
    store_words16(words_of(hn::IfThenElse(largest.finite, kept, nan)), a.scales + 2 * block);
    keep_inverses(largest, inverse, Element::kLimit, block, scales);
  }
}

template <class Element>
HWY_INLINE void e8m0_scales(const TileEncode& a, TileScales* scales) {
  const TagI32 d;
  const hn::Rebind<uint8_t, TagI32> narrow;
  constexpr int kOffset = exponent_of(Element::kLimit);
  constexpr int kMantissa = static_cast<int>(bits_of(Element::kLimit) & 0x7fffffu);
  const int least = HWY_MAX(-127, exponent_of(a.factor) - 126 + Element::kShift);
  const Ints up = hn::Set(d, a.mx_scale == MxScale::kUp ? 1 : 0);
  for (size_t block = 0; block < kBlocksPerTile; block += kLanes) {
    const Largest largest = scaled_largest(a, block);
    const Ints bits = hn::BitCast(d, largest.scaled);
    const auto above = hn::Gt(hn::And(bits, hn::Set(d, 0x7fffff)), hn::Set(d, kMantissa));
    const Ints ceiling = hn::Add(hn::Sub(hn::ShiftRight<23>(bits), hn::Set(d, 127 + kOffset)),
                                 hn::IfThenElseZero(above, up));
    const Ints exponent = hn::Min(hn::Max(ceiling, hn::Set(d, least)), hn::Set(d, 127));
    const Ints power = hn::ShiftLeft<23>(hn::Sub(hn::Set(d, 127 + Element::kShift), exponent));
    const Floats inverse = hn::Mul(set(a.factor), hn::BitCast(TagF32(), power));
    const Ints kept =
        hn::IfThenElseZero(hn::RebindMask(d, largest.kept), hn::Add(exponent, hn::Set(d, 127)));
    const Ints wire =
        hn::IfThenElse(hn::RebindMask(d, largest.finite), kept, hn::Set(d, kNanScaleE8m0));
    hn::StoreU(hn::DemoteTo(narrow, wire), narrow, a.scales + block);
    keep_inverses(largest, inverse, Element::kLimit * (1 << Element::kShift), block, scales);
  }
}

template <Scale kScale, class Element>
HWY_INLINE void make_scales(const TileEncode& a, TileScales* scales) {
  if constexpr (kScale == Scale::kBf16) {
    bf16_scales<Element>(a, scales);
  } else {
    e8m0_scales<Element>(a, scales);
  }
}

HWY_INLINE Floats step_where(hn::Mask<TagI32> nan, Words bits) {
  return hn::IfThenElse(hn::RebindMask(TagF32(), nan), floats_of(set_word(kCanonicalNan32)),
                        floats_of(bits));
}

HWY_INLINE void bf16_steps(const uint8_t* bytes, TileScales* steps) {
  const TagI32 d;
  for (size_t block = 0; block < kBlocksPerTile; block += kLanes) {
    const Words bits = load_words16(bytes + 2 * block);
    const Ints size = hn::BitCast(d, hn::And(bits, set_word(0x7fffu)));
    const auto nan = hn::Gt(size, hn::Set(d, static_cast<int>(kMaxBf16)));
    hn::Store(step_where(nan, hn::ShiftLeft<16>(bits)), TagF32(), steps->at + block);
  }
}

template <class Element>
HWY_INLINE void e8m0_steps(const uint8_t* bytes, TileScales* steps) {
  const TagI32 d;
  const hn::Rebind<uint8_t, TagI32> narrow;
  for (size_t block = 0; block < kBlocksPerTile; block += kLanes) {
    const Ints bits = hn::PromoteTo(d, hn::LoadU(narrow, bytes + block));
    const Ints power =
        hn::IfThenElse(hn::Eq(bits, hn::Zero(d)), hn::Set(d, 0x00400000), hn::ShiftLeft<23>(bits));
    const Floats step = step_where(hn::Gt(bits, hn::Set(d, 254)), hn::BitCast(TagU32(), power));
    hn::Store(hn::Mul(step, set(float_of((127u - Element::kShift) << 23))), TagF32(),
              steps->at + block);
  }
}

template <Scale kScale, class Element>
HWY_INLINE void read_steps(const uint8_t* bytes, TileScales* steps) {
  if constexpr (kScale == Scale::kBf16) {
    bf16_steps(bytes, steps);
  } else {
    e8m0_steps<Element>(bytes, steps);
  }
}

#endif  // !GOSS_SIMD_IS_SCALAR
}  // namespace goss::quant::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // include guard
