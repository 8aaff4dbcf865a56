// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Chooses the instruction set, once per process: the best one that the processor runs, this library
// was compiled for, and GOSS_CPU_ISA allows.
#include <string>

#include "base/env.h"
#include "base/simd_targets.h"
#include "quant/kernels.h"
#include "quant/registry.h"

#include <hwy/targets.h>

namespace goss::quant {

namespace {

const Isa& chosen_isa() {
  static const Isa isa = best_isa(env_text(Env::kCpuIsa).value_or("auto"));
  return isa;
}

constexpr int64_t kTargets[] = {HWY_AVX3, HWY_AVX2, HWY_SSE4, HWY_NEON};  // best first

const TileKernels* scalar_kernels(Codec codec) {
  if (codec == Codec::kBf16) return scalar::bf16_kernels();
  if (codec == Codec::kFp16) return scalar::fp16_kernels();
  if (codec == Codec::kSign) return scalar::sign_kernels();
  return scalar::block_kernels(codec);
}

const TileKernels* vector_kernels(int64_t target, Codec codec) {
  if (codec == Codec::kBf16) return simd::bf16_kernels(target);
  if (codec == Codec::kFp16) return simd::fp16_kernels(target);
  if (codec == Codec::kSign) return simd::sign_kernels(target);
  const TileKernels* integers = simd::integer_kernels(target, codec);
  return integers != nullptr ? integers : simd::small_float_kernels(target, codec);
}

}  // namespace

std::vector<Isa> available_isas() {
  std::vector<Isa> isas;
  const int64_t supported = hwy::SupportedTargets();
  for (const int64_t target : kTargets) {
    if ((supported & target) != 0 && simd::number_kernels(target) != nullptr) {
      isas.push_back({hwy::TargetName(target), target});
    }
  }
  isas.push_back({"scalar", 0});
  return isas;
}

// src/reduce says so when the value is unknown.
Isa best_isa(const std::string& wish) {
  const std::vector<Isa> isas = available_isas();
  if (wish == "scalar") return isas.back();
  // Highway orders the bits: a better target has a lower one.
  const int64_t best = wish == "avx2" ? int64_t{HWY_AVX2} : 1;
  for (const Isa& isa : isas) {
    if (isa.target >= best) return isa;
  }
  return isas.back();
}

const TileKernels& isa_kernels(const Isa& isa, Codec codec) {
  return isa.target == 0 ? *scalar_kernels(codec) : *vector_kernels(isa.target, codec);
}

const NumberKernels& isa_number_kernels(const Isa& isa) {
  return isa.target == 0 ? *scalar::number_kernels() : *simd::number_kernels(isa.target);
}

const TileKernels& kernels(Codec codec) { return isa_kernels(chosen_isa(), codec); }
const NumberKernels& number_kernels() { return isa_number_kernels(chosen_isa()); }
const char* isa_name() { return chosen_isa().name; }

}  // namespace goss::quant
