// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// How far the sweeps of tests go: GOSS_TEST_SCALE is a percentage, 100 when unset. Sanitizer runs
// use less of the same tests.
#pragma once

#include <algorithm>
#include <cstdlib>

namespace goss {

// `full` scaled down, but no less than `at_least`.
inline int test_scale(int full, int at_least) {
  const char* text = std::getenv("GOSS_TEST_SCALE");
  const int percent = text == nullptr || *text == '\0' ? 100 : std::atoi(text);
  const auto scaled = static_cast<int>(static_cast<long long>(full) * percent / 100);
  return std::max(scaled, at_least);
}

}  // namespace goss
