// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "base/isa.h"

#include <gtest/gtest.h>

#include <set>

namespace goss {
namespace {

TEST(Isa, TheListHasEverySetOnceAndEndsWithScalar) {
  const std::vector<Isa> isas = available_isas();
  std::set<std::string> names;
  for (const Isa& isa : isas) EXPECT_TRUE(names.insert(isa.name).second) << isa.name;
  EXPECT_STREQ(isas.back().name, "scalar");
  EXPECT_EQ(isas.back().target, 0);
}

TEST(Isa, TheOneInUseIsOneOfTheAvailable) {
  bool found = false;
  for (const Isa& isa : available_isas()) found = found || isa.target == chosen_isa().target;
  EXPECT_TRUE(found) << chosen_isa().name;
}

TEST(Isa, TheEnvironmentLowersIt) {
  const std::string best = available_isas().front().name;
  EXPECT_STREQ(best_isa("scalar").name, "scalar");
  EXPECT_EQ(best_isa("auto").name, best);
  EXPECT_EQ(best_isa("avx512").name, best);
  EXPECT_STRNE(best_isa("avx2").name, "AVX3");
  EXPECT_EQ(best_isa("nonsense").name, best);
}

}  // namespace
}  // namespace goss
