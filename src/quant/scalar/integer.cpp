// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// int8 to int2 and MXINT8: a number is the nearest multiple of its block's step, in two's
// complement. The codes -2^(b-1) are not used, so that the range is the same on both sides.
#include "quant/kernels.h"
#include "quant/scalar/tile.h"

namespace goss::quant::scalar {

namespace {

// kFraction: bits behind the binary point, 6 for MXINT8.
template <int kCodeBits, int kFraction = 0>
struct Integer {
  static constexpr int kBits = kCodeBits;
  static constexpr int kShift = kFraction;
  static constexpr float kLargest = static_cast<float>((1 << (kBits - 1)) - 1);
  static constexpr float kLimit = kLargest / static_cast<float>(1 << kFraction);

  template <Rounding kRounding>
  static uint32_t encode(float y, const TileEncode& a, size_t i) {
    const float q = std::clamp(round_code<kRounding>(y, a, i), -kLargest, kLargest);
    return static_cast<uint32_t>(static_cast<int>(q)) & ((1u << kBits) - 1);
  }
  static float decode(uint32_t code) {
    constexpr int kSign = 1 << (kBits - 1);
    return static_cast<float>((static_cast<int>(code) ^ kSign) - kSign);
  }
};

}  // namespace

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

}  // namespace goss::quant::scalar
