// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Recent: the last so many numbers that were put in.
// One thread at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <unordered_set>

namespace goss::transport {

class Recent {
 public:
  explicit Recent(size_t most) : most_(most) {}

  void insert(uint64_t number) {
    if (contains(number)) return;
    order_.push_back(number);
    numbers_.insert(number);
    if (order_.size() <= most_) return;
    numbers_.erase(order_.front());
    order_.pop_front();
  }
  bool contains(uint64_t number) const { return numbers_.count(number) != 0; }
  size_t size() const { return order_.size(); }

 private:
  const size_t most_;
  std::deque<uint64_t> order_;
  std::unordered_set<uint64_t> numbers_;
};

}  // namespace goss::transport
