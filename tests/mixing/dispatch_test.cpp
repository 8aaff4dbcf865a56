// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include <gtest/gtest.h>

#include <set>

#include "mixing_cases.h"

namespace goss::mixing {
namespace {

TEST(MixingDispatch, AlwaysEndsWithTheSpecification) {
  const std::vector<Isa> isas = available_isas();
  std::set<std::string> names;
  for (const Isa& isa : isas) EXPECT_TRUE(names.insert(isa.name).second);
  EXPECT_STREQ(isas.back().name, "scalar");
  EXPECT_EQ(isa_kernels(isas.back(), gossFloat32).mix, scalar_mix(gossFloat32));
}

TEST(MixingDispatch, ObeysTheWish) {
  EXPECT_STREQ(best_isa("scalar").name, "scalar");
  EXPECT_STREQ(best_isa("auto").name, available_isas().front().name);
  EXPECT_STREQ(best_isa("avx512").name, available_isas().front().name);
  EXPECT_STRNE(best_isa("avx2").name, "AVX3");
  EXPECT_STREQ(best_isa("nonsense").name, available_isas().front().name);
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
  EXPECT_STRNE(isa_name(), "");
}

}  // namespace
}  // namespace goss::mixing
