// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Facts about element types and reductions, and checked size arithmetic.
#pragma once

#include <cstddef>
#include <cstdint>

#include "gossamer/gossamer.h"

namespace goss {

using DataType = gossDataType_t;
using RedOp = gossRedOp_t;

constexpr size_t kTypeSize[gossNumTypes] = {1, 1, 4, 4, 8, 8, 2, 4, 8, 2, 1, 1};
constexpr const char* kTypeName[gossNumTypes] = {"int8",   "uint8",    "int32",  "uint32",
                                                 "int64",  "uint64",   "half",   "float",
                                                 "double", "bfloat16", "f8e4m3", "f8e5m2"};
constexpr const char* kOpName[gossNumOps] = {"sum", "prod", "max", "min", "avg"};

constexpr bool valid_type(int type) { return type >= 0 && type < gossNumTypes; }
constexpr bool valid_op(int op) { return op >= 0 && op < gossNumOps; }
constexpr size_t type_size(DataType type) { return kTypeSize[type]; }
// Floats whose sums are better made in a wider type and rounded once.
constexpr bool is_narrow_float(DataType type) {
  return type == gossFloat16 || type == gossBfloat16 || type == gossFloat8e4m3 ||
         type == gossFloat8e5m2;
}
constexpr const char* type_name(DataType type) { return kTypeName[type]; }
constexpr const char* op_name(RedOp op) { return kOpName[op]; }

constexpr size_t align_up(size_t value, size_t alignment) {
  return (value + alignment - 1) / alignment * alignment;
}
// False when a * b does not fit; then *product is unspecified.
constexpr bool checked_add(size_t a, size_t b, size_t* sum) {
  return !__builtin_add_overflow(a, b, sum);
}
constexpr bool checked_multiply(size_t a, size_t b, size_t* product) {
  return !__builtin_mul_overflow(a, b, product);
}

constexpr size_t kCacheLine = 64;

}  // namespace goss
