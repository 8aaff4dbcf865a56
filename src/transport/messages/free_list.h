// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// FreeList: objects that are used again instead of freed; all of them end with the list. Giving one
// back needs no memory.
// One thread at a time.
#pragma once

#include <deque>
#include <vector>

namespace goss::transport {

template <class T>
class FreeList {
 public:
  T* take() {
    if (free_.empty()) {
      // Room for all of them, before there is one more.
      if (free_.capacity() <= all_.size()) free_.reserve(2 * all_.size() + 8);
      return &all_.emplace_back();
    }
    T* const object = free_.back();
    free_.pop_back();
    return object;
  }
  void give(T* object) noexcept { free_.push_back(object); }

 private:
  std::deque<T> all_;  // does not move its elements
  std::vector<T*> free_;
};

}  // namespace goss::transport
