// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Vectors of numbers for the mixing kernels, compiled once per instruction set: loads and stores of
// every type as fp32 (or fp64), a vector of fp32 lanes at a time. Rounding and NaNs as in
// numbers.h.
#if defined(GOSS_MIXING_LANES_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef GOSS_MIXING_LANES_INL_H_
#undef GOSS_MIXING_LANES_INL_H_
#else
#define GOSS_MIXING_LANES_INL_H_
#endif

#include <hwy/highway.h>

#include "mixing/numbers.h"

HWY_BEFORE_NAMESPACE();
namespace goss::mixing::HWY_NAMESPACE {
#if !GOSS_SIMD_IS_SCALAR

namespace hn = hwy::HWY_NAMESPACE;

using TagF32 = hn::ScalableTag<float>;
using TagU32 = hn::ScalableTag<uint32_t>;
using TagI32 = hn::ScalableTag<int32_t>;
using TagF64 = hn::ScalableTag<double>;
using Floats = hn::Vec<TagF32>;
using Words = hn::Vec<TagU32>;
using Ints = hn::Vec<TagI32>;

HWY_INLINE Floats canonical_nan(Floats value) {
  const Floats nan = hn::BitCast(TagF32(), hn::Set(TagU32(), kCanonicalNan32));
  return hn::IfThenElse(hn::IsNaN(value), nan, value);
}

struct Float32Lanes {
  using Format = Float32;
  using Tag = TagF32;
  static constexpr size_t kElementBytes = 4;
  static HWY_INLINE Floats load(const uint8_t* p) {
    return hn::BitCast(TagF32(), hn::LoadU(hn::Repartition<uint8_t, TagF32>(), p));
  }
  static HWY_INLINE void store(Floats value, uint8_t* p) {
    const hn::Repartition<uint8_t, TagF32> bytes;
    hn::StoreU(hn::BitCast(bytes, canonical_nan(value)), bytes, p);
  }
};

struct Bfloat16Lanes {
  using Format = Bfloat16;
  using Tag = TagF32;
  static constexpr size_t kElementBytes = 2;
  static HWY_INLINE Floats load(const uint8_t* p) {
    const hn::Rebind<uint16_t, TagU32> u16;
    const hn::Repartition<uint8_t, decltype(u16)> bytes;
    const Words bits = hn::PromoteTo(TagU32(), hn::BitCast(u16, hn::LoadU(bytes, p)));
    return hn::BitCast(TagF32(), hn::ShiftLeft<16>(bits));
  }
  static HWY_INLINE void store(Floats value, uint8_t* p) {
    const hn::Rebind<uint16_t, TagU32> u16;
    const hn::Repartition<uint8_t, decltype(u16)> bytes;
    const Words bits = hn::BitCast(TagU32(), canonical_nan(value));
    const Words odd = hn::And(hn::ShiftRight<16>(bits), hn::Set(TagU32(), 1u));
    const Words rounded =
        hn::ShiftRight<16>(hn::Add(bits, hn::Add(odd, hn::Set(TagU32(), 0x7fffu))));
    hn::StoreU(hn::BitCast(bytes, hn::TruncateTo(u16, rounded)), bytes, p);
  }
};

#if HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_NEON
// The processor converts, to nearest even and with subnormals, whatever its modes are.
struct Float16Lanes {
  using Format = Float16;
  using Tag = TagF32;
  static constexpr size_t kElementBytes = 2;
  static HWY_INLINE Floats load(const uint8_t* p) {
    const hn::Rebind<hwy::float16_t, TagF32> half;
    const hn::Repartition<uint8_t, decltype(half)> bytes;
    return hn::PromoteTo(TagF32(), hn::BitCast(half, hn::LoadU(bytes, p)));
  }
  static HWY_INLINE void store(Floats value, uint8_t* p) {
    const hn::Rebind<hwy::float16_t, TagF32> half;
    const hn::Repartition<uint8_t, decltype(half)> bytes;
    hn::StoreU(hn::BitCast(bytes, hn::DemoteTo(half, canonical_nan(value))), bytes, p);
  }
};
#else
// One number at a time; these processors have no conversion.
struct Float16Lanes {
  using Format = Float16;
  using Tag = TagF32;
  static constexpr size_t kElementBytes = 2;
  static HWY_INLINE Floats load(const uint8_t* p) {
    HWY_ALIGN float values[hn::MaxLanes(TagF32())];
    for (size_t i = 0; i < hn::Lanes(TagF32()); ++i) values[i] = load_element<Float16>(p, i);
    return hn::Load(TagF32(), values);
  }
  static HWY_INLINE void store(Floats value, uint8_t* p) {
    HWY_ALIGN float values[hn::MaxLanes(TagF32())];
    hn::Store(value, TagF32(), values);
    for (size_t i = 0; i < hn::Lanes(TagF32()); ++i) store_element<Float16>(p, i, values[i]);
  }
};
#endif

struct Float64Lanes {
  using Tag = TagF64;
  static constexpr size_t kElementBytes = 8;
  static HWY_INLINE hn::Vec<TagF64> load(const uint8_t* p) {
    return hn::BitCast(TagF64(), hn::LoadU(hn::Repartition<uint8_t, TagF64>(), p));
  }
  static HWY_INLINE void store(hn::Vec<TagF64> value, uint8_t* p) {
    const hn::Repartition<uint8_t, TagF64> bytes;
    const hn::Repartition<uint64_t, TagF64> u64;
    const auto nan = hn::BitCast(TagF64(), hn::Set(u64, kCanonicalNan64));
    hn::StoreU(hn::BitCast(bytes, hn::IfThenElse(hn::IsNaN(value), nan, value)), bytes, p);
  }
};

#endif  // !GOSS_SIMD_IS_SCALAR
}  // namespace goss::mixing::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // include guard
