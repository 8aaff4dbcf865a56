// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Vector kernels of fp16 and bf16: sum, product and average in fp32 over all sources, rounded once.
// bf16 is rounded here: Highway 1.0.3 truncates, and the processors' own conversion flushes
// subnormals.
#include "base/simd_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "reduce/half_kernels.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "reduce/loops-inl.h"
#include "reduce/narrow-inl.h"
#include "reduce/x86/quick-inl.h"

HWY_BEFORE_NAMESPACE();
namespace goss::reduce::HWY_NAMESPACE {
#if !GOSS_SIMD_IS_SCALAR

struct Pair {
  Floats a, b;
};

// bf16 is the upper half of fp32: even and odd elements need no shuffle to come apart.
struct Bfloat16Lanes {
  static HWY_INLINE Pair load(Raw raw) {
    const Tag32 u;
    const TagF32 f;
    const Words both = hn::BitCast(u, raw);
    return {hn::BitCast(f, hn::ShiftLeft<16>(both)),
            hn::BitCast(f, hn::And(both, hn::Set(u, 0xffff0000u)))};
  }
  static HWY_INLINE Words rounded(Floats value) {  // in the upper half
    const Tag32 u;
    const Words bits = hn::BitCast(u, canonical_nan(value));
    const Words odd = hn::And(hn::ShiftRight<16>(bits), hn::Set(u, 1u));
    return hn::Add(bits, hn::Add(odd, hn::Set(u, 0x7fffu)));
  }
  static HWY_INLINE Raw store(Pair value) { return merged(rounded(value.a), rounded(value.b)); }
  static HWY_INLINE Raw merged(Words a, Words b) {
    return hn::BitCast(ByteTag(), select_bits(0xffff0000u, b, hn::ShiftRight<16>(a)));
  }
#if GOSS_REDUCE_QUICK
  static HWY_INLINE Raw store_numbers(Pair value) {
    return merged(rounded_to_upper_half(value.a), rounded_to_upper_half(value.b));
  }
#endif
};

#if HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_NEON
// The processor converts, to nearest even and with subnormals, whatever its modes are.
struct Float16Lanes {
  static HWY_INLINE Pair load(Raw raw) {
    const TagF32 f;
    const hn::Repartition<hwy::float16_t, ByteTag> h;
    const hn::Half<decltype(h)> half;
    const auto all = hn::BitCast(h, raw);
    return {hn::PromoteTo(f, hn::LowerHalf(half, all)), hn::PromoteTo(f, hn::UpperHalf(half, all))};
  }
  static HWY_INLINE Raw store(Pair value) {
    return store_numbers({canonical_nan(value.a), canonical_nan(value.b)});
  }
  static HWY_INLINE Raw store_numbers(Pair value) {
    const hn::Repartition<uint16_t, ByteTag> u16;
    const hn::Half<decltype(u16)> half_u16;
    const hn::Rebind<hwy::float16_t, TagF32> half;
    const auto low = hn::BitCast(half_u16, hn::DemoteTo(half, value.a));
    const auto high = hn::BitCast(half_u16, hn::DemoteTo(half, value.b));
    return hn::BitCast(ByteTag(), hn::Combine(u16, high, low));
  }
};
#else
struct Float16Lanes {
  static HWY_INLINE Pair load(Raw raw) {
    const Tag32 u;
    const Words both = hn::BitCast(u, raw);
    return {decode<Float16>(hn::And(both, hn::Set(u, 0xffffu))),
            decode<Float16>(hn::ShiftRight<16>(both))};
  }
  static HWY_INLINE Raw store(Pair value) {
    return hn::BitCast(ByteTag(),
                       select_bits(0xffff0000u, hn::ShiftLeft<16>(encode<Float16>(value.b)),
                                   encode<Float16>(value.a)));
  }
};
#endif

template <class Lanes, RedOp kOp>
struct HalfFloat {
  static constexpr size_t kElementBytes = 2;
  static constexpr size_t kBlock = 2;
  static constexpr size_t kUnroll = 2;
  using Value = Pair;
  Floats reciprocal;  // of gossAvg

  HWY_INLINE void prepare(int divisor) {
    reciprocal = hn::Set(TagF32(), 1.0f / static_cast<float>(divisor));
  }
  HWY_INLINE Value load(Raw raw) const { return Lanes::load(raw); }
  HWY_INLINE Value combine(Value x, Value y) const {
    if constexpr (kOp == gossProd) return {hn::Mul(x.a, y.a), hn::Mul(x.b, y.b)};
    return {hn::Add(x.a, y.a), hn::Add(x.b, y.b)};
  }
  HWY_INLINE Value divided(Value x) const {
    if constexpr (kOp != gossAvg) return x;
    return {hn::Mul(x.a, reciprocal), hn::Mul(x.b, reciprocal)};
  }
  HWY_INLINE Raw finish(Value x) const { return Lanes::store(divided(x)); }

#if GOSS_REDUCE_QUICK
  struct Quick : HalfFloat {
    Numbers<float> numbers;
    explicit Quick(const HalfFloat& op) : HalfFloat(op) {}
    HWY_INLINE Raw finish(Value x) {
      x = this->divided(x);
      numbers.look(x.a, x.b);
      return Lanes::store_numbers(x);
    }
    HWY_INLINE bool failed() const { return !numbers.only(); }
  };
#endif
};

template <class Lanes>
ReduceFn half_kernel_of(RedOp op) {
  switch (op) {
    case gossSum: return reduce_or_copy<HalfFloat<Lanes, gossSum>>;
    case gossProd: return reduce_or_copy<HalfFloat<Lanes, gossProd>>;
    case gossAvg: return reduce<HalfFloat<Lanes, gossAvg>>;
    case gossMax:
    case gossMin:
    case gossNumOps:
    case gossMaxRedOp: break;
  }
  return nullptr;
}

ReduceFn half_kernel(DataType type, RedOp op) {
  return type == gossFloat16 ? half_kernel_of<Float16Lanes>(op) : half_kernel_of<Bfloat16Lanes>(op);
}

#endif  // !GOSS_SIMD_IS_SCALAR
}  // namespace goss::reduce::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace goss::reduce {

ReduceFn half_kernel(int64_t target, DataType type, RedOp op) {
  GOSS_SIMD_DISPATCH(target, half_kernel(type, op));
  return nullptr;
}

}  // namespace goss::reduce
#endif
