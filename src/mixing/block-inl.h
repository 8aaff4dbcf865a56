// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// A block of a compressed message in vectors: its numbers as fp32 in a local array, zeros behind
// the last one (so that every loop is whole vectors), and its levels as bytes and bit planes.
#if defined(GOSS_MIXING_BLOCK_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef GOSS_MIXING_BLOCK_INL_H_
#undef GOSS_MIXING_BLOCK_INL_H_
#else
#define GOSS_MIXING_BLOCK_INL_H_
#endif

#include <hwy/highway.h>

#include <cstring>

#include "mixing/lanes-inl.h"
#include "mixing/message.h"

HWY_BEFORE_NAMESPACE();
namespace goss::mixing::HWY_NAMESPACE {
#if !GOSS_SIMD_IS_SCALAR

constexpr size_t kLanes = hn::MaxLanes(TagF32());
using ByteTag = hn::ScalableTag<uint8_t>;
constexpr size_t kByteLanes = hn::MaxLanes(ByteTag());
constexpr size_t kPlaneBytes = kBlock / 8;

struct Numbers {
  HWY_ALIGN float at[kBlock];
  HWY_INLINE Floats get(size_t i) const { return hn::Load(TagF32(), at + i); }
  HWY_INLINE void set(size_t i, Floats value) { hn::Store(value, TagF32(), at + i); }
};

struct ByteLevels {
  HWY_ALIGN uint8_t at[kBlock];
};

template <class Lanes>
HWY_INLINE void load_block(const void* base, const Block& block, Numbers* numbers) {
  const uint8_t* from = static_cast<const uint8_t*>(base) + block.first * Lanes::kElementBytes;
  HWY_ALIGN uint8_t padded[kBlock * Lanes::kElementBytes];
  if (block.count != kBlock) {
    std::memset(padded, 0, sizeof padded);
    std::memcpy(padded, from, block.count * Lanes::kElementBytes);
    from = padded;
  }
  for (size_t i = 0; i < kBlock; i += kLanes) {
    numbers->set(i, Lanes::load(from + i * Lanes::kElementBytes));
  }
}

template <class Lanes>
HWY_INLINE void store_block(const Numbers& numbers, const Block& block, void* base) {
  uint8_t* to = static_cast<uint8_t*>(base) + block.first * Lanes::kElementBytes;
  HWY_ALIGN uint8_t padded[kBlock * Lanes::kElementBytes];
  uint8_t* out = block.count == kBlock ? to : padded;
  for (size_t i = 0; i < kBlock; i += kLanes) {
    Lanes::store(numbers.get(i), out + i * Lanes::kElementBytes);
  }
  if (out == padded) std::memcpy(to, padded, block.count * Lanes::kElementBytes);
}

template <class Lanes>
HWY_INLINE void copy_block(void* dst, const void* x, const Block& block) {
  if (dst == x) return;
  const size_t first = block.first * Lanes::kElementBytes;
  std::memcpy(static_cast<uint8_t*>(dst) + first, static_cast<const uint8_t*>(x) + first,
              block.count * Lanes::kElementBytes);
}

// Levels 0..255 in 32-bit lanes to bytes and back.
HWY_INLINE void store_levels(Ints levels, size_t i, ByteLevels* bytes) {
  const hn::Rebind<uint8_t, TagI32> narrow;
  hn::StoreU(hn::DemoteTo(narrow, levels), narrow, bytes->at + i);
}
HWY_INLINE Ints load_levels(const ByteLevels& bytes, size_t i) {
  const hn::Rebind<uint8_t, TagI32> narrow;
  return hn::PromoteTo(TagI32(), hn::LoadU(narrow, bytes.at + i));
}

HWY_INLINE void pack(const ByteLevels& levels, const Block& block, int bits, uint8_t* planes) {
  uint8_t all[kMaxBits * kPlaneBytes + 8];  // a mask is stored with up to 8 bytes
  for (int k = 0; k < bits; ++k) {
    const auto bit = hn::Set(ByteTag(), static_cast<uint8_t>(1 << k));
    for (size_t i = 0; i < kBlock; i += kByteLanes) {
      const auto mask = hn::TestBit(hn::Load(ByteTag(), levels.at + i), bit);
      hn::StoreMaskBits(ByteTag(), mask, all + static_cast<size_t>(k) * kPlaneBytes + i / 8);
    }
  }
  const size_t bytes = block.plane_bytes();
  if (block.count == kBlock) {
    std::memcpy(planes, all, static_cast<size_t>(bits) * kPlaneBytes);
    return;
  }
  for (size_t k = 0; k < static_cast<size_t>(bits); ++k) {
    std::memcpy(planes + k * bytes, all + k * kPlaneBytes, bytes);
  }
}

HWY_INLINE void unpack(const uint8_t* planes, const Block& block, int bits, ByteLevels* levels) {
  uint8_t all[kMaxBits * kPlaneBytes + 8] = {};  // a mask is loaded with up to 8 bytes
  const size_t bytes = block.plane_bytes();
  for (size_t k = 0; k < static_cast<size_t>(bits); ++k) {
    std::memcpy(all + k * kPlaneBytes, planes + k * bytes, bytes);
  }
  for (size_t i = 0; i < kBlock; i += kByteLanes) {
    auto level = hn::Zero(ByteTag());
    for (int k = 0; k < bits; ++k) {
      const auto bit = hn::Set(ByteTag(), static_cast<uint8_t>(1 << k));
      const auto mask =
          hn::LoadMaskBits(ByteTag(), all + static_cast<size_t>(k) * kPlaneBytes + i / 8);
      level = hn::Or(level, hn::IfThenElseZero(mask, bit));
    }
    hn::Store(level, ByteTag(), levels->at + i);
  }
  // Bits behind the last element are no levels, whatever the message says.
  std::memset(levels->at + block.count, 0, kBlock - block.count);
}

// The larger one; a NaN on the right is passed over.
HWY_INLINE Floats larger(Floats a, Floats b) { return hn::IfThenElse(hn::Lt(a, b), b, a); }

HWY_INLINE float largest_of(Floats value) {
  HWY_ALIGN float lanes[kLanes];
  hn::Store(value, TagF32(), lanes);
  float largest = 0;
  for (const float lane : lanes) largest = largest < lane ? lane : largest;
  return largest;
}

HWY_INLINE uint32_t sum_of(Words value) {
  HWY_ALIGN uint32_t lanes[kLanes];
  hn::Store(value, TagU32(), lanes);
  uint32_t sum = 0;
  for (const uint32_t lane : lanes) sum += lane;
  return sum;
}

HWY_INLINE Words checked(Words sum, Words value, size_t i) {
  return hn::Add(sum, hn::Mul(value, hn::Load(TagU32(), kCoefficients.data() + i)));
}

HWY_INLINE auto not_finite(Floats value) {
  const Floats infinity = hn::BitCast(TagF32(), hn::Set(TagU32(), kInfinity32));
  return hn::Not(hn::Lt(hn::Abs(value), infinity));  // NaNs compare false
}

#endif  // !GOSS_SIMD_IS_SCALAR
}  // namespace goss::mixing::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // include guard
