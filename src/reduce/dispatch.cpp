// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// The kernels of the instruction set in use.
#include <cstring>

#include "reduce/kernels.h"

namespace goss::reduce {

namespace {

void scalar_stream_copy(void* dst, const void* src, size_t bytes) { std::memcpy(dst, src, bytes); }

}  // namespace

ReduceFn isa_kernel(const Isa& isa, DataType type, RedOp op) {
  if (isa.target == 0) return scalar_kernel(type, op);
  const bool ordered = op == gossMin || op == gossMax;
  switch (type) {
    case gossInt8:
    case gossUint8:
    case gossInt32:
    case gossUint32:
    case gossInt64:
    case gossUint64: return integer_kernel(isa.target, type, op);
    case gossFloat32:
    case gossFloat64:
      return ordered ? float_order_kernel(isa.target, type, op)
                     : wide_float_kernel(isa.target, type, op);
    case gossFloat16:
    case gossBfloat16:
      return ordered ? float_order_kernel(isa.target, type, op) : half_kernel(isa.target, type, op);
    case gossFloat8e4m3:
    case gossFloat8e5m2:
      return ordered ? float_order_kernel(isa.target, type, op)
                     : float8_kernel(isa.target, type, op);
    case gossNumTypes: break;
  }
  return nullptr;
}

StreamCopyFn isa_stream_copy(const Isa& isa) {
  return isa.target == 0 ? scalar_stream_copy : stream_copy(isa.target);
}

ReduceFn kernel(DataType type, RedOp op) { return isa_kernel(chosen_isa(), type, op); }

void copy(void* dst, const void* src, size_t bytes, Store store) {
  if (store == Store::kCached) {
    if (bytes != 0) std::memcpy(dst, src, bytes);
    return;
  }
  static const StreamCopyFn stream = isa_stream_copy(chosen_isa());
  stream(dst, src, bytes);
}

}  // namespace goss::reduce
