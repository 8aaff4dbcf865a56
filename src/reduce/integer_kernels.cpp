// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Vector kernels of the integer types. Signed and unsigned share sum and product (both wrap
// around). The average divides by multiplication with a reciprocal that is exact for every
// dividend of the type; the comments beside each say why.
#include "base/simd_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "reduce/integer_kernels.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "reduce/loops-inl.h"

HWY_BEFORE_NAMESPACE();
namespace goss::reduce::HWY_NAMESPACE {
#if !GOSS_SIMD_IS_SCALAR

template <class T>
struct IntegerOperation {
  static constexpr size_t kElementBytes = sizeof(T);
  static constexpr size_t kBlock = 4;
  static constexpr size_t kUnroll = 4;
  using Tag = hn::ScalableTag<T>;
  using Value = hn::Vec<Tag>;
  HWY_INLINE void prepare(int) {}
  HWY_INLINE Value load(Raw raw) const { return hn::BitCast(Tag(), raw); }
  HWY_INLINE Raw finish(Value value) const { return hn::BitCast(ByteTag(), value); }
};

template <class T>
struct IntegerSum : IntegerOperation<T> {
  using Base = IntegerOperation<T>;
  using typename Base::Value;
  HWY_INLINE Value combine(Value a, Value b) const { return hn::Add(a, b); }
};

template <class T>
struct IntegerProduct : IntegerOperation<T> {
  using Base = IntegerOperation<T>;
  using typename Base::Value;
  HWY_INLINE Value combine(Value a, Value b) const {
    if constexpr (sizeof(T) == 1) {
      // No instruction multiplies bytes. The low byte of a 16-bit product is that of the low
      // bytes; a product with b's high byte in place is a's high byte times it, in place.
      const hn::ScalableTag<uint16_t> wide;
      const auto a16 = hn::BitCast(wide, a);
      const auto b16 = hn::BitCast(wide, b);
      const auto low_mask = hn::Set(wide, uint16_t{0x00ff});
      const auto low = hn::And(hn::Mul(a16, b16), low_mask);
      const auto high = hn::Mul(hn::ShiftRight<8>(a16), hn::AndNot(low_mask, b16));
      return hn::BitCast(typename Base::Tag(), hn::Or(low, high));
    } else {
      return hn::Mul(a, b);
    }
  }
};

template <class T>
struct IntegerMin : IntegerOperation<T> {
  using Base = IntegerOperation<T>;
  using typename Base::Value;
  HWY_INLINE Value combine(Value a, Value b) const { return hn::Min(a, b); }
};

template <class T>
struct IntegerMax : IntegerOperation<T> {
  using Base = IntegerOperation<T>;
  using typename Base::Value;
  HWY_INLINE Value combine(Value a, Value b) const { return hn::Max(a, b); }
};

// Quotients of magnitudes; the sign is put back by IntegerAverage.
template <size_t kBytes>
struct Divider;

// q = n * ceil(2^16 / d) >> 16: the error, below n / 2^16 <= 255 / 65536, is less than 1 / d for
// d <= 255. Larger divisors give 0, and d = 1 is left out because 2^16 does not fit.
template <>
struct Divider<1> {
  using Tag = hn::ScalableTag<uint8_t>;
  using Wide = hn::ScalableTag<uint16_t>;
  hn::Vec<Wide> reciprocal;
  bool by_one;
  HWY_INLINE void prepare(int divisor) {
    const int inverse = divisor > 255 ? 0 : (65535 + divisor) / divisor;
    reciprocal = hn::Set(Wide(), static_cast<uint16_t>(inverse));
    by_one = divisor == 1;
  }
  HWY_INLINE hn::Vec<Tag> divide(hn::Vec<Tag> n) const {
    if (by_one) return n;
    const Wide wide;
    const auto n16 = hn::BitCast(wide, n);
    const auto low = hn::MulHigh(hn::And(n16, hn::Set(wide, uint16_t{0x00ff})), reciprocal);
    const auto high = hn::MulHigh(hn::ShiftRight<8>(n16), reciprocal);
    return hn::BitCast(Tag(), hn::Or(low, hn::ShiftLeft<8>(high)));
  }
};

// The high half of the product of 32-bit lanes: Highway has only the products of even lanes.
HWY_INLINE hn::Vec<hn::ScalableTag<uint32_t>> multiply_high(hn::Vec<hn::ScalableTag<uint32_t>> a,
                                                            hn::Vec<hn::ScalableTag<uint32_t>> b) {
  const hn::ScalableTag<uint32_t> d;
  const hn::ScalableTag<uint64_t> wide;
  const auto odd = hn::BitCast(d, hn::ShiftRight<32>(hn::BitCast(wide, a)));
  const auto even_product = hn::MulEven(a, b);
  const auto odd_product = hn::MulEven(odd, b);  // b is the same in all lanes
  return hn::OddEven(hn::BitCast(d, odd_product), hn::BitCast(d, hn::ShiftRight<32>(even_product)));
}

// The high half of the product of 64-bit lanes, from four 32-bit products.
HWY_INLINE hn::Vec<hn::ScalableTag<uint64_t>> multiply_high(hn::Vec<hn::ScalableTag<uint64_t>> a,
                                                            hn::Vec<hn::ScalableTag<uint64_t>> b) {
  const hn::ScalableTag<uint32_t> d;
  const hn::ScalableTag<uint64_t> wide;
  const auto low_mask = hn::Set(wide, uint64_t{0xffffffff});
  const auto a_low = hn::BitCast(d, a);
  const auto b_low = hn::BitCast(d, b);
  const auto a_high = hn::BitCast(d, hn::ShiftRight<32>(a));
  const auto b_high = hn::BitCast(d, hn::ShiftRight<32>(b));
  const auto low = hn::ShiftRight<32>(hn::MulEven(a_low, b_low));
  const auto middle = hn::Add(hn::MulEven(a_high, b_low), low);  // fits
  const auto other = hn::Add(hn::MulEven(a_low, b_high), hn::And(middle, low_mask));
  return hn::Add(hn::MulEven(a_high, b_high),
                 hn::Add(hn::ShiftRight<32>(middle), hn::ShiftRight<32>(other)));
}

// Granlund and Montgomery, "Division by Invariant Integers using Multiplication" (1994), figure
// 4.1, with W the bits of T: l = ceil(log2 d), m = floor(2^W (2^l - d) / d) + 1,
// t = mulhi(m, n), q = (t + ((n - t) >> 1)) >> (l - 1). Exact for every n; d = 1 is left out.
template <class T>
struct WordDivider {
  using Tag = hn::ScalableTag<T>;
  hn::Vec<Tag> multiplier;
  int shift;
  HWY_INLINE void prepare(int divisor) {
    const auto d = static_cast<unsigned __int128>(divisor);
    int log = 0;
    while ((static_cast<unsigned __int128>(1) << log) < d) ++log;
    const auto excess = (static_cast<unsigned __int128>(1) << log) - d;
    multiplier = hn::Set(Tag(), static_cast<T>((excess << (8 * sizeof(T))) / d + 1));
    shift = log - 1;
  }
  HWY_INLINE hn::Vec<Tag> divide(hn::Vec<Tag> n) const {
    if (shift < 0) return n;
    const auto t = multiply_high(n, multiplier);
    return hn::ShiftRightSame(hn::Add(t, hn::ShiftRight<1>(hn::Sub(n, t))), shift);
  }
};

template <>
struct Divider<4> : WordDivider<uint32_t> {};
template <>
struct Divider<8> : WordDivider<uint64_t> {};

template <class T>
struct IntegerAverage : IntegerOperation<T> {
  using Base = IntegerOperation<T>;
  using typename Base::Value;
  using Unsigned = hn::ScalableTag<hwy::MakeUnsigned<T>>;
  static constexpr size_t kBlock = 2;
  static constexpr size_t kUnroll = 0;
  Divider<sizeof(T)> divider;
  HWY_INLINE void prepare(int divisor) { divider.prepare(divisor); }

  HWY_INLINE Value combine(Value a, Value b) const { return hn::Add(a, b); }
  HWY_INLINE Raw finish(Value sum) const {
    const typename Base::Tag d;
    const Unsigned u;
    if constexpr (hwy::IsSigned<T>()) {
      // Negate by flipping and adding one where negative: sign is 0 or -1. Truncates towards zero,
      // and the magnitude of the lowest number fits as it is unsigned.
      const auto sign = hn::BroadcastSignBit(sum);
      const auto magnitude = hn::Sub(hn::Xor(sum, sign), sign);
      const auto quotient = hn::BitCast(d, divider.divide(hn::BitCast(u, magnitude)));
      return hn::BitCast(ByteTag(), hn::Sub(hn::Xor(quotient, sign), sign));
    } else {
      return hn::BitCast(ByteTag(), divider.divide(sum));
    }
  }
};

template <class T>
ReduceFn kernel_of(RedOp op) {
  switch (op) {
    case gossMax: return reduce_or_copy<IntegerMax<T>>;
    case gossMin: return reduce_or_copy<IntegerMin<T>>;
    case gossAvg: return reduce<IntegerAverage<T>>;
    case gossSum: return reduce_or_copy<IntegerSum<hwy::MakeUnsigned<T>>>;
    case gossProd: return reduce_or_copy<IntegerProduct<hwy::MakeUnsigned<T>>>;
    case gossNumOps:
    case gossMaxRedOp: break;
  }
  return nullptr;
}

ReduceFn integer_kernel(DataType type, RedOp op) {
  switch (type) {
    case gossInt8: return kernel_of<int8_t>(op);
    case gossUint8: return kernel_of<uint8_t>(op);
    case gossInt32: return kernel_of<int32_t>(op);
    case gossUint32: return kernel_of<uint32_t>(op);
    case gossInt64: return kernel_of<int64_t>(op);
    case gossUint64: return kernel_of<uint64_t>(op);
    case gossFloat16:
    case gossFloat32:
    case gossFloat64:
    case gossBfloat16:
    case gossFloat8e4m3:
    case gossFloat8e5m2:
    case gossNumTypes: break;
  }
  return nullptr;
}

#endif  // !GOSS_SIMD_IS_SCALAR
}  // namespace goss::reduce::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace goss::reduce {

ReduceFn integer_kernel(int64_t target, DataType type, RedOp op) {
  GOSS_SIMD_DISPATCH(target, integer_kernel(type, op));
  return nullptr;
}

}  // namespace goss::reduce
#endif
