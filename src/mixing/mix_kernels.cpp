// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Vector kernels of weighted means. A step is 64 elements (16 lanes times 4), carried over all
// sources in registers; what is left at the end is computed in a copy padded with zeros.
#include "base/simd_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "mixing/mix_kernels.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <cmath>
#include <cstring>

#include "mixing/kernels.h"
#include "mixing/lanes-inl.h"

#ifndef GOSS_MIXING_UNROLL
#if defined(__clang__)
#define GOSS_MIXING_UNROLL _Pragma("clang loop unroll(full)")
#else
#define GOSS_MIXING_UNROLL _Pragma("GCC unroll 16")
#endif
#endif

HWY_BEFORE_NAMESPACE();
namespace goss::mixing::HWY_NAMESPACE {
#if !GOSS_SIMD_IS_SCALAR

// In the order of the specification: 16 lanes over 1,024 elements.
template <class Lanes>
class Squares {
 public:
  using Tag = typename Lanes::Tag;
  using T = hn::TFromD<Tag>;
  static constexpr size_t kLanes = 16;
  static constexpr size_t kVectors = kLanes / hn::MaxLanes(Tag());

  HWY_INLINE Squares() {
    for (auto& lane : lanes_) lane = hn::Zero(Tag());
    for (auto& largest : largest_) largest = hn::Zero(Tag());
  }
  HWY_INLINE void add(size_t v, hn::Vec<Tag> difference) {
    lanes_[v] = hn::Add(lanes_[v], hn::Mul(difference, difference));
    const auto magnitude = hn::Abs(difference);
    largest_[v] = hn::IfThenElse(hn::Gt(magnitude, largest_[v]), magnitude, largest_[v]);
  }
  HWY_INLINE void flush() {
    HWY_ALIGN T lanes[kLanes];
    for (size_t v = 0; v < kVectors; ++v) {
      hn::Store(lanes_[v], Tag(), lanes + v * hn::MaxLanes(Tag()));
      lanes_[v] = hn::Zero(Tag());
    }
    for (const T lane : lanes) result_.sum_of_squares += lane;
  }
  HWY_INLINE Difference finish() {
    flush();
    HWY_ALIGN T lanes[kLanes];
    for (size_t v = 0; v < kVectors; ++v) {
      hn::Store(largest_[v], Tag(), lanes + v * hn::MaxLanes(Tag()));
    }
    for (const T lane : lanes) {
      if (lane > result_.largest) result_.largest = lane;
    }
    return result_;
  }

 private:
  hn::Vec<Tag> lanes_[kVectors];
  hn::Vec<Tag> largest_[kVectors];
  Difference result_;
};

// Everything about one call that does not change from step to step.
template <class Lanes, bool kMeasure>
class Mixer {
 public:
  using Tag = typename Lanes::Tag;
  using T = hn::TFromD<Tag>;
  using Value = hn::Vec<Tag>;
  static constexpr size_t kElementBytes = Lanes::kElementBytes;
  static constexpr size_t kStep = sizeof(T) == 8 ? 32 : 64;
  static constexpr size_t kVectors = kStep / hn::MaxLanes(Tag());
  static constexpr size_t kVectorBytes = hn::MaxLanes(Tag()) * kElementBytes;

  explicit Mixer(const MixArguments& a) : a_(a), divisor_(static_cast<T>(a.divisor)) {
    // The reciprocal of a power of two is exact: multiplying gives the bits of the division.
    const T reciprocal = T{1} / divisor_;
    exact_reciprocal_ = is_power_of_two(divisor_) && is_power_of_two(reciprocal);
    scale_ = exact_reciprocal_ ? reciprocal : divisor_;
  }

  void run() {
    size_t at = 0;
    for (; a_.count - at >= kStep; at += kStep) {
      if constexpr (kMeasure) {
        if (at % kChunk == 0 && at != 0) squares_.flush();
      }
      step(at);
    }
    if constexpr (kMeasure) {
      if (at % kChunk == 0 && at != 0) squares_.flush();
    }
    if (at < a_.count) step_of_tail(at, a_.count - at);
    if constexpr (kMeasure) *a_.difference = squares_.finish();
  }

 private:
  static constexpr size_t kChunk = 1024;

  static bool is_power_of_two(T value) {
    int exponent;
    return std::frexp(value, &exponent) == T{0.5} && std::isnormal(value);
  }
  HWY_INLINE const uint8_t* source(size_t s, size_t at) const {
    return static_cast<const uint8_t*>(a_.sources[s]) + at * kElementBytes;
  }
  HWY_INLINE uint8_t* to(void* base, size_t at) const {
    return static_cast<uint8_t*>(base) + at * kElementBytes;
  }

  HWY_INLINE void first_source(const uint8_t* p, Value (&sum)[kVectors]) const {
    const Value factor = hn::Set(Tag(), static_cast<T>(a_.factors[0]));
    GOSS_MIXING_UNROLL
    for (size_t v = 0; v < kVectors; ++v) {
      sum[v] = hn::Mul(factor, Lanes::load(p + v * kVectorBytes));
    }
  }
  HWY_INLINE void next_source(size_t s, const uint8_t* p, Value (&sum)[kVectors]) const {
    const Value factor = hn::Set(Tag(), static_cast<T>(a_.factors[s]));
    GOSS_MIXING_UNROLL
    for (size_t v = 0; v < kVectors; ++v) {
      sum[v] = hn::Add(sum[v], hn::Mul(factor, Lanes::load(p + v * kVectorBytes)));
    }
  }
  HWY_INLINE void measure(const uint8_t* a, const uint8_t* b) {
    GOSS_MIXING_UNROLL
    for (size_t v = 0; v < kVectors; ++v) {
      squares_.add(v % Squares<Lanes>::kVectors,
                   hn::Sub(Lanes::load(b + v * kVectorBytes), Lanes::load(a + v * kVectorBytes)));
    }
  }
  HWY_INLINE void divide(Value (&sum)[kVectors]) const {
    const Value scale = hn::Set(Tag(), scale_);
    if (exact_reciprocal_) {
      GOSS_MIXING_UNROLL
      for (size_t v = 0; v < kVectors; ++v) sum[v] = hn::Mul(sum[v], scale);
    } else {
      GOSS_MIXING_UNROLL
      for (size_t v = 0; v < kVectors; ++v) sum[v] = hn::Div(sum[v], scale);
    }
  }
  static HWY_INLINE void store(const Value (&sum)[kVectors], uint8_t* p) {
    GOSS_MIXING_UNROLL
    for (size_t v = 0; v < kVectors; ++v) Lanes::store(sum[v], p + v * kVectorBytes);
  }

  HWY_INLINE void step(size_t at) {
    Value sum[kVectors];
    if constexpr (kMeasure) measure(source(0, at), source(1, at));
    first_source(source(0, at), sum);
    for (size_t s = 1; s < a_.nsources; ++s) next_source(s, source(s, at), sum);
    divide(sum);
    store(sum, to(a_.dst, at));
    if (a_.dst2 != nullptr) store(sum, to(a_.dst2, at));
  }

  HWY_NOINLINE void step_of_tail(size_t at, size_t count) {
    HWY_ALIGN uint8_t padded[kStep * kElementBytes] = {};
    const size_t bytes = count * kElementBytes;
    Value sum[kVectors];
    if constexpr (kMeasure) {
      HWY_ALIGN uint8_t other[kStep * kElementBytes] = {};
      std::memcpy(padded, source(0, at), bytes);
      std::memcpy(other, source(1, at), bytes);
      measure(padded, other);
    }
    std::memcpy(padded, source(0, at), bytes);
    first_source(padded, sum);
    for (size_t s = 1; s < a_.nsources; ++s) {
      std::memcpy(padded, source(s, at), bytes);
      next_source(s, padded, sum);
    }
    divide(sum);
    store(sum, padded);
    std::memcpy(to(a_.dst, at), padded, bytes);
    if (a_.dst2 != nullptr) std::memcpy(to(a_.dst2, at), padded, bytes);
  }

  const MixArguments& a_;
  T divisor_;
  T scale_;
  bool exact_reciprocal_;
  Squares<Lanes> squares_;
};

template <class Lanes>
void mix(const MixArguments& a) {
  if (a.difference != nullptr) {
    Mixer<Lanes, true>(a).run();
  } else {
    Mixer<Lanes, false>(a).run();
  }
}

MixFn vector_mix(DataType type) {
  if (type == gossFloat32) return mix<Float32Lanes>;
  if (type == gossFloat64) return mix<Float64Lanes>;
  if (type == gossFloat16) return mix<Float16Lanes>;
  if (type == gossBfloat16) return mix<Bfloat16Lanes>;
  return nullptr;
}

#endif  // !GOSS_SIMD_IS_SCALAR
}  // namespace goss::mixing::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace goss::mixing {

MixFn vector_mix(int64_t target, DataType type) {
  GOSS_SIMD_DISPATCH(target, vector_mix(type));
  return nullptr;
}

}  // namespace goss::mixing
#endif
