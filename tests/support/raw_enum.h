// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// What a C caller can pass although C++ calls it undefined to make.
#pragma once

#include <cstring>

namespace goss::test {

template <class Enum>
Enum raw(int value) {
  Enum result;
  static_assert(sizeof(result) == sizeof(value));
  std::memcpy(&result, &value, sizeof(value));
  return result;
}

}  // namespace goss::test
