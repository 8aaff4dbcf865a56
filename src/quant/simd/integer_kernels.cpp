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

const TileKernels* integer_kernels(Codec codec) {
  switch (codec) {
    case Codec::kInt8: return &BlockCodec<Scale::kBf16, Integer<8>>::kKernels;
    case Codec::kInt6: return &BlockCodec<Scale::kBf16, Integer<6>>::kKernels;
    case Codec::kInt5: return &BlockCodec<Scale::kBf16, Integer<5>>::kKernels;
    case Codec::kInt4: return &BlockCodec<Scale::kBf16, Integer<4>>::kKernels;
    case Codec::kInt3: return &BlockCodec<Scale::kBf16, Integer<3>>::kKernels;
    case Codec::kInt2: return &BlockCodec<Scale::kBf16, Integer<2>>::kKernels;
    case Codec::kMxInt8: return &BlockCodec<Scale::kE8m0, Integer<8, 6>>::kKernels;
    case Codec::kBf16:
    case Codec::kFp16:
    case Codec::kSign:
    case Codec::kFp8E4m3:
    case Codec::kFp8E5m2:
    case Codec::kMxFp8E4m3:
    case Codec::kMxFp8E5m2:
    case Codec::kMxFp6E2m3:
    case Codec::kMxFp6E3m2:
    case Codec::kMxFp4: break;
  }
  return nullptr;
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
