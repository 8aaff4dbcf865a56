// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// What the tests of the reduction kernels share: every combination of instruction set, type and
// operation as a test parameter, and bytes that contain what is difficult about each type.
#pragma once

#include <gtest/gtest.h>

#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "reduce/kernels.h"

namespace goss::reduce {

struct Case {
  Isa isa;
  DataType type;
  RedOp op;
};

inline std::string case_name(const testing::TestParamInfo<Case>& info) {
  return std::string(info.param.isa.name) + "_" + type_name(info.param.type) + "_" +
         op_name(info.param.op);
}
// What GoogleTest prints behind the name.
inline void PrintTo(const Case& c, std::ostream* out) {
  *out << c.isa.name << "," << type_name(c.type) << "," << op_name(c.op);
}

inline std::vector<Case> all_cases() {
  std::vector<Case> cases;
  for (const Isa& isa : available_isas()) {
    for (int type = 0; type < gossNumTypes; ++type) {
      for (int op = 0; op < gossNumOps; ++op) {
        cases.push_back({isa, static_cast<DataType>(type), static_cast<RedOp>(op)});
      }
    }
  }
  return cases;
}

// Zeros, ones, extremes, infinities, quiet and signalling NaNs, subnormals, of both signs.
inline std::vector<uint64_t> special_values(DataType type) {
  switch (type) {
    case gossInt8:
    case gossUint8: return {0, 1, 2, 0x7e, 0x7f, 0x80, 0x81, 0xfe, 0xff};
    case gossInt32:
    case gossUint32: return {0, 1, 2, 0x7fffffff, 0x80000000, 0x80000001, 0xfffffffe, 0xffffffff};
    case gossInt64:
    case gossUint64:
      return {0,
              1,
              0x7fffffffffffffff,
              0x8000000000000000,
              0x8000000000000001,
              0xffffffffffffffff,
              0xffffffff,
              0x100000000,
              0xffffffff00000000};
    case gossFloat16:
      return {0x0000, 0x8000, 0x0001, 0x8001, 0x03ff, 0x0400, 0x3c00, 0xbc00, 0x3c01, 0x7bff,
              0xfbff, 0x7c00, 0xfc00, 0x7c01, 0xfc01, 0x7e00, 0xfe00, 0x7fff, 0xffff, 0x1000};
    case gossBfloat16:
      return {0x0000, 0x8000, 0x0001, 0x8001, 0x007f, 0x0080, 0x3f80, 0xbf80, 0x3f81, 0x7f7f,
              0xff7f, 0x7f80, 0xff80, 0x7f81, 0xff81, 0x7fc0, 0xffc0, 0x7fff, 0xffff, 0x3b80};
    case gossFloat32:
      return {0,          0x80000000, 1,          0x80000001, 0x007fffff, 0x00800000,
              0x3f800000, 0xbf800000, 0x7f7fffff, 0xff7fffff, 0x7f800000, 0xff800000,
              0x7f800001, 0xff800001, 0x7fc00000, 0xffc00000, 0x7fffffff, 0xffffffff};
    case gossFloat64:
      return {0,
              0x8000000000000000,
              1,
              0x8000000000000001,
              0x000fffffffffffff,
              0x0010000000000000,
              0x3ff0000000000000,
              0xbff0000000000000,
              0x7fefffffffffffff,
              0xffefffffffffffff,
              0x7ff0000000000000,
              0xfff0000000000000,
              0x7ff0000000000001,
              0xfff0000000000001,
              0x7ff8000000000000,
              0xfff8000000000000,
              0x7fffffffffffffff,
              0xffffffffffffffff};
    case gossFloat8e4m3:
    case gossFloat8e5m2:
      return {0x00, 0x80, 0x01, 0x81, 0x07, 0x08, 0x38, 0xb8, 0x7b,
              0x7c, 0x7d, 0x7e, 0x7f, 0xfb, 0xfc, 0xfd, 0xfe, 0xff};
    case gossNumTypes: break;
  }
  return {};
}

using Random = std::mt19937_64;

// Random bits, with a special value in about a quarter of the places; floats are random in all
// their bits, so their exponents differ widely, except for a quarter that lie close together.
inline std::vector<uint8_t> random_elements(DataType type, size_t count, Random& random) {
  const size_t size = type_size(type);
  const std::vector<uint64_t> special = special_values(type);
  std::vector<uint8_t> bytes(count * size);
  for (size_t i = 0; i < count; ++i) {
    uint64_t bits = random();
    const uint64_t kind = random() % 4;
    if (kind == 0) bits = special[random() % special.size()];
    if (kind == 1) {
      const int kept = static_cast<int>(size) * 8 - 4;  // near special[6], which is near one
      bits = special[6] ^ (bits & ((uint64_t{1} << kept) - 1) >> 1);
    }
    std::memcpy(bytes.data() + i * size, &bits, size);
  }
  return bytes;
}

// The bits of the greatest number of a floating-point type, infinity included; above are NaNs.
inline uint64_t greatest(DataType type) {
  switch (type) {
    case gossFloat16: return 0x7c00;
    case gossBfloat16: return 0x7f80;
    case gossFloat32: return 0x7f800000;
    case gossFloat64: return 0x7ff0000000000000;
    case gossFloat8e4m3: return 0x7e;
    case gossFloat8e5m2: return 0x7c;
    default: return UINT64_MAX;
  }
}

// The same with a NaN in few places: most groups of neighbouring elements have none.
inline std::vector<uint8_t> elements_with_few_nans(DataType type, size_t count, Random& random) {
  const size_t size = type_size(type);
  std::vector<uint8_t> bytes = random_elements(type, count, random);
  for (size_t i = 0; i < count; ++i) {
    uint64_t bits = 0;
    std::memcpy(&bits, bytes.data() + i * size, size);
    const uint64_t magnitude = bits & ((uint64_t{1} << (size * 8 - 1)) - 1);
    if (magnitude <= greatest(type) || random() % 64 == 0) continue;
    std::memcpy(bytes.data() + i * size, &special_values(type)[6], size);
  }
  return bytes;
}

}  // namespace goss::reduce
