// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// What the vector sources offer to dispatch.cpp, and the kernels by instruction set, for tests. A
// target is one of Highway's HWY_* bits; a function returns nullptr for a target that it was not
// compiled for.
#pragma once

#include <cstdint>

#include "base/isa.h"
#include "reduce/reduce.h"

namespace goss::reduce {

// dst and src do not overlap. Non-temporal stores; ends with a fence.
using StreamCopyFn = void (*)(void* dst, const void* src, size_t bytes);

ReduceFn integer_kernel(int64_t target, DataType type, RedOp op);
ReduceFn wide_float_kernel(int64_t target, DataType type, RedOp op);
ReduceFn half_kernel(int64_t target, DataType type, RedOp op);
ReduceFn float8_kernel(int64_t target, DataType type, RedOp op);
ReduceFn float_order_kernel(int64_t target, DataType type, RedOp op);  // min and max of floats
StreamCopyFn stream_copy(int64_t target);

ReduceFn isa_kernel(const Isa& isa, DataType type, RedOp op);
StreamCopyFn isa_stream_copy(const Isa& isa);

}  // namespace goss::reduce
