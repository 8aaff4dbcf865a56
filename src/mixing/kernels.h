// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// What the sources of kernels offer to dispatch.cpp, and the list of instruction sets for tests. A
// target is one of Highway's HWY_* bits.
#pragma once

#include <string>
#include <vector>

#include "mixing/mixing.h"

namespace goss::mixing {

// The specification.
Kernels scalar_kernels(DataType type);
using MixFn = void (*)(const MixArguments&);
MixFn scalar_mix(DataType type);

// Null where the target was not compiled.
MixFn vector_mix(int64_t target, DataType type);
// Fills in all but mix; false where the target was not compiled.
bool vector_compressed(int64_t target, DataType type, Kernels* kernels);

struct Isa {
  const char* name;
  int64_t target;  // 0: scalar
};

// What this machine runs and this library has, best first; the last one is "scalar".
std::vector<Isa> available_isas();
// The best one that a value of GOSS_CPU_ISA allows; unknown values are taken as "auto".
Isa best_isa(const std::string& wish);
Kernels isa_kernels(const Isa& isa, DataType type);

}  // namespace goss::mixing
