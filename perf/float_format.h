// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// The float types as bits: how wide their fields are, and conversion from and to double, rounding
// to nearest even. Written for clearness, not speed: it makes and prints a few thousand values. It
// shares nothing with the library's kernels, whose results it checks.
#pragma once

#include <cstdint>

#include "gossamer/gossamer.h"

namespace goss::perf {

struct FloatFormat {
  int exponent_bits;
  int mantissa_bits;  // stored bits, without the leading one
  bool has_infinity;  // false: e4m3, whose only special value is the NaN with all bits set
};

bool is_float(gossDataType_t type);
// `type` is a float.
FloatFormat float_format(gossDataType_t type);

uint64_t encode_float(double value, gossDataType_t type);
double decode_float(uint64_t bits, gossDataType_t type);

}  // namespace goss::perf
