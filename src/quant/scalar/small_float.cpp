// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// fp8 and the MX formats of 8, 6 and 4 bits: a number divided by its block's scale, as a small
// float of the OCP specifications (not FNUZ). Larger magnitudes than the largest number become it;
// a number that rounds to zero has no sign; NaNs and infinities of the formats are never written.
#include "quant/kernels.h"
#include "quant/scalar/tile.h"

namespace goss::quant::scalar {

namespace {

using Float6E2m3 = SmallFloat<2, 3, 0x1f, 0x1f, Overflow::kSaturate>;
using Float6E3m2 = SmallFloat<3, 2, 0x1f, 0x1f, Overflow::kSaturate>;
using Float4E2m1 = SmallFloat<2, 1, 0x7, 0x7, Overflow::kSaturate>;

template <class Format>
struct Floating {
  static constexpr int kBits = Format::kBits;
  static constexpr int kShift = 0;
  static constexpr float kLimit = Format::decode(Format::kMax);

  // In units of the last place, which are 2^(exponent - mantissa bits); subnormals share the
  // smallest exponent. A carry out of the mantissa goes into the exponent, as it should.
  template <Rounding kRounding>
  static uint32_t encode(float y, const TileEncode& a, size_t i) {
    const float magnitude = float_of(bits_of(y) & kMagnitude32);
    const int exponent = std::max(exponent_of(magnitude), Format::kMinExponent);
    const float units =
        magnitude * float_of(static_cast<uint32_t>(127 + Format::kMantissa - exponent) << 23);
    const auto rounded = static_cast<uint32_t>(round_code<kRounding>(units, a, i));
    const uint32_t code = std::min(
        rounded + (static_cast<uint32_t>(exponent - Format::kMinExponent) << Format::kMantissa),
        Format::kMax);
    return code == 0 ? 0 : code | (bits_of(y) >> 31 << (kBits - 1));
  }
  static float decode(uint32_t code) {
    return Format::decode(static_cast<typename Format::Bits>(code));
  }
};

}  // namespace

const TileKernels* small_float_kernels(Codec codec) {
  switch (codec) {
    case Codec::kFp8E4m3: return &BlockCodec<Scale::kBf16, Floating<Float8E4m3>>::kKernels;
    case Codec::kFp8E5m2: return &BlockCodec<Scale::kBf16, Floating<Float8E5m2>>::kKernels;
    case Codec::kMxFp8E4m3: return &BlockCodec<Scale::kE8m0, Floating<Float8E4m3>>::kKernels;
    case Codec::kMxFp8E5m2: return &BlockCodec<Scale::kE8m0, Floating<Float8E5m2>>::kKernels;
    case Codec::kMxFp6E2m3: return &BlockCodec<Scale::kE8m0, Floating<Float6E2m3>>::kKernels;
    case Codec::kMxFp6E3m2: return &BlockCodec<Scale::kE8m0, Floating<Float6E3m2>>::kKernels;
    case Codec::kMxFp4: return &BlockCodec<Scale::kE8m0, Floating<Float4E2m1>>::kKernels;
    case Codec::kBf16:
    case Codec::kFp16:
    case Codec::kInt8:
    case Codec::kInt6:
    case Codec::kInt5:
    case Codec::kInt4:
    case Codec::kInt3:
    case Codec::kInt2:
    case Codec::kSign:
    case Codec::kMxInt8: break;
  }
  return nullptr;
}

}  // namespace goss::quant::scalar
