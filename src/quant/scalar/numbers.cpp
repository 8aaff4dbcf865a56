// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Conversions of a tile between types, and arithmetic on tiles. Every NaN that is written is the
// canonical one.
#include "quant/kernels.h"
#include "quant/scalar/tile.h"

namespace goss::quant::scalar {

namespace {

template <class Format>
void widen(const void* from, void* to) {
  const auto* bytes = static_cast<const uint8_t*>(from);
  for (size_t i = 0; i < kTile; ++i) store(to, i, Format::decode(load16(bytes + 2 * i)));
}
template <class Format>
void narrow(const void* from, void* to) {
  auto* bytes = static_cast<uint8_t*>(to);
  for (size_t i = 0; i < kTile; ++i) store16(bytes + 2 * i, Format::encode(load(from, i)));
}

void add(const void* a, const void* b, void* out) {
  for (size_t i = 0; i < kTile; ++i) store(out, i, load(a, i) + load(b, i));
}

void min(const void* a, const void* b, void* out) {
  for (size_t i = 0; i < kTile; ++i) store(out, i, lesser(load(a, i), load(b, i)));
}
void max(const void* a, const void* b, void* out) {
  for (size_t i = 0; i < kTile; ++i) store(out, i, greater(load(a, i), load(b, i)));
}
void multiply(const void* a, float factor, void* out) {
  for (size_t i = 0; i < kTile; ++i) store(out, i, load(a, i) * factor);
}

constexpr NumberKernels kKernels = {
    widen<Float16>, widen<Bfloat16>, narrow<Float16>, narrow<Bfloat16>, add, min, max, multiply};

}  // namespace

const NumberKernels* number_kernels() { return &kKernels; }

}  // namespace goss::quant::scalar
