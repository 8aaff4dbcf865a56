// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Chooses the instruction set, once per process: the best one that the processor runs, this library
// was compiled for, and GOSS_CPU_ISA allows.
#include <string>

#include "base/env.h"
#include "base/simd_targets.h"
#include "mixing/kernels.h"

#include <hwy/targets.h>

namespace goss::mixing {

namespace {

constexpr int64_t kTargets[] = {HWY_AVX3, HWY_AVX2, HWY_SSE4, HWY_NEON};  // best first

const Isa& chosen_isa() {
  static const Isa isa = best_isa(env_text(Env::kCpuIsa).value_or("auto"));
  return isa;
}

}  // namespace

std::vector<Isa> available_isas() {
  std::vector<Isa> isas;
  const int64_t supported = hwy::SupportedTargets();
  for (const int64_t target : kTargets) {
    if ((supported & target) != 0 && vector_mix(target, gossFloat32) != nullptr) {
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

Kernels isa_kernels(const Isa& isa, DataType type) {
  Kernels kernels = scalar_kernels(type);
  if (isa.target == 0) return kernels;
  kernels.mix = vector_mix(isa.target, type);
  vector_compressed(isa.target, type, &kernels);
  return kernels;
}

Kernels kernels(DataType type) { return isa_kernels(chosen_isa(), type); }

const char* isa_name() { return chosen_isa().name; }

}  // namespace goss::mixing
