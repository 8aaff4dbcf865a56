// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Chooses the instruction set, once per process: the best one that the processor runs, this library
// was compiled for, and GOSS_CPU_ISA allows.
#include <cstring>
#include <string>

#include "base/env.h"
#include "base/log.h"
#include "base/simd_targets.h"
#include "reduce/kernels.h"

#include <hwy/targets.h>

namespace goss::reduce {

namespace {

constexpr int64_t kTargets[] = {HWY_AVX3, HWY_AVX2, HWY_SSE4, HWY_NEON};  // best first

void scalar_stream_copy(void* dst, const void* src, size_t bytes) { std::memcpy(dst, src, bytes); }

const Isa& chosen_isa() {
  static const Isa isa = best_isa(env_text(Env::kCpuIsa).value_or("auto"));
  return isa;
}

}  // namespace

std::vector<Isa> available_isas() {
  std::vector<Isa> isas;
  const int64_t supported = hwy::SupportedTargets();
  for (const int64_t target : kTargets) {
    if ((supported & target) != 0 && stream_copy(target) != nullptr) {
      isas.push_back({hwy::TargetName(target), target});
    }
  }
  isas.push_back({"scalar", 0});
  return isas;
}

Isa best_isa(const std::string& wish) {
  const std::vector<Isa> isas = available_isas();
  if (wish == "scalar") return isas.back();
  int64_t best = 1;  // Highway orders the bits: a better target has a lower one
  if (wish == "avx2") {
    best = HWY_AVX2;
  } else if (wish != "auto" && wish != "avx512") {
    log(LogLevel::kWarn, "%s=%s: expected auto, scalar, avx2 or avx512; taken as auto",
        env_name(Env::kCpuIsa), wish.c_str());
  }
  for (const Isa& isa : isas) {
    if (isa.target >= best) return isa;
  }
  return isas.back();
}

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

const char* isa_name() { return chosen_isa().name; }

void copy(void* dst, const void* src, size_t bytes, Store store) {
  if (store == Store::kCached) {
    if (bytes != 0) std::memcpy(dst, src, bytes);
    return;
  }
  static const StreamCopyFn stream = isa_stream_copy(chosen_isa());
  stream(dst, src, bytes);
}

}  // namespace goss::reduce
