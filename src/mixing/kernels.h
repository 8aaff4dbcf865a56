// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// What the sources of kernels offer to dispatch.cpp, and the kernels by instruction set, for tests.
// A target is one of Highway's HWY_* bits.
#pragma once

#include <cstdint>

#include "base/isa.h"
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

Kernels isa_kernels(const Isa& isa, DataType type);

}  // namespace goss::mixing
