// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// bf16 and fp16: every number by itself, without scales. Too large numbers become infinity,
// infinities and NaNs stay (every NaN as the canonical one), subnormals too.
#include "quant/kernels.h"
#include "quant/scalar/tile.h"

namespace goss::quant::scalar {

namespace {

template <class Format>
struct Cast {
  // The magnitude in units of the last place, plus the dither, rounded down.
  static uint32_t stochastic(float value, uint32_t dither) {
    const float magnitude = float_of(bits_of(value) & kMagnitude32);
    if (!(magnitude <= 0x1.fffffep127f)) return Format::encode(value);
    const int exponent = std::max(exponent_of(magnitude), Format::kMinExponent);
    // As integers, because bf16 has all exponents of fp32: 2^-shift of the significand is a unit.
    const uint32_t biased = bits_of(magnitude) >> 23;
    const uint64_t significand = (bits_of(magnitude) & 0x7fffffu) | (biased != 0 ? 0x800000u : 0u);
    const int own_exponent = biased != 0 ? exponent_of(magnitude) : -126;
    const int shift = 23 - Format::kMantissa + exponent - own_exponent;
    // In 2^-17 of a unit: the dither is (r + 0.5) / 65536.
    const uint64_t scaled =
        shift > 60 ? 0 : (shift <= 17 ? significand << (17 - shift) : significand >> (shift - 17));
    const auto units = static_cast<uint32_t>((scaled + 2 * dither + 1) >> 17);
    const uint32_t code = std::min(
        units + (static_cast<uint32_t>(exponent - Format::kMinExponent) << Format::kMantissa),
        Format::kInfinity);
    return code | (bits_of(value) >> 31 << 15);
  }

  template <Rounding kRounding>
  static void encode(const TileEncode& a) {
    for (size_t i = 0; i < kTile; ++i) {
      const float value = load(a.values, i) * a.factor;
      if constexpr (kRounding == Rounding::kNearest) {
        store16(a.payload + 2 * i, Format::encode(value));
      } else {
        store16(a.payload + 2 * i, stochastic(value, dither_of(a.dither, a.first_element + i)));
      }
    }
  }
  static float value_of(const TileBytes& bytes, size_t i) {
    return Format::decode(load16(bytes.payload + 2 * i));
  }
  static void decode(const TileBytes& bytes, void* out) {
    for (size_t i = 0; i < kTile; ++i) store(out, i, value_of(bytes, i));
  }
  static void decode_add(const TileBytes& bytes, const void* base, void* out) {
    for (size_t i = 0; i < kTile; ++i) store(out, i, load(base, i) + value_of(bytes, i));
  }
  static constexpr TileKernels kKernels = {encode<Rounding::kNearest>,
                                           encode<Rounding::kStochastic>, decode, decode_add};
};

}  // namespace

const TileKernels* bf16_kernels() { return &Cast<Bfloat16>::kKernels; }
const TileKernels* fp16_kernels() { return &Cast<Float16>::kKernels; }

}  // namespace goss::quant::scalar
