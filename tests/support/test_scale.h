// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// How far the sweeps of tests go: GOSS_TEST_SCALE is a percentage, 100 when unset. Sanitizer runs
// use less of the same tests.
#pragma once

#include <algorithm>
#include <cstdlib>

namespace goss {

inline int test_percent() {
  const char* text = std::getenv("GOSS_TEST_SCALE");
  return text == nullptr || *text == '\0' ? 100 : std::atoi(text);
}

// `full` scaled down, but no less than `at_least`.
inline int test_scale(int full, int at_least) {
  const auto scaled = static_cast<int>(static_cast<long long>(full) * test_percent() / 100);
  return std::max(scaled, at_least);
}

// Of the types and operations that a sweep combines, one of so many is enough: 1 at full scale. No
// more than there are operations, so that `(type + operation + ranks) % stride == 0` leaves out no
// type, and with all numbers of ranks no combination.
inline int test_stride() { return test_percent() >= 50 ? 1 : test_percent() >= 10 ? 3 : 5; }

}  // namespace goss
