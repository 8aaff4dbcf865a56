// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Floats in memory of gossMemAlloc, which the other ranks of a host read in place.
#pragma once

#include <span>

#include "check.h"

namespace goss::train {

class FlatBuffer {
 public:
  explicit FlatBuffer(size_t count) : count_(count) {
    check(gossMemAlloc(&memory_, count * sizeof(float)), "gossMemAlloc");
  }
  ~FlatBuffer() { gossMemFree(memory_); }
  FlatBuffer(const FlatBuffer&) = delete;
  FlatBuffer& operator=(const FlatBuffer&) = delete;

  std::span<float> span() const { return {static_cast<float*>(memory_), count_}; }

 private:
  size_t count_;
  void* memory_ = nullptr;
};

}  // namespace goss::train
