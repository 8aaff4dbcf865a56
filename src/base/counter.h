// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Counter: a statistic with one writer at a time and readers on any thread, as cheap as a plain
// number.
#pragma once

#include <atomic>
#include <cstdint>

namespace goss {

class Counter {
 public:
  Counter& operator+=(uint64_t n) {
    value_.store(value() + n, std::memory_order_relaxed);
    return *this;
  }
  uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> value_{0};
};

}  // namespace goss
