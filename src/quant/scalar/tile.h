// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// What the families of the specification share: numbers and bytes of a tile, planes, rounding.
// Written to be read; speed is the business of the vector kernels.
#pragma once

#include <cstring>

#include "quant/formats.h"
#include "quant/layout.h"

namespace goss::quant::scalar {

inline float load(const void* values, size_t i) {  // any alignment
  float value;
  std::memcpy(&value, static_cast<const char*>(values) + 4 * i, 4);
  return value;
}
inline void store(void* values, size_t i, float value) {
  value = canonical(value);
  std::memcpy(static_cast<char*>(values) + 4 * i, &value, 4);
}

inline uint16_t load16(const uint8_t* bytes) {  // little-endian
  return static_cast<uint16_t>(bytes[0] | bytes[1] << 8);
}
inline void store16(uint8_t* bytes, uint32_t value) {
  bytes[0] = static_cast<uint8_t>(value);
  bytes[1] = static_cast<uint8_t>(value >> 8);
}

// The largest magnitude as bits: NaNs and infinities are larger than all numbers.
inline float largest_of(const void* values, size_t first, size_t count) {
  uint32_t largest = 0;
  for (size_t i = 0; i < count; ++i) {
    largest = std::max(largest, bits_of(load(values, first + i)) & kMagnitude32);
  }
  return float_of(largest);
}

// For the rounding of element i.
template <Rounding kRounding>
uint32_t dither_at(const TileEncode& a, size_t i) {
  if constexpr (kRounding == Rounding::kNearest) return 0;
  return dither_of(a.dither, a.first_element + i);
}

// ---- planes -------------------------------------------------------------------------------------
// A plane of b bits (8, 4, 2 or 1) has 8 / b elements in a byte, the first one in the lowest bits.

inline void put(uint8_t* plane, int bits, size_t i, uint32_t value) {
  const size_t per_byte = 8 / static_cast<size_t>(bits);
  const auto shift = static_cast<int>(i % per_byte) * bits;
  uint8_t& byte = plane[i / per_byte];
  const uint32_t mask = ((1u << bits) - 1) << shift;
  byte = static_cast<uint8_t>((byte & ~mask) | (value << shift & mask));
}
inline uint32_t get(const uint8_t* plane, int bits, size_t i) {
  const size_t per_byte = 8 / static_cast<size_t>(bits);
  return plane[i / per_byte] >> (static_cast<int>(i % per_byte) * bits) & ((1u << bits) - 1);
}

// Codes of 8, 6, 5, 4, 3 or 2 bits as one plane or two.
template <int kBits>
struct Planes {
  static constexpr int kLow = low_bits(kBits);
  static constexpr int kHigh = kBits - kLow;
  static constexpr size_t kHighAt = kTile / 8 * kLow;

  static void put_code(uint8_t* payload, size_t i, uint32_t code) {
    put(payload, kLow, i, code);
    if constexpr (kHigh > 0) put(payload + kHighAt, kHigh, i, code >> kLow);
  }
  static uint32_t get_code(const uint8_t* payload, size_t i) {
    uint32_t code = get(payload, kLow, i);
    if constexpr (kHigh > 0) code |= get(payload + kHighAt, kHigh, i) << kLow;
    return code;
  }
};

// ---- a codec of blocks --------------------------------------------------------------------------

template <class Format>
struct BlockCodec {
  using Element = typename Format::Element;
  using Layout = Planes<Element::kBits>;
  static constexpr Scale kScale = Format::kShape.scale;

  static float step_of(const uint8_t* scales, size_t block) {
    return Format::step_of(kScale == Scale::kBf16 ? load16(scales + 2 * block) : scales[block]);
  }

  template <Rounding kRounding>
  static void encode(const TileEncode& a) {
    for (size_t block = 0; block < kBlocksPerTile; ++block) {
      const size_t first = block * kBlock;
      const BlockScale scale =
          Format::scale_of(largest_of(a.values, first, kBlock), a.factor, a.mx_scale);
      if constexpr (kScale == Scale::kBf16) {
        store16(a.scales + 2 * block, scale.bits);
      } else {
        a.scales[block] = static_cast<uint8_t>(scale.bits);
      }
      for (size_t i = first; i < first + kBlock; ++i) {
        const float y = load(a.values, i) * scale.inverse;
        const uint32_t code =
            scale.inverse == 0 ? 0
                               : Element::template encode<kRounding>(y, dither_at<kRounding>(a, i));
        Layout::put_code(a.payload, i, code);
      }
    }
  }

  static float value_of(const TileBytes& bytes, size_t i) {
    return Element::decode(Layout::get_code(bytes.payload, i)) * step_of(bytes.scales, i / kBlock);
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

}  // namespace goss::quant::scalar
