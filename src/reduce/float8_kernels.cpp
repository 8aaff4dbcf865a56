// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Vector kernels of the two fp8 formats: sum, product and average in fp32 over all sources, rounded
// once.
#include "base/simd_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "reduce/float8_kernels.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <type_traits>

#include "reduce/loops-inl.h"
#include "reduce/narrow-inl.h"

HWY_BEFORE_NAMESPACE();
namespace goss::reduce::HWY_NAMESPACE {
#if !GOSS_SIMD_IS_SCALAR

// Four vectors hold the elements of one register of bytes. They are passed singly where they are
// not just made: copies of the structure go through memory.
struct Quad {
  Floats v0, v1, v2, v3;
};

#if HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_NEON
// By way of fp16, which the processor converts, subnormals included. An e5m2 is the upper byte of
// an fp16. An e4m3 moved down by one bit has its exponent field in the place of fp16's, and is 2^-8
// of its value. Even bytes go to v0 and v1, odd ones to v2 and v3.
//
// Sums of e4m3 stay 2^-8 too small until they are rounded: a power of two changes no bit of the
// significands. Nor do they care for NaNs: these are 480 then, and the caller puts the NaN back.
// Products do both at once, for they may overflow to infinity and become NaN by themselves.
using Tag16 = hn::Repartition<uint16_t, ByteTag>;
using Halves = hn::Vec<Tag16>;

template <class Format, RedOp kOp>
struct Float8Lanes {
  static constexpr bool kIgnoresNan = !Format::kHasInfinity && kOp != gossProd;
  static constexpr int kScale = kIgnoresNan ? 8 : 0;

  static HWY_INLINE Halves to_half(Halves upper_byte) {
    const Tag16 u;
    if constexpr (Format::kHasInfinity) {
      return hn::And(upper_byte, hn::Set(u, uint16_t{0xff00}));
    } else {
      const hn::RebindToSigned<Tag16> s;
      const Halves moved = hn::BitCast(u, hn::ShiftRight<1>(hn::BitCast(s, upper_byte)));
      const Halves half = hn::And(moved, hn::Set(u, uint16_t{0xbf80}));
      if constexpr (kIgnoresNan) return half;
      const Halves magnitude = hn::And(half, hn::Set(u, uint16_t{0x3f80}));
      const auto is_nan = hn::Eq(magnitude, hn::Set(u, uint16_t{0x3f80}));
      return hn::IfThenElse(is_nan, hn::Set(u, uint16_t{Float16::kNan}), half);
    }
  }
  static HWY_INLINE Floats to_float(hn::Vec<hn::Half<Tag16>> half) {
    const TagF32 f;
    const Floats value = hn::PromoteTo(f, hn::BitCast(hn::Rebind<hwy::float16_t, TagF32>(), half));
    if constexpr (Format::kHasInfinity || kIgnoresNan) return value;
    return hn::Mul(value, hn::Set(f, 256.0f));
  }
  static HWY_INLINE Quad load(Raw raw) {
    const Tag16 u;
    const hn::Half<Tag16> half;
    const Halves all = hn::BitCast(u, raw);
    const Halves even = to_half(hn::ShiftLeft<8>(all));
    const Halves odd = to_half(all);
    return {to_float(hn::LowerHalf(half, even)), to_float(hn::UpperHalf(half, even)),
            to_float(hn::LowerHalf(half, odd)), to_float(hn::UpperHalf(half, odd))};
  }
  static HWY_INLINE Halves codes(Floats low, Floats high) {  // garbage in the upper bytes
    const hn::Half<Tag16> half;
    return hn::Combine(Tag16(), hn::TruncateTo(half, encode<Format, kScale, !kIgnoresNan>(high)),
                       hn::TruncateTo(half, encode<Format, kScale, !kIgnoresNan>(low)));
  }
  static HWY_INLINE Raw store(Floats v0, Floats v1, Floats v2, Floats v3) {
    const Tag32 u;
    const Words odd = hn::BitCast(u, hn::ShiftLeft<8>(codes(v2, v3)));
    return hn::BitCast(ByteTag(), select_bits(0x00ff00ffu, hn::BitCast(u, codes(v0, v1)), odd));
  }
};
#else
// Byte k of every 32-bit word goes to vector k: nothing needs a shuffle.
template <class Format, RedOp kOp>
struct Float8Lanes {
  static constexpr bool kIgnoresNan = false;

  static HWY_INLINE Quad load(Raw raw) {
    const Tag32 u;
    const Words all = hn::BitCast(u, raw);
    const Words byte = hn::Set(u, 0xffu);
    return {decode<Format>(hn::And(all, byte)),
            decode<Format>(hn::And(hn::ShiftRight<8>(all), byte)),
            decode<Format>(hn::And(hn::ShiftRight<16>(all), byte)),
            decode<Format>(hn::ShiftRight<24>(all))};
  }
  static HWY_INLINE Raw store(Floats v0, Floats v1, Floats v2, Floats v3) {
    const Words low =
        select_bits(0x0000ff00u, hn::ShiftLeft<8>(encode<Format>(v1)), encode<Format>(v0));
    const Words high = select_bits(0xff000000u, hn::ShiftLeft<24>(encode<Format>(v3)),
                                   hn::ShiftLeft<16>(encode<Format>(v2)));
    return hn::BitCast(ByteTag(), select_bits(0xffff0000u, high, low));
  }
};
#endif

template <class Format, RedOp kOp>
struct Float8 {
  static constexpr size_t kElementBytes = 1;
  static constexpr size_t kBlock = 1;
  static constexpr size_t kUnroll = 1;
  using Lanes = Float8Lanes<Format, kOp>;
  struct Tracking {
    Floats v0, v1, v2, v3;
    Raw largest;  // magnitude of all sources: that of a NaN is above all others
  };
  using Value = std::conditional_t<Lanes::kIgnoresNan, Tracking, Quad>;
  Floats reciprocal;  // of gossAvg

  HWY_INLINE void prepare(int divisor) {
    reciprocal = hn::Set(TagF32(), 1.0f / static_cast<float>(divisor));
  }
  HWY_INLINE Value load(Raw raw) const {
    const Quad q = Lanes::load(raw);
    if constexpr (Lanes::kIgnoresNan) {
      return {q.v0, q.v1, q.v2, q.v3, hn::And(raw, hn::Set(ByteTag(), uint8_t{0x7f}))};
    } else {
      return {q.v0, q.v1, q.v2, q.v3};
    }
  }
  static HWY_INLINE Floats combine(Floats x, Floats y) {
    if constexpr (kOp == gossProd) return hn::Mul(x, y);
    return hn::Add(x, y);
  }
  HWY_INLINE Value combine(const Value& x, const Value& y) const {
    const Floats v0 = combine(x.v0, y.v0);
    const Floats v1 = combine(x.v1, y.v1);
    const Floats v2 = combine(x.v2, y.v2);
    const Floats v3 = combine(x.v3, y.v3);
    if constexpr (Lanes::kIgnoresNan) {
      return {v0, v1, v2, v3, hn::Max(x.largest, y.largest)};
    } else {
      return {v0, v1, v2, v3};
    }
  }
  HWY_INLINE Floats averaged(Floats sum) const {
    if constexpr (kOp == gossAvg) return hn::Mul(sum, reciprocal);
    return sum;
  }
  HWY_INLINE Raw finish(const Value& x) const {
    const Raw raw = Lanes::store(averaged(x.v0), averaged(x.v1), averaged(x.v2), averaged(x.v3));
    if constexpr (Lanes::kIgnoresNan) {
      const Raw nan = hn::Set(ByteTag(), uint8_t{Format::kNan});
      return hn::IfThenElse(hn::Eq(x.largest, nan), nan, raw);
    } else {
      return raw;
    }
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
    case gossNumOps:
    case gossMaxRedOp: break;
  }
  return nullptr;
}

ReduceFn float8_kernel(DataType type, RedOp op) {
  return type == gossFloat8e4m3 ? float8_kernel_of<Float8E4m3>(op)
                                : float8_kernel_of<Float8E5m2>(op);
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
