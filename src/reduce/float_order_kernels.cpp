// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Minimum and maximum of all floating-point types, on the bits. Flipping the lower bits of negative
// numbers turns the order of sign-magnitude numbers into that of integers, with -0 < +0 and the
// NaNs at both ends. Rotating the integers so that one end wraps around brings all NaNs to the side
// that loses: one unsigned minimum or maximum per source then does all that minimumNumber and
// maximumNumber ask for, without a comparison, in the width of the type.
#include "base/simd_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "reduce/float_order_kernels.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "reduce/loops-inl.h"
#include "reduce/numbers.h"
#include "reduce/x86/quick-inl.h"

HWY_BEFORE_NAMESPACE();
namespace goss::reduce::HWY_NAMESPACE {
#if !GOSS_SIMD_IS_SCALAR

// kTop: the bits of the greatest value that is not a NaN.
template <class T, T kTop, T kNan, RedOp kOp>
struct FloatOrder {
  static constexpr size_t kElementBytes = sizeof(T);
  static constexpr size_t kBlock = 2;
  static constexpr size_t kUnroll = 2;
  using Tag = hn::ScalableTag<T>;
  using Value = hn::Vec<Tag>;
  static constexpr T kMagnitude = static_cast<T>(static_cast<T>(~T{0}) >> 1);
  // The keys run from ~kTop (the lowest value) to kTop; added to a key, this makes the lowest value
  // 0 for a minimum and kTop the largest unsigned number for a maximum.
  static constexpr T kRotation = static_cast<T>(kOp == gossMin ? kTop + 1 : ~kTop);

  HWY_INLINE void prepare(int) {}

  static HWY_INLINE Value flip_negative(Value v) {
    const Tag d;
    const hn::RebindToSigned<Tag> s;
    const Value sign = hn::BitCast(d, hn::BroadcastSignBit(hn::BitCast(s, v)));
    return hn::Xor(v, hn::And(sign, hn::Set(d, kMagnitude)));
  }
  HWY_INLINE Value load(Raw raw) const {
    const Tag d;
    return hn::Add(flip_negative(hn::BitCast(d, raw)), hn::Set(d, kRotation));
  }
  HWY_INLINE Value combine(Value a, Value b) const {
    if constexpr (kOp == gossMin) return hn::Min(a, b);
    return hn::Max(a, b);
  }
  HWY_INLINE Raw finish(Value value) const {
    const Tag d;
    const hn::RebindToSigned<Tag> s;
    const Value bits = flip_negative(hn::Sub(value, hn::Set(d, kRotation)));
    const Value magnitude = hn::And(bits, hn::Set(d, kMagnitude));
    const auto is_nan = hn::Gt(hn::BitCast(s, magnitude), hn::BitCast(s, hn::Set(d, kTop)));
    return hn::BitCast(ByteTag(),
                       hn::IfThenElse(hn::RebindMask(d, is_nan), hn::Set(d, kNan), bits));
  }
};

#if GOSS_REDUCE_QUICK
// fp32 and fp64: most of the work above is for NaNs, which the processor finds in one comparison.
template <class T, T kTop, T kNan, RedOp kOp>
struct WideFloatOrder : FloatOrder<T, kTop, kNan, kOp> {
  static constexpr size_t kUnroll = 4;
  struct Quick {
    using Tag = hn::ScalableTag<T>;
    using Value = hn::Vec<Tag>;
    using FloatTag = hn::RebindToFloat<Tag>;
    Numbers<hn::TFromD<FloatTag>> numbers;
    Value first;  // of two that are looked at together
    bool has_first = false;

    explicit Quick(const WideFloatOrder&) : first(hn::Zero(Tag())) {}
    HWY_INLINE Value load(Raw raw) {
      const Value value = hn::BitCast(Tag(), in_register(raw));
      if (has_first) numbers.look(hn::BitCast(FloatTag(), first), hn::BitCast(FloatTag(), value));
      first = value;
      has_first = !has_first;
      return value;
    }
    HWY_INLINE Value combine(Value a, Value b) {
      return kOp == gossMin ? lesser(a, b) : greater(a, b);
    }
    HWY_INLINE Raw finish(Value value) const { return hn::BitCast(ByteTag(), value); }
    HWY_INLINE bool failed() const { return !numbers.only(); }
  };
};
#else
template <class T, T kTop, T kNan, RedOp kOp>
using WideFloatOrder = FloatOrder<T, kTop, kNan, kOp>;
#endif

template <class T, T kTop, T kNan>
ReduceFn wide_float_order_kernel_of(RedOp op) {
  return op == gossMin ? reduce_or_copy<WideFloatOrder<T, kTop, kNan, gossMin>>
                       : reduce_or_copy<WideFloatOrder<T, kTop, kNan, gossMax>>;
}

template <class T, T kTop, T kNan>
ReduceFn float_order_kernel_of(RedOp op) {
  return op == gossMin ? reduce_or_copy<FloatOrder<T, kTop, kNan, gossMin>>
                       : reduce_or_copy<FloatOrder<T, kTop, kNan, gossMax>>;
}

ReduceFn float_order_kernel(DataType type, RedOp op) {
  switch (type) {
    case gossFloat16: return float_order_kernel_of<uint16_t, Float16::kInfinity, Float16::kNan>(op);
    case gossFloat32: return wide_float_order_kernel_of<uint32_t, 0x7f800000u, kCanonicalNan32>(op);
    case gossFloat64:
      return wide_float_order_kernel_of<uint64_t, 0x7ff0000000000000u, kCanonicalNan64>(op);
    case gossBfloat16:
      return float_order_kernel_of<uint16_t, Bfloat16::kInfinity, Bfloat16::kNan>(op);
    case gossFloat8e4m3:
      return float_order_kernel_of<uint8_t, Float8E4m3::kMax, Float8E4m3::kNan>(op);
    case gossFloat8e5m2:
      return float_order_kernel_of<uint8_t, Float8E5m2::kInfinity, Float8E5m2::kNan>(op);
    case gossInt8:
    case gossUint8:
    case gossInt32:
    case gossUint32:
    case gossInt64:
    case gossUint64:
    case gossNumTypes: break;
  }
  return nullptr;
}

#endif  // !GOSS_SIMD_IS_SCALAR
}  // namespace goss::reduce::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace goss::reduce {

ReduceFn float_order_kernel(int64_t target, DataType type, RedOp op) {
  GOSS_SIMD_DISPATCH(target, float_order_kernel(type, op));
  return nullptr;
}

}  // namespace goss::reduce
#endif
