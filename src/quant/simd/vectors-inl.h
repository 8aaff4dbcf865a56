// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Vectors of fp32 and their neighbours: loads and stores at any address, 16-bit floats, four
// vectors of codes to bytes.
#if defined(GOSS_QUANT_VECTORS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef GOSS_QUANT_VECTORS_INL_H_
#undef GOSS_QUANT_VECTORS_INL_H_
#else
#define GOSS_QUANT_VECTORS_INL_H_
#endif

#include <hwy/cache_control.h>
#include <hwy/highway.h>

#include "quant/scales.h"

HWY_BEFORE_NAMESPACE();
namespace goss::quant::simd::HWY_NAMESPACE {
#if !GOSS_SIMD_IS_SCALAR

namespace hn = hwy::HWY_NAMESPACE;
using TagF32 = hn::ScalableTag<float>;
using TagU32 = hn::ScalableTag<uint32_t>;
using TagI32 = hn::ScalableTag<int32_t>;
using TagU16 = hn::ScalableTag<uint16_t>;
using TagU8 = hn::ScalableTag<uint8_t>;
using Floats = hn::Vec<TagF32>;
using Words = hn::Vec<TagU32>;
using Ints = hn::Vec<TagI32>;
using ByteVec = hn::Vec<TagU8>;
constexpr size_t kLanes = hn::MaxLanes(TagF32());
constexpr size_t kByteLanes = 4 * kLanes;

HWY_INLINE Floats set(float value) { return hn::Set(TagF32(), value); }
HWY_INLINE Words set_word(uint32_t value) { return hn::Set(TagU32(), value); }
HWY_INLINE Words words_of(Floats value) { return hn::BitCast(TagU32(), value); }
HWY_INLINE Floats floats_of(Words bits) { return hn::BitCast(TagF32(), bits); }

// Elements i.. of fp32 numbers at any address.
HWY_INLINE Floats load(const void* values, size_t i) {
  return hn::BitCast(TagF32(), hn::LoadU(TagU8(), static_cast<const uint8_t*>(values) + 4 * i));
}
HWY_INLINE void store(void* values, size_t i, Floats value) {
  hn::StoreU(hn::BitCast(TagU8(), value), TagU8(), static_cast<uint8_t*>(values) + 4 * i);
}
// Fetches the cache lines of kByteLanes numbers that lie ahead_bytes behind those from i on.
HWY_INLINE void fetch(const void* values, size_t i, size_t ahead_bytes) {
  const uint8_t* next = static_cast<const uint8_t*>(values) + 4 * i + ahead_bytes;
  for (size_t byte = 0; byte < 4 * kByteLanes; byte += 64) hwy::Prefetch(next + byte);
}
HWY_INLINE Floats with_canonical_nan(Floats value) {
  return hn::IfThenElse(hn::IsNaN(value), floats_of(set_word(kCanonicalNan32)), value);
}
HWY_INLINE Floats magnitude(Floats value) {
  return floats_of(hn::And(words_of(value), set_word(kMagnitude32)));
}
// kLanes words of 16 bits at any address, and back.
HWY_INLINE Words load_words16(const void* from) {
  const hn::Rebind<uint16_t, TagU32> half;
  const hn::Repartition<uint8_t, decltype(half)> bytes;
  return hn::PromoteTo(TagU32(),
                       hn::BitCast(half, hn::LoadU(bytes, static_cast<const uint8_t*>(from))));
}
HWY_INLINE void store_words16(Words words, void* to) {
  const hn::Rebind<uint16_t, TagU32> half;
  const hn::Repartition<uint8_t, decltype(half)> bytes;
  hn::StoreU(hn::BitCast(bytes, hn::TruncateTo(half, words)), bytes, static_cast<uint8_t*>(to));
}

// The bits of `yes` where `mask` has ones, else those of `no`. IfVecThenElse selects bits on AVX3
// only, in one instruction; elsewhere it selects bytes.
HWY_INLINE Words select_bits(uint32_t mask, Words yes, Words no) {
  const Words m = set_word(mask);
#if HWY_TARGET == HWY_AVX3
  return hn::IfVecThenElse(m, yes, no);
#else
  return hn::Or(hn::And(m, yes), hn::AndNot(m, no));
#endif
}

// The lowest bytes of all lanes of a, b, c, d, in this order.
HWY_INLINE ByteVec low_bytes(Words a, Words b, Words c, Words d) {
  const Words ab = select_bits(0x00ff00ffu, a, hn::ShiftLeft<8>(b));
  const Words cd = select_bits(0x00ff00ffu, c, hn::ShiftLeft<8>(d));
  const Words all = select_bits(0x0000ffffu, ab, hn::ShiftLeft<16>(cd));
  // A word has one byte of each vector: first four words of one vector together, then all of it.
  HWY_ALIGN static constexpr uint8_t kTranspose[16] = {0, 4, 8,  12, 1, 5, 9,  13,
                                                       2, 6, 10, 14, 3, 7, 11, 15};
  const ByteVec fours =
      hn::TableLookupBytes(hn::BitCast(TagU8(), all), hn::LoadDup128(TagU8(), kTranspose));
  if constexpr (kLanes == 4) return fours;
  HWY_ALIGN int32_t order[kLanes];
  for (size_t i = 0; i < kLanes; ++i) {
    order[i] = static_cast<int32_t>(i % (kLanes / 4) * 4 + i / (kLanes / 4));
  }
  return hn::BitCast(TagU8(), hn::TableLookupLanes(hn::BitCast(TagU32(), fours),
                                                   hn::SetTableIndices(TagU32(), order)));
}

// bf16 as fp32 and back, to nearest even; every NaN becomes the canonical one.
HWY_INLINE Floats widen_bf16(Words codes) {
  return with_canonical_nan(floats_of(hn::ShiftLeft<16>(codes)));
}
HWY_INLINE Words narrow_bf16(Floats value) {
  const Words bits = words_of(with_canonical_nan(value));
  const Words odd = hn::And(hn::ShiftRight<16>(bits), set_word(1));
  return hn::ShiftRight<16>(hn::Add(bits, hn::Add(odd, set_word(0x7fffu))));
}

#if HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_NEON
// The processor converts, to nearest even and with subnormals, whatever its modes are.
HWY_INLINE Floats widen_fp16(Words codes) {
  const hn::Rebind<hwy::float16_t, TagF32> half;
  const hn::Rebind<uint16_t, TagU32> bits;
  return with_canonical_nan(
      hn::PromoteTo(TagF32(), hn::BitCast(half, hn::TruncateTo(bits, codes))));
}
HWY_INLINE Words narrow_fp16(Floats value) {
  const hn::Rebind<hwy::float16_t, TagF32> half;
  const hn::Rebind<uint16_t, TagU32> bits;
  return hn::PromoteTo(TagU32(), hn::BitCast(bits, hn::DemoteTo(half, with_canonical_nan(value))));
}
#else
// One number at a time; these processors have no conversion.
HWY_INLINE Floats widen_fp16(Words codes) {
  HWY_ALIGN uint32_t lanes[kLanes];
  HWY_ALIGN float values[kLanes];
  hn::Store(codes, TagU32(), lanes);
  for (size_t i = 0; i < kLanes; ++i) values[i] = Float16::decode(static_cast<uint16_t>(lanes[i]));
  return hn::Load(TagF32(), values);
}
HWY_INLINE Words narrow_fp16(Floats value) {
  HWY_ALIGN uint32_t lanes[kLanes];
  HWY_ALIGN float values[kLanes];
  hn::Store(value, TagF32(), values);
  for (size_t i = 0; i < kLanes; ++i) lanes[i] = Float16::encode(values[i]);
  return hn::Load(TagU32(), lanes);
}
#endif

#endif  // !GOSS_SIMD_IS_SCALAR
}  // namespace goss::quant::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // include guard
