// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "adaptive/portable_math.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstdint>

#include "adaptive/state.h"

namespace goss::adaptive {
namespace {

TEST(PortableMath, AgreesWithTheCLibrary) {
  for (double x = 1e-310; x < 1e300; x *= 1.37) {
    EXPECT_NEAR(portable_log(x), std::log(x), 1e-14 * std::abs(std::log(x)) + 1e-16) << x;
  }
  for (double x = 0.5; x < 2; x += 0.001) {
    EXPECT_NEAR(portable_log(x), std::log(x), 1e-15) << x;
  }
  for (double x = -699; x <= 700; x += 0.37) {
    EXPECT_NEAR(portable_exp(x), std::exp(x), 1e-13 * std::exp(x)) << x;
  }
  EXPECT_EQ(portable_exp(-701), 0);
}

TEST(PortableMath, IsExactWhereItMatters) {
  EXPECT_EQ(portable_log(1), 0);
  EXPECT_EQ(portable_exp(0), 1);
  EXPECT_EQ(power_of_two(-20), 0x1p-20);
  EXPECT_EQ(power(2, 10), 1024);
  EXPECT_EQ(power(1.5, 0), 1);
  EXPECT_EQ(power(1, UINT64_MAX), 1);
  EXPECT_EQ(power(2, UINT64_MAX), HUGE_VAL);
}

// The same bits on every machine and with every compiler: this number must never change.
TEST(PortableMath, HasTheSameBitsEverywhere) {
  Fnv1a sum;
  for (int i = 1; i < 1000; ++i) {
    sum.add(portable_log(i * 0.37));
    sum.add(portable_exp(i * 0.037 - 20));
  }
  EXPECT_EQ(sum.value(), 0x8950ea8a013a67ceu) << std::hex << "0x" << sum.value();
}

}  // namespace
}  // namespace goss::adaptive
