// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include <gtest/gtest.h>

#include "mixing_cases.h"

namespace goss::mixing {
namespace {

TEST(MixingDispatch, EndsWithTheSpecification) {
  EXPECT_EQ(isa_kernels(available_isas().back(), gossFloat32).mix, scalar_mix(gossFloat32));
}

TEST(MixingDispatch, HasEveryKernelForEverySet) {
  for (const Isa& isa : available_isas()) {
    for (const DataType type : kMixedTypes) {
      const Kernels k = isa_kernels(isa, type);
      EXPECT_NE(k.mix, nullptr);
      for (const bool there : {k.modulo_encode != nullptr, k.modulo_mix != nullptr,
                               k.edge_encode != nullptr, k.edge_mix != nullptr}) {
        EXPECT_EQ(there, compresses(type)) << isa.name << " " << type_name(type);
      }
    }
  }
  EXPECT_NE(kernels(gossFloat32).mix, nullptr);
}

}  // namespace
}  // namespace goss::mixing
