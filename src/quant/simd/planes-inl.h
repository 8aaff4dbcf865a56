// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Codes of a tile between one byte per element and planes of 4, 2 and 1 bits.
#if defined(GOSS_QUANT_PLANES_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef GOSS_QUANT_PLANES_INL_H_
#undef GOSS_QUANT_PLANES_INL_H_
#else
#define GOSS_QUANT_PLANES_INL_H_
#endif

#include <hwy/highway.h>

#include <cstring>

#include "quant/simd/vectors-inl.h"

HWY_BEFORE_NAMESPACE();
namespace goss::quant::simd::HWY_NAMESPACE {
#if !GOSS_SIMD_IS_SCALAR

struct TileCodes {
  HWY_ALIGN uint8_t at[kTile];
};

// kShift: where in the code the plane's bits begin.
template <int kShift>
HWY_INLINE void pack4(const TileCodes& codes, uint8_t* plane) {
  const TagU16 d;
  const auto nibble_pairs = [&](size_t i) {
    const auto pair = hn::BitCast(d, hn::Load(TagU8(), codes.at + i));
    const auto low = hn::And(hn::ShiftRight<kShift>(pair), hn::Set(d, uint16_t{0x0f}));
    return hn::BitCast(TagU8(), hn::Or(low, hn::And(hn::ShiftRight<kShift + 4>(pair),
                                                    hn::Set(d, uint16_t{0xf0}))));
  };
  for (size_t i = 0; i < kTile; i += 2 * kByteLanes) {
    const ByteVec packed = hn::ConcatEven(TagU8(), nibble_pairs(i + kByteLanes), nibble_pairs(i));
    hn::StoreU(packed, TagU8(), plane + i / 2);
  }
}

template <int kShift>
HWY_INLINE void pack2(const TileCodes& codes, uint8_t* plane) {
  const auto fours = [&](size_t i) {
    const Words code = hn::BitCast(TagU32(), hn::Load(TagU8(), codes.at + i));
    const Words pairs = hn::And(hn::ShiftRight<kShift>(code), set_word(0x03030303u));
    const Words twos = hn::Or(pairs, hn::ShiftRight<6>(pairs));
    return hn::Or(twos, hn::ShiftRight<12>(twos));
  };
  for (size_t i = 0; i < kTile; i += 4 * kByteLanes) {
    const ByteVec packed = low_bytes(fours(i), fours(i + kByteLanes), fours(i + 2 * kByteLanes),
                                     fours(i + 3 * kByteLanes));
    hn::StoreU(packed, TagU8(), plane + i / 4);
  }
}

template <int kShift>
HWY_INLINE void pack1(const TileCodes& codes, uint8_t* plane) {
  const ByteVec bit = hn::Set(TagU8(), uint8_t{1 << kShift});
  for (size_t i = 0; i < kTile; i += kByteLanes) {
    uint8_t bits[8];
    hn::StoreMaskBits(TagU8(), hn::TestBit(hn::Load(TagU8(), codes.at + i), bit), bits);
    std::memcpy(plane + i / 8, bits, kByteLanes / 8);
  }
}

// Codes of kBits, which are two's complement if kSigned, as whole bytes.
template <int kBits, bool kSigned>
HWY_INLINE ByteVec whole(ByteVec code) {
  if constexpr (!kSigned) return code;
  const ByteVec sign = hn::Set(TagU8(), uint8_t{1 << (kBits - 1)});
  return hn::Sub(hn::Xor(code, sign), sign);
}

template <class Finish>
HWY_INLINE void unpack4(const uint8_t* plane, TileCodes* codes, Finish finish) {
  const ByteVec mask = hn::Set(TagU8(), uint8_t{0x0f});
  for (size_t i = 0; i < kTile / 2; i += kByteLanes) {
    const ByteVec pairs = hn::LoadU(TagU8(), plane + i);
    const ByteVec high = hn::BitCast(TagU8(), hn::ShiftRight<4>(hn::BitCast(TagU16(), pairs)));
    hn::StoreInterleaved2(finish(hn::And(pairs, mask)), finish(hn::And(high, mask)), TagU8(),
                          codes->at + 2 * i);
  }
}

template <class Finish>
HWY_INLINE void unpack2(const uint8_t* plane, TileCodes* codes, Finish finish) {
  const ByteVec mask = hn::Set(TagU8(), uint8_t{3});
  for (size_t i = 0; i < kTile / 4; i += kByteLanes) {
    const auto fours = hn::BitCast(TagU16(), hn::LoadU(TagU8(), plane + i));
    const auto bits = [&](auto shifted) {
      return finish(hn::And(hn::BitCast(TagU8(), shifted), mask));
    };
    hn::StoreInterleaved4(bits(fours), bits(hn::ShiftRight<2>(fours)),
                          bits(hn::ShiftRight<4>(fours)), bits(hn::ShiftRight<6>(fours)), TagU8(),
                          codes->at + 4 * i);
  }
}

HWY_INLINE ByteVec bits_at(const uint8_t* plane, size_t i) {  // 0 or 1, of elements i..
  uint8_t bits[8] = {};
  std::memcpy(bits, plane + i / 8, kByteLanes / 8);
  return hn::IfThenElseZero(hn::LoadMaskBits(TagU8(), bits), hn::Set(TagU8(), uint8_t{1}));
}

template <int kBits>
HWY_INLINE void pack(const TileCodes& codes, uint8_t* payload) {
  constexpr size_t kHighAt = kTile / 8 * (kBits == 3 ? 2 : 4);
  if constexpr (kBits == 2 || kBits == 3) pack2<0>(codes, payload);
  if constexpr (kBits >= 4 && kBits <= 6) pack4<0>(codes, payload);
  if constexpr (kBits == 6) pack2<4>(codes, payload + kHighAt);
  if constexpr (kBits == 5) pack1<4>(codes, payload + kHighAt);
  if constexpr (kBits == 3) pack1<2>(codes, payload + kHighAt);
}

template <int kBits, bool kSigned>
HWY_INLINE void unpack(const uint8_t* payload, TileCodes* codes) {
  constexpr int kLow = kBits == 3 ? 2 : HWY_MIN(kBits, 4);
  const uint8_t* plane = payload + kTile / 8 * kLow;
  const auto finish = [](ByteVec code) { return whole<kBits, kSigned>(code); };
  const auto keep = [](ByteVec code) { return code; };
  if constexpr (kBits == 2) unpack2(payload, codes, finish);
  if constexpr (kBits == 4) unpack4(payload, codes, finish);
  if constexpr (kBits == 3) unpack2(payload, codes, keep);
  if constexpr (kBits == 5 || kBits == 6) unpack4(payload, codes, keep);
  if constexpr (kBits == 2 || kBits == 4) return;
  TileCodes high;
  if constexpr (kBits == 6) unpack2(plane, &high, keep);
  for (size_t i = 0; i < kTile; i += kByteLanes) {
    ByteVec top;
    if constexpr (kBits == 6) {
      top = hn::Load(TagU8(), high.at + i);
    } else {
      top = bits_at(plane, i);
    }
    const auto shifted = hn::ShiftLeft<kLow>(hn::BitCast(TagU16(), top));
    const ByteVec code = hn::Or(hn::Load(TagU8(), codes->at + i), hn::BitCast(TagU8(), shifted));
    hn::Store(finish(code), TagU8(), codes->at + i);
  }
}

#endif  // !GOSS_SIMD_IS_SCALAR
}  // namespace goss::quant::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // include guard
