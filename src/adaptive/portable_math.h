// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Elementary functions with the same bits on every machine. Those of the C library differ in the
// last bit between versions and platforms; these use only IEEE additions, multiplications and
// divisions in a fixed order (and -ffp-contract=off keeps them so). Relative errors
// are below 1e-14. Square roots are correctly rounded everywhere, so std::sqrt is fine.
#pragma once

#include <cstdint>

namespace goss::adaptive {

// 2^exponent, -1022 <= exponent <= 1023.
double power_of_two(int exponent);
// base^exponent; base 1 or more.
double power(double base, uint64_t exponent);
// Natural logarithm of a finite x > 0.
double portable_log(double x);
// e^x; 0 below -700. x <= 700.
double portable_exp(double x);

}  // namespace goss::adaptive
