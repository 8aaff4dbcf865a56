// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "float_format.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace goss::perf {

bool is_float(gossDataType_t type) { return type >= gossFloat16; }

FloatFormat float_format(gossDataType_t type) {
  switch (type) {
    case gossFloat16: return {5, 10, true};
    case gossFloat32: return {8, 23, true};
    case gossFloat64: return {11, 52, true};
    case gossBfloat16: return {8, 7, true};
    case gossFloat8e4m3: return {4, 3, false};
    case gossFloat8e5m2: return {5, 2, true};
    case gossInt8:
    case gossUint8:
    case gossInt32:
    case gossUint32:
    case gossInt64:
    case gossUint64:
    case gossNumTypes: break;
  }
  return {0, 0, false};
}

uint64_t encode_float(double value, gossDataType_t type) {
  const FloatFormat f = float_format(type);
  const int bias = (1 << f.exponent_bits) / 2 - 1;
  const uint64_t sign = static_cast<uint64_t>(std::signbit(value))
                        << (f.exponent_bits + f.mantissa_bits);
  const uint64_t exponent_mask = (uint64_t{1} << f.exponent_bits) - 1;
  const uint64_t mantissa_mask = (uint64_t{1} << f.mantissa_bits) - 1;
  const uint64_t infinity = exponent_mask << f.mantissa_bits;
  if (std::isnan(value)) {
    return f.has_infinity ? infinity | (uint64_t{1} << (f.mantissa_bits - 1))
                          : infinity | mantissa_mask;
  }
  // The largest finite value has all bits set (e4m3: but the last), or all below the infinity.
  const uint64_t overflow = f.has_infinity ? infinity : infinity | mantissa_mask;
  if (std::isinf(value)) return sign | overflow;
  if (value == 0) return sign;
  // Steps between neighbours are 2^(exponent - mantissa_bits); below the normal range they stay.
  const int exponent = std::max(std::ilogb(value), 1 - bias);
  const double steps = std::nearbyint(std::ldexp(std::fabs(value), f.mantissa_bits - exponent));
  // A carry out of the mantissa runs into the exponent, where it belongs.
  const uint64_t bits = (static_cast<uint64_t>(exponent + bias - 1) << f.mantissa_bits) +
                        static_cast<uint64_t>(steps);
  return sign | std::min(bits, overflow);
}

double decode_float(uint64_t bits, gossDataType_t type) {
  const FloatFormat f = float_format(type);
  const int bias = (1 << f.exponent_bits) / 2 - 1;
  const uint64_t exponent_mask = (uint64_t{1} << f.exponent_bits) - 1;
  const uint64_t mantissa = bits & ((uint64_t{1} << f.mantissa_bits) - 1);
  const uint64_t exponent = (bits >> f.mantissa_bits) & exponent_mask;
  const double sign = ((bits >> (f.exponent_bits + f.mantissa_bits)) & 1) != 0 ? -1 : 1;
  if (exponent == exponent_mask) {
    const bool all_ones = mantissa == (uint64_t{1} << f.mantissa_bits) - 1;
    if (f.has_infinity ? mantissa != 0 : all_ones) return std::numeric_limits<double>::quiet_NaN();
    if (f.has_infinity) return sign * std::numeric_limits<double>::infinity();
  }
  const uint64_t leading = exponent == 0 ? 0 : uint64_t{1} << f.mantissa_bits;
  const int power = std::max(static_cast<int>(exponent), 1) - bias - f.mantissa_bits;
  return sign * std::ldexp(static_cast<double>(leading + mantissa), power);
}

}  // namespace goss::perf
