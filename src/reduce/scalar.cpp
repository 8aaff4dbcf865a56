// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// The reductions, one element at a time: what gossRedOp_t says, written to be read. Every vector
// kernel must give these bits. Also used where no vector instruction set is available.
#include <cmath>
#include <cstring>
#include <limits>

#include "reduce/kernels.h"
#include "reduce/numbers.h"

namespace goss::reduce {

namespace {

// How an element type is stored (Bits) and what it is accumulated in (Value).
template <class T>
struct Integer {
  using Bits = T;
  using Value = std::make_unsigned_t<T>;  // wraps around without undefined behaviour
  static Value load(Bits bits) { return static_cast<Value>(bits); }
  static Bits store(Value value) { return static_cast<Bits>(value); }
  static Value average(Value sum, int divisor) {  // truncates towards zero
    return static_cast<Value>(static_cast<T>(sum) / static_cast<T64>(divisor));
  }
  static Bits minimum(Bits a, Bits b) { return b < a ? b : a; }
  static Bits maximum(Bits a, Bits b) { return a < b ? b : a; }

 private:
  using T64 = std::conditional_t<std::is_signed_v<T>, int64_t, uint64_t>;
};

// IEEE 754-2019 minimumNumber and maximumNumber: a number wins over a NaN, -0 < +0. They pick one
// operand, so its bits are kept, also an infinity of e5m2.
template <class Element>
struct FloatOrder {
  template <class Bits>
  static bool less(Bits a, Bits b) {
    const auto x = Element::load(a);
    const auto y = Element::load(b);
    return x < y || (x == y && std::signbit(x) && !std::signbit(y));
  }
  template <class Bits>
  static Bits minimum(Bits a, Bits b) {
    if (std::isnan(Element::load(a))) return b;
    if (std::isnan(Element::load(b))) return a;
    return less(b, a) ? b : a;
  }
  template <class Bits>
  static Bits maximum(Bits a, Bits b) {
    if (std::isnan(Element::load(a))) return b;
    if (std::isnan(Element::load(b))) return a;
    return less(a, b) ? b : a;
  }
};

template <class T>
struct Float : FloatOrder<Float<T>> {
  using Bits = std::conditional_t<sizeof(T) == 4, uint32_t, uint64_t>;
  using Value = T;
  static Value load(Bits bits) { return std::bit_cast<T>(bits); }
  static Bits store(Value value) {
    constexpr Bits kNan = static_cast<Bits>(sizeof(T) == 4 ? kCanonicalNan32 : kCanonicalNan64);
    return std::isnan(value) ? kNan : std::bit_cast<Bits>(value);
  }
  static Value average(Value sum, int divisor) { return sum * (T{1} / static_cast<T>(divisor)); }
};

template <class Format>
struct NarrowFloat : FloatOrder<NarrowFloat<Format>> {
  using Bits = typename Format::Bits;
  using Value = float;
  static Value load(Bits bits) { return Format::decode(bits); }
  static Bits store(Value value) { return Format::encode(value); }
  static Value average(Value sum, int divisor) {
    return sum * (1.0f / static_cast<float>(divisor));
  }
};

template <class Element>
typename Element::Bits canonical(typename Element::Bits bits) {
  using Value = typename Element::Value;
  if constexpr (std::is_floating_point_v<Value>) {
    if (std::isnan(Element::load(bits))) {
      return Element::store(std::numeric_limits<Value>::quiet_NaN());
    }
  }
  return bits;
}

template <class Bits>
Bits element(const Arguments& a, size_t source, size_t index) {
  Bits bits;  // sources may be unaligned
  std::memcpy(&bits, static_cast<const char*>(a.sources[source]) + index * sizeof(Bits),
              sizeof(Bits));
  return bits;
}

template <class Element, RedOp kOp>
typename Element::Bits reduce_element(const Arguments& a, size_t index) {
  using Bits = typename Element::Bits;
  using Value = typename Element::Value;
  if constexpr (kOp == gossMin || kOp == gossMax) {
    Bits best = element<Bits>(a, 0, index);
    for (size_t s = 1; s < a.nsources; ++s) {
      const Bits next = element<Bits>(a, s, index);
      best = kOp == gossMin ? Element::minimum(best, next) : Element::maximum(best, next);
    }
    return canonical<Element>(best);
  } else {
    Value total = Element::load(element<Bits>(a, 0, index));
    for (size_t s = 1; s < a.nsources; ++s) {
      const Value next = Element::load(element<Bits>(a, s, index));
      // The products and sums of 8- and 16-bit integers are made in int, or rather unsigned:
      // 65535 * 65535 would overflow an int.
      using Wide =
          std::common_type_t<Value, std::conditional_t<std::is_integral_v<Value>, unsigned, Value>>;
      const Wide x = total;
      total = static_cast<Value>(kOp == gossProd ? x * static_cast<Wide>(next)
                                                 : x + static_cast<Wide>(next));
    }
    if constexpr (kOp == gossAvg) total = Element::average(total, a.divisor);
    return Element::store(total);
  }
}

template <class Element, RedOp kOp>
void reduce(const Arguments& a) {
  using Bits = typename Element::Bits;
  for (size_t i = 0; i < a.count; ++i) {
    // Nothing is computed from a single source, so its bits are kept, also those of a NaN.
    const Bits result = a.nsources == 1 && kOp != gossAvg ? element<Bits>(a, 0, i)
                                                          : reduce_element<Element, kOp>(a, i);
    std::memcpy(static_cast<char*>(a.dst) + i * sizeof(Bits), &result, sizeof(Bits));
    if (a.dst2 != nullptr) {
      std::memcpy(static_cast<char*>(a.dst2) + i * sizeof(Bits), &result, sizeof(Bits));
    }
  }
}

template <class Element>
ReduceFn kernel_of(RedOp op) {
  switch (op) {
    case gossSum: return reduce<Element, gossSum>;
    case gossProd: return reduce<Element, gossProd>;
    case gossMax: return reduce<Element, gossMax>;
    case gossMin: return reduce<Element, gossMin>;
    case gossAvg: return reduce<Element, gossAvg>;
    case gossNumOps:
    case gossMaxRedOp: break;
  }
  return nullptr;
}

}  // namespace

ReduceFn scalar_kernel(DataType type, RedOp op) {
  switch (type) {
    case gossInt8: return kernel_of<Integer<int8_t>>(op);
    case gossUint8: return kernel_of<Integer<uint8_t>>(op);
    case gossInt32: return kernel_of<Integer<int32_t>>(op);
    case gossUint32: return kernel_of<Integer<uint32_t>>(op);
    case gossInt64: return kernel_of<Integer<int64_t>>(op);
    case gossUint64: return kernel_of<Integer<uint64_t>>(op);
    case gossFloat16: return kernel_of<NarrowFloat<Float16>>(op);
    case gossFloat32: return kernel_of<Float<float>>(op);
    case gossFloat64: return kernel_of<Float<double>>(op);
    case gossBfloat16: return kernel_of<NarrowFloat<Bfloat16>>(op);
    case gossFloat8e4m3: return kernel_of<NarrowFloat<Float8E4m3>>(op);
    case gossFloat8e5m2: return kernel_of<NarrowFloat<Float8E5m2>>(op);
    case gossNumTypes: break;
  }
  return nullptr;
}

}  // namespace goss::reduce
