// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// The narrow formats of reductions, and their canonical NaNs. Both fp8 formats saturate, infinities
// of fp32 included: this is what CUDA's conversions do with __NV_SATFINITE, hence what NCCL does.
#pragma once

#include "base/small_float.h"

namespace goss::reduce {

using goss::Bfloat16;
using goss::Float16;
using goss::Float8E4m3;
using goss::Float8E5m2;
using goss::kCanonicalNan32;
using goss::kCanonicalNan64;
using goss::Overflow;
using goss::SmallFloat;

}  // namespace goss::reduce
