// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Vector kernels of the integer codecs and of MXINT8.
#include "base/simd_targets.h"
#include "quant/kernels.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "quant/simd/integer_kernels.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "quant/formats.h"
#include "quant/simd/block_codec-inl.h"

HWY_BEFORE_NAMESPACE();
namespace goss::quant::simd::HWY_NAMESPACE {
#if !GOSS_SIMD_IS_SCALAR

template <int kCodeBits, int kFraction = 0>
struct Integer {
  static constexpr int kBits = kCodeBits;
  static constexpr int kShift = kFraction;
  static constexpr bool kSigned = true;
  static constexpr float kLargest = static_cast<float>((1 << (kBits - 1)) - 1);
  static constexpr float kLimit = kLargest / static_cast<float>(1 << kFraction);

  // The adder rounds to even at the last place of 1.5 * 2^23, and its low bits are the integer.
  static HWY_INLINE Words to_code(Floats q) { return words_of(hn::Add(q, set(0x1.8p23f))); }

  template <bool kClamp>
  static HWY_INLINE Floats clamp(Floats q) {
    if constexpr (!kClamp) return q;
    return hn::Max(hn::Min(q, set(kLargest)), set(-kLargest));
  }
  template <bool kClamp>
  static HWY_INLINE Words nearest(Floats y) {
    return to_code(clamp<kClamp>(y));
  }
  template <bool kClamp>
  static HWY_INLINE Words stochastic(Floats y, Words dither) {
    if constexpr (!kClamp) return floor_bits(add_dither(y, dither));
    return to_code(clamp<kClamp>(hn::Floor(add_dither(y, dither))));
  }
  static HWY_INLINE Floats decode(Ints code) { return hn::ConvertTo(TagF32(), code); }
};

template <Scale kScale, int kBits, int kFraction>
const TileKernels* kernels_of(BlockFormat<kScale, quant::Integer<kBits, kFraction>>) {
  return &BlockCodec<kScale, Integer<kBits, kFraction>>::kKernels;
}
template <class OtherFormat>
const TileKernels* kernels_of(OtherFormat) {
  return nullptr;
}

const TileKernels* integer_kernels(Codec codec) {
  return visit_format(codec, [](auto format) { return kernels_of(format); });
}

#endif  // !GOSS_SIMD_IS_SCALAR
}  // namespace goss::quant::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace goss::quant::simd {

const TileKernels* integer_kernels(int64_t target, Codec codec) {
  GOSS_SIMD_DISPATCH(target, integer_kernels(codec));
  return nullptr;
}

}  // namespace goss::quant::simd
#endif
