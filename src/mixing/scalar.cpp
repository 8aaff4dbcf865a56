// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Weighted means, one element at a time: what MixArguments says, written to be read. Every vector
// kernel must give these bits. Also used where no vector instruction set is available.
#include <cmath>
#include <type_traits>

#include "mixing/kernels.h"
#include "mixing/numbers.h"

namespace goss::mixing {

namespace {

template <class Format>
struct Narrow {
  using Value = float;
  static float load(const void* base, size_t i) { return load_element<Format>(base, i); }
  static void store(void* base, size_t i, float value) { store_element<Format>(base, i, value); }
};

struct Double {
  using Value = double;
  static double load(const void* base, size_t i) {
    double value;
    std::memcpy(&value, static_cast<const char*>(base) + i * sizeof value, sizeof value);
    return value;
  }
  static void store(void* base, size_t i, double value) {
    const uint64_t bits = std::isnan(value) ? kCanonicalNan64 : std::bit_cast<uint64_t>(value);
    std::memcpy(static_cast<char*>(base) + i * sizeof bits, &bits, sizeof bits);
  }
};

// Squares are summed in 16 lanes (element i in lane i % 16) over 1,024 elements at a time, then the
// lanes from the first to the last: an order that vectors of every length can keep.
template <class Value>
class Squares {
 public:
  void add(size_t index, Value difference) {
    if (index % kChunk == 0 && index != 0) flush();
    lanes_[index % kLanes] += difference * difference;
    const double magnitude = std::abs(difference);
    if (magnitude > result_.largest) result_.largest = magnitude;
  }
  Difference finish() {
    flush();
    return result_;
  }

 private:
  static constexpr size_t kLanes = 16;
  static constexpr size_t kChunk = 1024;
  void flush() {
    for (Value& lane : lanes_) {
      result_.sum_of_squares += lane;
      lane = 0;
    }
  }
  Value lanes_[kLanes] = {};
  Difference result_;
};

template <class Element>
void mix(const MixArguments& a) {
  using Value = typename Element::Value;
  const auto divisor = static_cast<Value>(a.divisor);
  Squares<Value> squares;
  for (size_t i = 0; i < a.count; ++i) {
    if (a.difference != nullptr) {
      squares.add(i, Element::load(a.sources[1], i) - Element::load(a.sources[0], i));
    }
    Value sum = static_cast<Value>(a.factors[0]) * Element::load(a.sources[0], i);
    for (size_t s = 1; s < a.nsources; ++s) {
      sum += static_cast<Value>(a.factors[s]) * Element::load(a.sources[s], i);
    }
    Element::store(a.dst, i, sum / divisor);
    if (a.dst2 != nullptr) Element::store(a.dst2, i, sum / divisor);
  }
  if (a.difference != nullptr) *a.difference = squares.finish();
}

}  // namespace

MixFn scalar_mix(DataType type) {
  switch (type) {
    case gossFloat32: return mix<Narrow<Float32>>;
    case gossFloat64: return mix<Double>;
    case gossFloat16: return mix<Narrow<Float16>>;
    case gossBfloat16: return mix<Narrow<Bfloat16>>;
    case gossInt8:
    case gossUint8:
    case gossInt32:
    case gossUint32:
    case gossInt64:
    case gossUint64:
    case gossFloat8e4m3:
    case gossFloat8e5m2:
    case gossNumTypes: break;
  }
  return nullptr;
}

}  // namespace goss::mixing
