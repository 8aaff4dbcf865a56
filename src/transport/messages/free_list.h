// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// FreeList: objects that are used again instead of freed; all of them end with the list.
// One thread at a time.
#pragma once

#include <deque>
#include <vector>

namespace goss::transport {

template <class T>
class FreeList {
 public:
  T* take() {
    if (free_.empty()) return &all_.emplace_back();
    T* const object = free_.back();
    free_.pop_back();
    return object;
  }
  void give(T* object) { free_.push_back(object); }

 private:
  std::deque<T> all_;  // does not move its elements
  std::vector<T*> free_;
};

}  // namespace goss::transport
