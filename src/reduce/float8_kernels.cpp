// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Vector kernels of the two fp8 formats: sum, product and average in fp32 over all sources, rounded
// once.
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

#if HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_NEON
// By way of fp16, which the processor converts, subnormals included. An e5m2 is the upper byte of an
// fp16. An e4m3 moved down by one bit has its exponent field in the place of fp16's; 2^8 makes up
// for the difference of the biases. Even bytes go to v0 and v1, odd ones to v2 and v3.
using Tag16 = hn::Repartition<uint16_t, ByteTag>;
using Halves = hn::Vec<Tag16>;

template <class Format>
struct Float8Lanes {
  static HWY_INLINE Halves to_half(Halves upper_byte) {
    const Tag16 u;
    if constexpr (Format::kHasInfinity) {
      return hn::And(upper_byte, hn::Set(u, uint16_t{0xff00}));
    } else {
      const hn::RebindToSigned<Tag16> s;
      const Halves moved = hn::BitCast(u, hn::ShiftRight<1>(hn::BitCast(s, upper_byte)));
      const Halves half = hn::And(moved, hn::Set(u, uint16_t{0xbf80}));
      const Halves magnitude = hn::And(half, hn::Set(u, uint16_t{0x3f80}));
      const auto is_nan = hn::Eq(magnitude, hn::Set(u, uint16_t{0x3f80}));
      return hn::IfThenElse(is_nan, hn::Set(u, uint16_t{Float16::kNan}), half);
    }
  }
  static HWY_INLINE Floats to_float(hn::Vec<hn::Half<Tag16>> half) {
    const TagF32 f;
    const Floats value =
        hn::PromoteTo(f, hn::BitCast(hn::Rebind<hwy::float16_t, TagF32>(), half));
    return Format::kHasInfinity ? value : hn::Mul(value, hn::Set(f, 256.0f));
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
    return hn::Combine(Tag16(), hn::TruncateTo(half, encode<Format>(high)),
                       hn::TruncateTo(half, encode<Format>(low)));
  }
  static HWY_INLINE Raw store(const Quad& x) {
    const Tag32 u;
    const Words odd = hn::BitCast(u, hn::ShiftLeft<8>(codes(x.v2, x.v3)));
    return hn::BitCast(ByteTag(),
                       select_bits(0x00ff00ffu, hn::BitCast(u, codes(x.v0, x.v1)), odd));
  }
};
#else
// Byte k of every 32-bit word goes to vector k: nothing needs a shuffle.
template <class Format>
struct Float8Lanes {
  static HWY_INLINE Quad load(Raw raw) {
    const Tag32 u;
    const Words all = hn::BitCast(u, raw);
    const Words byte = hn::Set(u, 0xffu);
    return {decode<Format>(hn::And(all, byte)),
            decode<Format>(hn::And(hn::ShiftRight<8>(all), byte)),
            decode<Format>(hn::And(hn::ShiftRight<16>(all), byte)),
            decode<Format>(hn::ShiftRight<24>(all))};
  }
  static HWY_INLINE Raw store(const Quad& x) {
    const Words low = select_bits(0x0000ff00u, hn::ShiftLeft<8>(encode<Format>(x.v1)),
                                  encode<Format>(x.v0));
    const Words high = select_bits(0xff000000u, hn::ShiftLeft<24>(encode<Format>(x.v3)),
                                   hn::ShiftLeft<16>(encode<Format>(x.v2)));
    return hn::BitCast(ByteTag(), select_bits(0xffff0000u, high, low));
  }
};
#endif

template <class Format, RedOp kOp>
struct Float8 {
  static constexpr size_t kElementBytes = 1;
  static constexpr size_t kBlock = 8;
  static constexpr size_t kUnroll = 1;
  static constexpr bool kLong = true;
  using Lanes = Float8Lanes<Format>;
  using Value = Quad;
  Floats reciprocal;  // of gossAvg

  HWY_INLINE void prepare(int divisor) {
    reciprocal = hn::Set(TagF32(), 1.0f / static_cast<float>(divisor));
  }
  HWY_INLINE Value load(Raw raw) const { return Lanes::load(raw); }
  HWY_INLINE Value combine(const Value& x, const Value& y) const {
    if constexpr (kOp == gossProd) {
      return {hn::Mul(x.v0, y.v0), hn::Mul(x.v1, y.v1), hn::Mul(x.v2, y.v2), hn::Mul(x.v3, y.v3)};
    }
    return {hn::Add(x.v0, y.v0), hn::Add(x.v1, y.v1), hn::Add(x.v2, y.v2), hn::Add(x.v3, y.v3)};
  }
  HWY_INLINE Raw finish(const Value& x) const {
    if constexpr (kOp == gossAvg) {
      const Floats r = reciprocal;
      return Lanes::store({hn::Mul(x.v0, r), hn::Mul(x.v1, r), hn::Mul(x.v2, r), hn::Mul(x.v3, r)});
    }
    return Lanes::store(x);
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
