// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Vector kernels of the two fp8 formats: sum, product and average in fp32 over all sources, rounded
// once. Byte k of every 32-bit word goes to vector k, so that no shuffle is needed on either way.
#include "reduce/simd_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "reduce/float8_kernels.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "reduce/loops-inl.h"
#include "reduce/narrow-inl.h"

HWY_BEFORE_NAMESPACE();
namespace goss::reduce::HWY_NAMESPACE {
#if !GOSS_SIMD_IS_SCALAR

struct Quad {
  Floats v0, v1, v2, v3;
};

template <class Format, RedOp kOp>
struct Float8 {
  static constexpr size_t kElementBytes = 1;
  static constexpr size_t kUnroll = 1;
  using Value = Quad;
  Floats reciprocal;  // of gossAvg

  HWY_INLINE void prepare(int divisor) {
    reciprocal = hn::Set(TagF32(), 1.0f / static_cast<float>(divisor));
  }
  HWY_INLINE Value load(Raw raw) const {
    const Tag32 u;
    const Words all = hn::BitCast(u, raw);
    const Words byte = hn::Set(u, 0xffu);
    return {decode<Format>(hn::And(all, byte)),
            decode<Format>(hn::And(hn::ShiftRight<8>(all), byte)),
            decode<Format>(hn::And(hn::ShiftRight<16>(all), byte)),
            decode<Format>(hn::ShiftRight<24>(all))};
  }
  HWY_INLINE Value combine(const Value& x, const Value& y) const {
    if constexpr (kOp == gossProd) {
      return {hn::Mul(x.v0, y.v0), hn::Mul(x.v1, y.v1), hn::Mul(x.v2, y.v2), hn::Mul(x.v3, y.v3)};
    }
    return {hn::Add(x.v0, y.v0), hn::Add(x.v1, y.v1), hn::Add(x.v2, y.v2), hn::Add(x.v3, y.v3)};
  }
  HWY_INLINE Words code(Floats value) const {
    if constexpr (kOp == gossAvg) value = hn::Mul(value, reciprocal);
    return encode<Format>(value);
  }
  HWY_INLINE Raw finish(const Value& x) const {
    const Words low = select_bits(0x0000ff00u, hn::ShiftLeft<8>(code(x.v1)), code(x.v0));
    const Words high = select_bits(0xff000000u, hn::ShiftLeft<24>(code(x.v3)),
                                   hn::ShiftLeft<16>(code(x.v2)));
    return hn::BitCast(ByteTag(), select_bits(0xffff0000u, high, low));
  }
};

template <class Format>
ReduceFn float8_kernel_of(RedOp op) {
  switch (op) {
    case gossSum: return reduce_or_copy<Float8<Format, gossSum>>;
    case gossProd: return reduce_or_copy<Float8<Format, gossProd>>;
    case gossAvg: return reduce<Float8<Format, gossAvg>>;
    case gossMax:
    case gossMin:
    case gossNumOps: break;
  }
  return nullptr;
}

ReduceFn float8_kernel(DataType type, RedOp op) {
  return type == gossFloat8e4m3 ? float8_kernel_of<Float8E4m3>(op) : float8_kernel_of<Float8E5m2>(op);
}

#endif  // !GOSS_SIMD_IS_SCALAR
}  // namespace goss::reduce::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace goss::reduce {

ReduceFn float8_kernel(int64_t target, DataType type, RedOp op) {
  GOSS_SIMD_DISPATCH(target, float8_kernel(type, op));
  return nullptr;
}

}  // namespace goss::reduce
#endif
