// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// What an all-reduce must give, bit for bit: the left fold that gossRedOp_t describes, written once
// more and differently from src/reduce. Narrow floats are converted by arithmetic in double.
#pragma once

#include <gossamer/gossamer.h>

#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <vector>

namespace goss::test {

constexpr size_t kSizes[gossNumTypes] = {1, 1, 4, 4, 8, 8, 2, 4, 8, 2, 1, 1};
constexpr const char* kTypes[gossNumTypes] = {"int8", "uint8", "int32", "uint32", "int64", "uint64",
                                              "fp16", "fp32",  "fp64",  "bf16",   "e4m3",  "e5m2"};
constexpr const char* kOps[gossNumOps] = {"sum", "prod", "max", "min", "avg"};

inline gossDataType_t type_at(int i) { return static_cast<gossDataType_t>(i); }
inline gossRedOp_t op_at(int i) { return static_cast<gossRedOp_t>(i); }

// A float of fewer than 32 bits. Codes above `largest` (without sign) are infinity, then NaN.
struct NarrowFormat {
  int bits;
  int mantissa;
  int least_exponent;
  uint32_t largest;
  bool has_infinity;
  bool saturates;
  uint32_t nan;

  uint32_t sign() const { return 1u << (bits - 1); }
  bool is_nan(uint32_t code) const {
    return (code & (sign() - 1)) > largest + (has_infinity ? 1 : 0);
  }

  float decode(uint32_t code) const {
    const uint32_t magnitude = code & (sign() - 1);
    if (is_nan(code)) return std::numeric_limits<float>::quiet_NaN();
    double value = std::numeric_limits<double>::infinity();
    if (magnitude <= largest) {
      const int exponent = static_cast<int>(magnitude >> mantissa);
      const double fraction = std::ldexp(magnitude & ((1u << mantissa) - 1), -mantissa);
      value = exponent == 0 ? std::ldexp(fraction, least_exponent)
                            : std::ldexp(1 + fraction, least_exponent + exponent - 1);
    }
    return static_cast<float>((code & sign()) != 0 ? -value : value);
  }

  uint32_t encode(float value) const {
    if (std::isnan(value)) return nan;
    const uint32_t s = std::signbit(value) ? sign() : 0;
    const uint32_t beyond = saturates ? largest : largest + 1;
    const double a = std::fabs(static_cast<double>(value));
    if (std::isinf(a)) return s | beyond;
    if (a == 0) return s;
    const int exponent = std::max(std::ilogb(a), least_exponent);
    // In units of the last place; halves go to even by the default rounding.
    const auto units = static_cast<uint64_t>(std::nearbyint(std::ldexp(a, mantissa - exponent)));
    const uint64_t code = (static_cast<uint64_t>(exponent - least_exponent) << mantissa) + units;
    return s | (code > largest ? beyond : static_cast<uint32_t>(code));
  }
};

inline const NarrowFormat& narrow_format(gossDataType_t type) {
  static const NarrowFormat fp16{16, 10, -14, 0x7bff, true, false, 0x7e00};
  static const NarrowFormat bf16{16, 7, -126, 0x7f7f, true, false, 0x7fc0};
  static const NarrowFormat e4m3{8, 3, -6, 0x7e, false, true, 0x7f};
  static const NarrowFormat e5m2{8, 2, -14, 0x7b, true, true, 0x7f};
  switch (type) {
    case gossFloat16: return fp16;
    case gossBfloat16: return bf16;
    case gossFloat8e4m3: return e4m3;
    default: return e5m2;
  }
}

template <class T>
T canonical(T value) {
  return std::isnan(value) ? std::numeric_limits<T>::quiet_NaN() : value;
}

// IEEE 754-2019 minimumNumber and maximumNumber.
template <class T>
T lesser(T a, T b) {
  if (std::isnan(a)) return b;
  if (std::isnan(b)) return a;
  if (a == b) return std::signbit(a) ? a : b;
  return a < b ? a : b;
}
template <class T>
T greater(T a, T b) {
  if (std::isnan(a)) return b;
  if (std::isnan(b)) return a;
  if (a == b) return std::signbit(a) ? b : a;
  return a < b ? b : a;
}

template <class T>
T combine_floats(T a, T b, gossRedOp_t op) {
  switch (op) {
    case gossProd: return a * b;
    case gossMax: return greater(a, b);
    case gossMin: return lesser(a, b);
    default: return a + b;
  }
}

template <class T>
T fold_float(const std::vector<const std::byte*>& inputs, size_t i, gossRedOp_t op) {
  T total{};
  for (size_t r = 0; r < inputs.size(); ++r) {
    T next;
    std::memcpy(&next, inputs[r] + i * sizeof(T), sizeof(T));
    total = r == 0 ? next : combine_floats(total, next, op);
  }
  if (op == gossAvg) total = total * (T{1} / static_cast<T>(inputs.size()));
  return canonical(total);
}

template <class T>
T fold_integer(const std::vector<const std::byte*>& inputs, size_t i, gossRedOp_t op) {
  T total{};
  for (size_t r = 0; r < inputs.size(); ++r) {
    T next;
    std::memcpy(&next, inputs[r] + i * sizeof(T), sizeof(T));
    if (r == 0) {
      total = next;
      continue;
    }
    const auto a = static_cast<uint64_t>(total);
    const auto b = static_cast<uint64_t>(next);
    switch (op) {
      case gossProd: total = static_cast<T>(a * b); break;
      case gossMax: total = total < next ? next : total; break;
      case gossMin: total = next < total ? next : total; break;
      default: total = static_cast<T>(a + b); break;
    }
  }
  if (op == gossAvg) total = static_cast<T>(total / static_cast<T>(inputs.size()));
  return total;
}

// 0..65535 -> value, made once per format.
inline const std::vector<float>& decode_table(gossDataType_t type) {
  static const std::vector<std::vector<float>> tables = [] {
    std::vector<std::vector<float>> all(gossNumTypes);
    for (gossDataType_t t : {gossFloat16, gossBfloat16, gossFloat8e4m3, gossFloat8e5m2}) {
      const NarrowFormat& format = narrow_format(t);
      for (uint32_t code = 0; code < 1u << format.bits; ++code) {
        all[t].push_back(format.decode(code));
      }
    }
    return all;
  }();
  return tables[type];
}

template <class Bits>
Bits fold_narrow(const std::vector<const std::byte*>& inputs, size_t i, gossRedOp_t op,
                 gossDataType_t type) {
  const std::vector<float>& values = decode_table(type);
  float total = 0;
  for (size_t r = 0; r < inputs.size(); ++r) {
    Bits code;
    std::memcpy(&code, inputs[r] + i * sizeof(Bits), sizeof(Bits));
    total = r == 0 ? values[code] : combine_floats(total, values[code], op);
  }
  if (op == gossAvg) total *= 1.0f / static_cast<float>(inputs.size());
  return static_cast<Bits>(narrow_format(type).encode(total));
}

// The result of all `inputs`, in rank order.
inline std::vector<std::byte> reference_all_reduce(const std::vector<const std::byte*>& inputs,
                                                   size_t count, gossDataType_t type,
                                                   gossRedOp_t op) {
  std::vector<std::byte> result(count * kSizes[type]);
  const auto fill = [&](auto fold) {
    for (size_t i = 0; i < count; ++i) {
      const auto value = fold(i);
      std::memcpy(result.data() + i * sizeof(value), &value, sizeof(value));
    }
  };
  switch (type) {
    case gossInt8: fill([&](size_t i) { return fold_integer<int8_t>(inputs, i, op); }); break;
    case gossUint8: fill([&](size_t i) { return fold_integer<uint8_t>(inputs, i, op); }); break;
    case gossInt32: fill([&](size_t i) { return fold_integer<int32_t>(inputs, i, op); }); break;
    case gossUint32: fill([&](size_t i) { return fold_integer<uint32_t>(inputs, i, op); }); break;
    case gossInt64: fill([&](size_t i) { return fold_integer<int64_t>(inputs, i, op); }); break;
    case gossUint64: fill([&](size_t i) { return fold_integer<uint64_t>(inputs, i, op); }); break;
    case gossFloat32: fill([&](size_t i) { return fold_float<float>(inputs, i, op); }); break;
    case gossFloat64: fill([&](size_t i) { return fold_float<double>(inputs, i, op); }); break;
    case gossFloat16:
    case gossBfloat16:
      fill([&](size_t i) { return fold_narrow<uint16_t>(inputs, i, op, type); });
      break;
    case gossFloat8e4m3:
    case gossFloat8e5m2:
      fill([&](size_t i) { return fold_narrow<uint8_t>(inputs, i, op, type); });
      break;
    case gossNumTypes: break;
  }
  return result;
}

inline uint64_t mix(uint64_t x) {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
  return x ^ (x >> 31);
}

template <class T>
void put_value(std::byte* at, T value) {
  std::memcpy(at, &value, sizeof(value));
}

// Element i of what `rank` contributes: mostly plain numbers; in floats also zeros of both signs,
// infinities, the canonical NaN, and for the narrow ones any bit pattern.
inline void put_element(std::byte* at, gossDataType_t type, int rank, size_t i) {
  const uint64_t h = mix(i * 64 + static_cast<uint64_t>(rank) + 1);
  const double number = static_cast<double>(static_cast<int>(h % 4001) - 2000) / 64;
  const uint64_t special = h >> 32 & 31;
  const auto wide = [&](auto zero) {
    using T = decltype(zero);
    T value = static_cast<T>(number);
    if (special == 0) value = -zero;
    if (special == 1) value = zero;
    if (special == 2) value = std::numeric_limits<T>::quiet_NaN();
    if (special == 3) value = -std::numeric_limits<T>::infinity();
    if (special == 4) value = std::numeric_limits<T>::infinity();
    if (special == 5) value = std::numeric_limits<T>::denorm_min() * static_cast<T>(h % 100);
    put_value(at, value);
  };
  switch (type) {
    case gossFloat32: return wide(0.0f);
    case gossFloat64: return wide(0.0);
    case gossFloat16:
    case gossBfloat16:
    case gossFloat8e4m3:
    case gossFloat8e5m2: {
      const NarrowFormat& format = narrow_format(type);
      uint32_t code = special < 8 ? static_cast<uint32_t>(h) & (2 * format.sign() - 1)
                                  : format.encode(static_cast<float>(number / 8));
      if (format.is_nan(code)) code = format.nan;
      // An infinity among fp8 operands: kept by copies, saturated by sums; see kernel parity tests.
      if (format.saturates && (code & (format.sign() - 1)) > format.largest) code = format.nan;
      if (format.bits == 8) return put_value(at, static_cast<uint8_t>(code));
      return put_value(at, static_cast<uint16_t>(code));
    }
    default: std::memcpy(at, &h, kSizes[type]); return;
  }
}

inline std::vector<std::byte> make_input(gossDataType_t type, int rank, size_t count) {
  std::vector<std::byte> bytes(count * kSizes[type]);
  for (size_t i = 0; i < count; ++i) put_element(bytes.data() + i * kSizes[type], type, rank, i);
  return bytes;
}

}  // namespace goss::test
