// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Vector kernels of conversions between types and of arithmetic on tiles.
#include "base/simd_targets.h"
#include "quant/kernels.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "quant/simd/number_kernels.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "quant/simd/vectors-inl.h"

HWY_BEFORE_NAMESPACE();
namespace goss::quant::simd::HWY_NAMESPACE {
#if !GOSS_SIMD_IS_SCALAR

template <class Make>
HWY_INLINE void widen(const void* from, void* to, Make make) {
  for (size_t i = 0; i < kTile; i += kLanes) {
    store(to, i, make(load_words16(static_cast<const uint8_t*>(from) + 2 * i)));
  }
}
template <class Make>
HWY_INLINE void narrow(const void* from, void* to, Make make) {
  for (size_t i = 0; i < kTile; i += kLanes) {
    store_words16(make(load(from, i)), static_cast<uint8_t*>(to) + 2 * i);
  }
}
template <class Combine>
HWY_INLINE void combine(const void* a, const void* b, void* out, Combine of) {
  for (size_t i = 0; i < kTile; i += kLanes) {
    store(out, i, with_canonical_nan(of(load(a, i), load(b, i))));
  }
}

void widen_from_fp16(const void* from, void* to) {
  widen(from, to, [](Words code) { return widen_fp16(code); });
}
void widen_from_bf16(const void* from, void* to) {
  widen(from, to, [](Words code) { return widen_bf16(code); });
}
void narrow_to_fp16(const void* from, void* to) {
  narrow(from, to, [](Floats value) { return narrow_fp16(value); });
}
void narrow_to_bf16(const void* from, void* to) {
  narrow(from, to, [](Floats value) { return narrow_bf16(value); });
}

void add(const void* a, const void* b, void* out) {
  combine(a, b, out, [](Floats x, Floats y) { return hn::Add(x, y); });
}

// Numbers as integers in their order: -0 < +0.
HWY_INLINE Ints order_of(Floats value) {
  const TagI32 d;
  const Ints bits = hn::BitCast(d, value);
  const Ints flip = hn::And(hn::BroadcastSignBit(bits), hn::Set(d, static_cast<int>(kMagnitude32)));
  return hn::Xor(bits, flip);
}
// The one that comes first (or last); a NaN on either side stays.
template <bool kFirst>
HWY_INLINE Floats choose(Floats x, Floats y) {
  const auto y_first = hn::RebindMask(TagF32(), hn::Lt(order_of(y), order_of(x)));
  const Floats chosen = kFirst ? hn::IfThenElse(y_first, y, x) : hn::IfThenElse(y_first, x, y);
  return hn::IfThenElse(hn::Or(hn::IsNaN(x), hn::IsNaN(y)), floats_of(set_word(kCanonicalNan32)),
                        chosen);
}
void min(const void* a, const void* b, void* out) {
  combine(a, b, out, [](Floats x, Floats y) { return choose<true>(x, y); });
}
void max(const void* a, const void* b, void* out) {
  combine(a, b, out, [](Floats x, Floats y) { return choose<false>(x, y); });
}

void multiply(const void* a, float factor, void* out) {
  const Floats f = set(factor);
  for (size_t i = 0; i < kTile; i += kLanes) {
    store(out, i, with_canonical_nan(hn::Mul(load(a, i), f)));
  }
}

constexpr NumberKernels kNumberKernels = {
    widen_from_fp16, widen_from_bf16, narrow_to_fp16, narrow_to_bf16, add, min, max, multiply};

const NumberKernels* number_kernels() { return &kNumberKernels; }

#endif  // !GOSS_SIMD_IS_SCALAR
}  // namespace goss::quant::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace goss::quant::simd {

const NumberKernels* number_kernels(int64_t target) {
  GOSS_SIMD_DISPATCH(target, number_kernels());
  return nullptr;
}

}  // namespace goss::quant::simd
#endif
