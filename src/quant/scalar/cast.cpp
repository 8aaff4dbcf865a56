// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// bf16 and fp16: every number by itself, without scales. Their arithmetic is in elements.h.
#include "quant/kernels.h"
#include "quant/scalar/tile.h"

namespace goss::quant::scalar {

namespace {

template <class Format>
struct CastCodec {
  using Element = typename Format::Element;

  template <Rounding kRounding>
  static void encode(const TileEncode& a) {
    for (size_t i = 0; i < kTile; ++i) {
      const float value = load(a.values, i) * a.factor;
      store16(a.payload + 2 * i,
              Element::template encode<kRounding>(value, dither_at<kRounding>(a, i)));
    }
  }
  static float value_of(const TileBytes& bytes, size_t i) {
    return Element::decode(load16(bytes.payload + 2 * i));
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

const TileKernels* bf16_kernels() { return &CastCodec<CastFormat<Bfloat16>>::kKernels; }
const TileKernels* fp16_kernels() { return &CastCodec<CastFormat<Float16>>::kKernels; }

}  // namespace goss::quant::scalar
