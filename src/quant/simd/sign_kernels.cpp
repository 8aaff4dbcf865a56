// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Vector kernels of sign. Every instruction set sums in 16 lanes, as several vectors where needed.
#include "base/simd_targets.h"
#include "quant/kernels.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "quant/simd/sign_kernels.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <cstring>

#include "quant/simd/vectors-inl.h"

HWY_BEFORE_NAMESPACE();
namespace goss::quant::simd::HWY_NAMESPACE {
#if !GOSS_SIMD_IS_SCALAR

constexpr size_t kSums = 16;

HWY_INLINE float mean_of(const TileEncode& a) {
  Floats sums[kSums / kLanes];
  for (Floats& sum : sums) sum = set(0);
  for (size_t i = 0; i < kTile; i += kSums) {
    for (size_t v = 0; v < kSums / kLanes; ++v) {
      const Floats size = magnitude(load(a.values, i + v * kLanes));
      sums[v] = hn::Add(sums[v], hn::Mul(size, set(0x1p-10f)));
    }
  }
  HWY_ALIGN float lanes[kSums];
  for (size_t v = 0; v < kSums / kLanes; ++v) hn::Store(sums[v], TagF32(), lanes + v * kLanes);
  for (size_t half = kSums / 2; half > 0; half /= 2) {
    for (size_t lane = 0; lane < half; ++lane) lanes[lane] += lanes[lane + half];
  }
  return lanes[0] / (static_cast<float>(a.count) * 0x1p-10f);
}

// Signs of 64 elements from i on, the first in the lowest bit.
HWY_INLINE uint64_t signs_at(const TileEncode& a, size_t i) {
  uint64_t signs = 0;
  for (size_t v = 0; v < 64; v += kLanes) {
    const TagI32 d;
    const Ints bits = hn::BitCast(d, load(a.values, i + v));
    uint8_t mask[8] = {};
    hn::StoreMaskBits(d, hn::Lt(bits, hn::Zero(d)), mask);
    signs |= static_cast<uint64_t>(mask[0] | mask[1] << 8) << v;
  }
  return signs;
}

void encode(const TileEncode& a) {
  const float mean = mean_of(a) * float_of(bits_of(a.factor) & kMagnitude32);
  const bool finite = mean <= 0x1.fffffep127f;
  const bool kept = finite && mean >= kTiny;
  const uint32_t bits = kept     ? std::min<uint32_t>(Bfloat16::encode(mean), kMaxBf16)
                        : finite ? 0u
                                 : kNanScaleBf16;
  a.scales[0] = static_cast<uint8_t>(bits);
  a.scales[1] = static_cast<uint8_t>(bits >> 8);
  const uint64_t flip = bits_of(a.factor) >> 31 != 0 ? ~uint64_t{0} : 0;
  for (size_t i = 0; i < kTile; i += 64) {
    uint64_t signs = kept && i < a.count ? signs_at(a, i) ^ flip : 0;
    if (i < a.count && a.count - i < 64) signs &= (uint64_t{1} << (a.count - i)) - 1;
    for (size_t byte = 0; byte < 8; ++byte) {  // little-endian; one store
      a.payload[i / 8 + byte] = static_cast<uint8_t>(signs >> (8 * byte));
    }
  }
}

// Calls visit(i, values) for all vectors.
template <class Visit>
HWY_INLINE void for_each_vector(const TileBytes& bytes, Visit visit) {
  const auto word = static_cast<uint16_t>(bytes.scales[0] | bytes.scales[1] << 8);
  const Words step = words_of(set(step_of_bf16(word)));
  const Floats minus = with_canonical_nan(floats_of(hn::Xor(step, set_word(~kMagnitude32))));
  for (size_t i = 0; i < kTile; i += 8) {
    uint8_t bits[8] = {bytes.payload[i / 8]};
    if constexpr (kLanes == 16) {
      bits[1] = bytes.payload[i / 8 + 1];
      visit(i, hn::IfThenElse(hn::LoadMaskBits(TagF32(), bits), minus, floats_of(step)));
      i += 8;
    } else {
      for (size_t v = 0; v < 8; v += kLanes) {
        visit(i + v, hn::IfThenElse(hn::LoadMaskBits(TagF32(), bits), minus, floats_of(step)));
        bits[0] = static_cast<uint8_t>(bits[0] >> (kLanes & 7));
      }
    }
  }
}

void decode(const TileBytes& bytes, void* out) {
  for_each_vector(bytes, [&](size_t i, Floats value) { store(out, i, value); });
}
void decode_add(const TileBytes& bytes, const void* base, void* out) {
  for_each_vector(bytes, [&](size_t i, Floats value) {
    store(out, i, with_canonical_nan(hn::Add(load(base, i), value)));
  });
}

constexpr TileKernels kSignKernels = {encode, encode, decode, decode_add};

const TileKernels* sign_kernels() { return &kSignKernels; }

#endif  // !GOSS_SIMD_IS_SCALAR
}  // namespace goss::quant::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace goss::quant::simd {

const TileKernels* sign_kernels(int64_t target) {
  GOSS_SIMD_DISPATCH(target, sign_kernels());
  return nullptr;
}

}  // namespace goss::quant::simd
#endif
