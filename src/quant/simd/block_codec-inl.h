// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// The kernels of a codec of blocks, made of a kind of scale and a kind of element as in
// scalar/tile.h. An element for vectors has
//   kBits, kLimit, kShift  as there
//   kSigned                codes are two's complement
//   nearest<kClamp>(y)     -> codes in the low kBits of words, garbage above
//   stochastic<kClamp>(y, dither)  the same, with words of dither-inl.h
//   decode(codes)          from whole bytes, signed or not, to numbers
// kClamp: y may be above kLimit.
#if defined(GOSS_QUANT_BLOCK_CODEC_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef GOSS_QUANT_BLOCK_CODEC_INL_H_
#undef GOSS_QUANT_BLOCK_CODEC_INL_H_
#else
#define GOSS_QUANT_BLOCK_CODEC_INL_H_
#endif

#include <hwy/highway.h>

#include "quant/simd/dither-inl.h"
#include "quant/simd/planes-inl.h"
#include "quant/simd/tile_scales-inl.h"

HWY_BEFORE_NAMESPACE();
namespace goss::quant::simd::HWY_NAMESPACE {
#if !GOSS_SIMD_IS_SCALAR

template <Scale kScale, class Element>
struct BlockCodec {
  static constexpr bool kBytes = Element::kBits == 8;  // codes are the payload

  // kByteLanes codes from element i on.
  template <class MakeCode>
  static HWY_INLINE void encode_group(const TileEncode& a, const TileScales& scales, size_t i,
                                      uint8_t* bytes, MakeCode make_code) {
    fetch(a.values, i, a.ahead_bytes);
    Words code[4];
    for (size_t v = 0; v < 4; ++v) {  // blocks are not shorter than vectors
      const size_t at = i + v * kLanes;
      code[v] = make_code(hn::Mul(load(a.values, at), set(scales.at[at / kBlock])), v);
    }
    hn::StoreU(low_bytes(code[0], code[1], code[2], code[3]), TagU8(), bytes + i);
  }

  template <Rounding kRounding, bool kClamp>
  static HWY_INLINE void encode_codes(const TileEncode& a, const TileScales& scales,
                                      uint8_t* bytes) {
    if constexpr (kRounding == Rounding::kNearest) {
      for (size_t i = 0; i < kTile; i += kByteLanes) {
        encode_group(a, scales, i, bytes,
                     [](Floats y, size_t) { return Element::template nearest<kClamp>(y); });
      }
    } else {
      const DitherSource source(a.dither);
      for (size_t i = 0; i < kTile; i += kDithered) {
        Dithers dithers[kGroups];
        source.make(a.first_element + i, dithers);
        for (size_t g = 0; g < kGroups; ++g) {
          encode_group(a, scales, i + g * kByteLanes, bytes, [&](Floats y, size_t v) {
            return Element::template stochastic<kClamp>(y, dithers[g].at[v]);
          });
        }
      }
    }
  }

  static HWY_NOINLINE void clear_blocks(uint32_t blocks, uint8_t* bytes) {
    for (size_t block = 0; block < kBlocksPerTile; ++block) {
      if ((blocks >> block & 1) != 0) std::memset(bytes + kBlock * block, 0, kBlock);
    }
  }

  template <Rounding kRounding>
  static void encode(const TileEncode& a) {
    TileScales scales;
    make_scales<kScale, Element>(a, &scales);
    TileCodes codes;
    uint8_t* bytes = kBytes ? a.payload : codes.at;
    constexpr bool kMayExceed = kRounding == Rounding::kStochastic || kScale == Scale::kE8m0;
    if (kMayExceed && scales.exceeds) {
      encode_codes<kRounding, true>(a, scales, bytes);
    } else {
      encode_codes<kRounding, false>(a, scales, bytes);
    }
    if (HWY_UNLIKELY(scales.nan_blocks != 0)) clear_blocks(scales.nan_blocks, bytes);
    if constexpr (!kBytes) pack<Element::kBits>(codes, a.payload);
  }

  template <class Visit>
  static HWY_INLINE void for_each_vector(const TileBytes& bytes, const void* numbers, Visit visit) {
    TileScales steps;
    read_steps<kScale, Element>(bytes.scales, &steps);
    TileCodes codes;
    const uint8_t* from = bytes.payload;
    if constexpr (!kBytes) {
      unpack<Element::kBits, Element::kSigned>(bytes.payload, &codes);
      from = codes.at;
    }
    for (size_t i = 0; i < kTile; i += kLanes) {
      if (i % kByteLanes == 0) fetch(numbers, i, bytes.ahead_bytes);
      const hn::Rebind<uint8_t, TagI32> narrow;
      const hn::Rebind<int8_t, TagI32> narrow_signed;
      const auto code = hn::LoadU(narrow, from + i);
      Ints wide;
      if constexpr (Element::kSigned) {
        wide = hn::PromoteTo(TagI32(), hn::BitCast(narrow_signed, code));
      } else {
        wide = hn::PromoteTo(TagI32(), code);
      }
      visit(i, hn::Mul(Element::decode(wide), set(steps.at[i / kBlock])));
    }
  }

  static void decode(const TileBytes& bytes, void* out) {
    for_each_vector(bytes, out, [&](size_t i, Floats value) {
      store(out, i, Element::kSigned ? value : with_canonical_nan(value));
    });
  }
  static void decode_add(const TileBytes& bytes, const void* base, void* out) {
    for_each_vector(bytes, base, [&](size_t i, Floats value) {
      store(out, i, with_canonical_nan(hn::Add(load(base, i), value)));
    });
  }

  static constexpr TileKernels kKernels = {encode<Rounding::kNearest>,
                                           encode<Rounding::kStochastic>, decode, decode_add};
};

#endif  // !GOSS_SIMD_IS_SCALAR
}  // namespace goss::quant::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // include guard
