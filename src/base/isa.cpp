// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "base/isa.h"

#include "base/env.h"
#include "base/log.h"
#include "base/simd_targets.h"

#include <hwy/targets.h>

namespace goss {

namespace {
constexpr int64_t kTargets[] = {HWY_AVX3, HWY_AVX2, HWY_SSE4, HWY_NEON};  // best first
}

std::vector<Isa> available_isas() {
  std::vector<Isa> isas;
  const int64_t usable = hwy::SupportedTargets() & HWY_TARGETS;
  for (const int64_t target : kTargets) {
    if ((usable & target) != 0) isas.push_back({hwy::TargetName(target), target});
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

const Isa& chosen_isa() {
  static const Isa isa = best_isa(env_text(Env::kCpuIsa).value_or("auto"));
  return isa;
}

}  // namespace goss
