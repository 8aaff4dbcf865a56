// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "types_data.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdio>
#include <cstring>

#include "float_format.h"

namespace goss::perf {

namespace {

// splitmix64: every bit of the result depends on every bit of the key.
uint64_t mix(uint64_t key) {
  key += 0x9e3779b97f4a7c15u;
  key = (key ^ (key >> 30)) * 0xbf58476d1ce4e5b9u;
  key = (key ^ (key >> 27)) * 0x94d049bb133111ebu;
  return key ^ (key >> 31);
}

uint64_t random_bits(const Problem& problem, size_t index, int rank) {
  return mix(mix(problem.round * 0x100000001u + index) + static_cast<uint64_t>(rank));
}

uint64_t truncate(uint64_t bits, size_t size) {
  return size == 8 ? bits : bits & ((uint64_t{1} << (8 * size)) - 1);
}

// ---- integers: modular arithmetic in 64 bits, cut to the width of the type ----

bool is_signed(gossDataType_t type) {
  return type == gossInt8 || type == gossInt32 || type == gossInt64;
}

// The value of the low bits of `bits` as the type reads them, in 64 bits.
uint64_t extend(uint64_t bits, gossDataType_t type) {
  const size_t unused = 64 - 8 * type_size(type);
  bits <<= unused;
  if (is_signed(type)) return static_cast<uint64_t>(static_cast<int64_t>(bits) >> unused);
  return bits >> unused;
}

bool less(uint64_t a, uint64_t b, gossDataType_t type) {
  if (is_signed(type)) return static_cast<int64_t>(a) < static_cast<int64_t>(b);
  return a < b;
}

uint64_t integer_input(const Problem& problem, size_t index, int rank) {
  uint64_t bits = random_bits(problem, index, rank);
  if (problem.op == gossProd) bits |= 1;  // a product of even numbers soon is zero
  return extend(bits, problem.type);
}

uint64_t divide(uint64_t sum, int nranks, gossDataType_t type) {
  if (is_signed(type)) {
    return static_cast<uint64_t>(static_cast<int64_t>(sum) / static_cast<int64_t>(nranks));
  }
  return sum / static_cast<uint64_t>(nranks);
}

uint64_t integer_result(const Problem& problem, size_t index) {
  uint64_t result = integer_input(problem, index, 0);
  for (int rank = 1; rank < problem.nranks; ++rank) {
    const uint64_t x = integer_input(problem, index, rank);
    if (problem.op == gossSum || problem.op == gossAvg) result += x;
    if (problem.op == gossProd) result *= x;
    if (problem.op == gossMin && less(x, result, problem.type)) result = x;
    if (problem.op == gossMax && less(result, x, problem.type)) result = x;
  }
  result = extend(result, problem.type);
  return problem.op == gossAvg ? divide(result, problem.nranks, problem.type) : result;
}

// ---- floats: small whole numbers and powers of two, exact in every order of operations ----

// A sum of whole numbers is exact while no partial sum exceeds 2^(mantissa bits + 1). More ranks
// than that: at each index only as many ranks contribute as the type can count.
double sum_input(const Problem& problem, size_t index, int rank) {
  const int digits = std::min(float_format(problem.type).mantissa_bits + 1, 40);
  const int64_t limit = int64_t{1} << digits;
  const int64_t largest = std::max<int64_t>(1, limit / problem.nranks);
  const uint64_t random = random_bits(problem, index, rank);
  const int64_t groups = (problem.nranks + limit - 1) / limit;
  if ((static_cast<int64_t>(index) + rank) % groups != 0) return 0;
  const auto span = static_cast<uint64_t>(2 * largest + 1);
  return static_cast<double>(static_cast<int64_t>(random % span) - largest);
}

// At each index one rank gives 1.25, 1.5 or 1.75, another one 2 or 1/2, all others 1, with random
// signs: every partial product is exact.
double prod_input(const Problem& problem, size_t index, int rank) {
  const uint64_t shared = random_bits(problem, index, problem.nranks);
  const uint64_t own = random_bits(problem, index, rank);
  const auto n = static_cast<uint64_t>(problem.nranks);
  const double sign = (own & 1) != 0 ? -1 : 1;
  const uint64_t first = shared % n;
  const uint64_t second = (first + 1 + (shared >> 20) % std::max<uint64_t>(1, n - 1)) % n;
  if (static_cast<uint64_t>(rank) == first) {
    return sign * (1.25 + 0.25 * static_cast<double>((shared >> 40) % 3));
  }
  if (static_cast<uint64_t>(rank) == second) return sign * ((shared >> 50) % 2 == 0 ? 2 : 0.5);
  return sign;
}

double extreme_input(const Problem& problem, size_t index, int rank) {
  const int digits = std::min(float_format(problem.type).mantissa_bits + 1, 40);
  const int64_t limit = int64_t{1} << digits;
  const auto span = static_cast<uint64_t>(2 * limit + 1);
  const uint64_t random = random_bits(problem, index, rank);
  return static_cast<double>(static_cast<int64_t>(random % span) - limit);
}

double float_input(const Problem& problem, size_t index, int rank) {
  if (problem.op == gossProd) return prod_input(problem, index, rank);
  if (problem.op == gossMin || problem.op == gossMax) return extreme_input(problem, index, rank);
  return sum_input(problem, index, rank);
}

double float_result(const Problem& problem, size_t index) {
  double result = float_input(problem, index, 0);
  for (int rank = 1; rank < problem.nranks; ++rank) {
    const double x = float_input(problem, index, rank);
    if (problem.op == gossSum || problem.op == gossAvg) result += x;
    if (problem.op == gossProd) result *= x;
    if (problem.op == gossMin) result = std::min(result, x);
    if (problem.op == gossMax) result = std::max(result, x);
  }
  if (problem.op != gossAvg) return result;
  if (problem.type == gossFloat64) return result * (1.0 / problem.nranks);
  return static_cast<float>(result) * (1.0f / static_cast<float>(problem.nranks));
}

// ---- tiles ----

template <class Bits>  // Bits: uint64_t(size_t index)
Tile make_tile(gossDataType_t type, Bits element) {
  const size_t size = type_size(type);
  Tile tile{type, std::vector<std::byte>(kTileElements * size)};
  for (size_t i = 0; i < kTileElements; ++i) {
    const uint64_t bits = element(i);
    std::memcpy(tile.bytes.data() + i * size, &bits, size);  // little-endian: the low bytes
  }
  return tile;
}
static_assert(std::endian::native == std::endian::little);

uint64_t load(const void* data, size_t index, size_t size) {
  uint64_t bits = 0;
  std::memcpy(&bits, static_cast<const std::byte*>(data) + index * size, size);
  return bits;
}

// Places floats on a line on which neighbours differ by one; both zeros are at 0.
int64_t position(uint64_t bits, size_t size) {
  const uint64_t sign = uint64_t{1} << (8 * size - 1);
  const auto magnitude = static_cast<int64_t>(bits & (sign - 1));
  return (bits & sign) != 0 ? -magnitude : magnitude;
}

// What is compressed is also added in fp32 and rounded to the type: as exact numbers are not.
double allowed(double exact, gossDataType_t type, const Tolerance& tolerance) {
  return tolerance.distance + std::abs(exact) * (type_size(type) == 2 ? 0x1p-7 : 0x1p-20);
}

bool close(uint64_t a, uint64_t b, gossDataType_t type, const Tolerance& tolerance) {
  const size_t size = type_size(type);
  const double u = decode_float(a, type);
  const double v = decode_float(b, type);
  if (std::isnan(u) || std::isnan(v)) return a == b;
  if (tolerance.distance > 0) return std::abs(u - v) <= allowed(v, type, tolerance);
  const int64_t x = position(a, size);
  const int64_t y = position(b, size);
  const uint64_t distance = x > y ? static_cast<uint64_t>(x) - static_cast<uint64_t>(y)
                                  : static_cast<uint64_t>(y) - static_cast<uint64_t>(x);
  return distance <= static_cast<uint64_t>(tolerance.ulp);
}

std::string to_text(uint64_t bits, gossDataType_t type) {
  char text[64];
  if (is_float(type)) {
    std::snprintf(text, sizeof text, "%.17g", decode_float(bits, type));
  } else if (is_signed(type)) {
    std::snprintf(text, sizeof text, "%lld", static_cast<long long>(extend(bits, type)));
  } else {
    std::snprintf(text, sizeof text, "%llu", static_cast<unsigned long long>(bits));
  }
  return text;
}

}  // namespace

Tile input_tile(const Problem& problem, int rank) {
  const size_t size = type_size(problem.type);
  return make_tile(problem.type, [&](size_t i) {
    if (problem.op == kCopy && problem.numbers) {
      Problem sum = problem;
      sum.op = gossSum;
      return encode_float(float_input(sum, i, rank), problem.type);
    }
    if (problem.op == kCopy) return truncate(random_bits(problem, i, rank), size);
    if (is_float(problem.type)) return encode_float(float_input(problem, i, rank), problem.type);
    return truncate(integer_input(problem, i, rank), size);
  });
}

Tile reduced_tile(const Problem& problem) {
  return make_tile(problem.type, [&](size_t i) {
    if (is_float(problem.type)) return encode_float(float_result(problem, i), problem.type);
    return truncate(integer_result(problem, i), type_size(problem.type));
  });
}

Tile neutral_tile(const Problem& problem) {
  uint64_t bits = 0;
  if (problem.op == gossProd) bits = is_float(problem.type) ? encode_float(1, problem.type) : 1;
  return make_tile(problem.type, [&](size_t) { return bits; });
}

void fill(void* dst, size_t count, const Tile& tile) {
  auto* out = static_cast<std::byte*>(dst);
  size_t left = count * type_size(tile.type);
  while (left > 0) {
    const size_t step = std::min(left, tile.bytes.size());
    std::memcpy(out, tile.bytes.data(), step);
    out += step;
    left -= step;
  }
}

Mismatch compare(const void* data, size_t count, const Tile& tile, const Tolerance& tolerance,
                 bool exact_bits, size_t phase) {
  const size_t size = type_size(tile.type);
  const auto* in = static_cast<const std::byte*>(data);
  Mismatch result;
  size_t n = 0;
  for (size_t begin = 0; begin < count; begin += n) {
    const size_t at = (begin + phase) % kTileElements;
    n = std::min(count - begin, kTileElements - at);
    const std::byte* part = in + begin * size;
    const std::byte* wanted = tile.bytes.data() + at * size;
    const bool measures = tolerance.distance > 0 && is_float(tile.type);
    if (!measures && std::memcmp(part, wanted, n * size) == 0) continue;
    for (size_t i = 0; i < n; ++i) {
      const uint64_t got = load(part, i, size);
      const uint64_t expected = load(wanted, i, size);
      if (measures) {
        const double number = decode_float(expected, tile.type);
        const double error = std::abs(decode_float(got, tile.type) - number);
        result.largest_error = std::max(result.largest_error, error);
        result.noise += error * error;
        result.squares += number * number;
      }
      if (got == expected) continue;
      if (!exact_bits && is_float(tile.type) && close(got, expected, tile.type, tolerance)) {
        continue;
      }
      if (result.wrong++ == 0) {
        result.first = begin + i;
        result.got = to_text(got, tile.type);
        result.expected = to_text(expected, tile.type);
      }
    }
  }
  return result;
}

void spoil(std::byte* element, gossDataType_t type, const Tolerance& tolerance) {
  const size_t size = type_size(type);
  if (tolerance.distance <= 0 || !is_float(type)) {
    element[size - 1] ^= std::byte{0x3c};  // bits of the exponent
    return;
  }
  const double number = decode_float(load(element, 0, size), type);
  // Away from zero: rounding to the type cannot bring it back.
  const double by = 3 * allowed(number, type, tolerance);
  const uint64_t bits = encode_float(number < 0 ? number - by : number + by, type);
  std::memcpy(element, &bits, size);
}

int tolerance_ulp(const Problem& problem) {
  return problem.op == gossAvg && is_float(problem.type) ? 2 : 0;
}

}  // namespace goss::perf
