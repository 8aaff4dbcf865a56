// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Isa: the instruction sets that vector kernels are compiled for, and the choice among them, once
// per process: the best one that the processor runs and GOSS_CPU_ISA allows.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace goss {

struct Isa {
  const char* name;  // "AVX3", "AVX2", "SSE4", "NEON" or "scalar"
  int64_t target;    // one of Highway's HWY_* bits; 0: scalar
};

// What this machine runs and this library was compiled for, best first; the last one is "scalar".
std::vector<Isa> available_isas();
// The best one that a value of GOSS_CPU_ISA allows; unknown values are logged and taken as "auto".
Isa best_isa(const std::string& wish);
// The one in use.
const Isa& chosen_isa();

}  // namespace goss
