// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// The kernels of the instruction set in use.
#include "mixing/kernels.h"

namespace goss::mixing {

Kernels isa_kernels(const Isa& isa, DataType type) {
  Kernels kernels = scalar_kernels(type);
  if (isa.target == 0) return kernels;
  kernels.mix = vector_mix(isa.target, type);
  vector_compressed(isa.target, type, &kernels);
  return kernels;
}

Kernels kernels(DataType type) { return isa_kernels(chosen_isa(), type); }

}  // namespace goss::mixing
