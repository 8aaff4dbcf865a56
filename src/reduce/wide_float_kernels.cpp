// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Vector kernels of fp32 and fp64: sum, product and average (min and max are in
// float_order_kernels.cpp). A NaN stays a NaN through all sources, so it is made canonical once, at
// the end.
#include "base/simd_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "reduce/wide_float_kernels.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "reduce/loops-inl.h"
#include "reduce/numbers.h"

HWY_BEFORE_NAMESPACE();
namespace goss::reduce::HWY_NAMESPACE {
#if !GOSS_SIMD_IS_SCALAR

template <class T, RedOp kOp>
struct WideFloat {
  static constexpr size_t kElementBytes = sizeof(T);
  static constexpr size_t kBlock = 4;
  static constexpr size_t kUnroll = 4;
  using Tag = hn::ScalableTag<T>;
  using Value = hn::Vec<Tag>;
  Value reciprocal;  // of gossAvg

  HWY_INLINE void prepare(int divisor) {
    reciprocal = hn::Set(Tag(), T{1} / static_cast<T>(divisor));
  }
  HWY_INLINE Value load(Raw raw) const { return hn::BitCast(Tag(), raw); }
  HWY_INLINE Value combine(Value a, Value b) const {
    if constexpr (kOp == gossProd) return hn::Mul(a, b);
    return hn::Add(a, b);
  }
  HWY_INLINE Raw finish(Value value) const {
    const Tag d;
    const hn::RebindToUnsigned<Tag> u;
    using Bits = hn::TFromD<decltype(u)>;
    if constexpr (kOp == gossAvg) value = hn::Mul(value, reciprocal);
    constexpr Bits kNan = static_cast<Bits>(sizeof(T) == 4 ? kCanonicalNan32 : kCanonicalNan64);
    const Value nan = hn::BitCast(d, hn::Set(u, kNan));
    return hn::BitCast(ByteTag(), hn::IfThenElse(hn::IsNaN(value), nan, value));
  }
};

template <class T>
ReduceFn wide_float_kernel_of(RedOp op) {
  switch (op) {
    case gossSum: return reduce_or_copy<WideFloat<T, gossSum>>;
    case gossProd: return reduce_or_copy<WideFloat<T, gossProd>>;
    case gossAvg: return reduce<WideFloat<T, gossAvg>>;
    case gossMax:
    case gossMin:
    case gossNumOps:
    case gossMaxRedOp: break;
  }
  return nullptr;
}

ReduceFn wide_float_kernel(DataType type, RedOp op) {
  return type == gossFloat32 ? wide_float_kernel_of<float>(op) : wide_float_kernel_of<double>(op);
}

#endif  // !GOSS_SIMD_IS_SCALAR
}  // namespace goss::reduce::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace goss::reduce {

ReduceFn wide_float_kernel(int64_t target, DataType type, RedOp op) {
  GOSS_SIMD_DISPATCH(target, wide_float_kernel(type, op));
  return nullptr;
}

}  // namespace goss::reduce
#endif
