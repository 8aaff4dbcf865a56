// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// List: objects linked through a member of their own, so that putting one in and taking it out
// needs no memory. An object is in one list at a time.
// One thread at a time.
#pragma once

#include <cstddef>

namespace goss::transport {

template <class T>
struct Link {
  T* before = nullptr;
  T* after = nullptr;
  bool linked = false;
};

template <class T, Link<T> T::*kLink = &T::link>
class List {
 public:
  bool empty() const { return first_ == nullptr; }
  size_t size() const { return size_; }
  T* front() const { return first_; }
  static T* after(const T* object) { return (object->*kLink).after; }
  static bool linked(const T* object) { return (object->*kLink).linked; }

  void push_back(T* object) {
    object->*kLink = {last_, nullptr, true};
    (last_ == nullptr ? first_ : (last_->*kLink).after) = object;
    last_ = object;
    ++size_;
  }
  // `object` is in this list.
  void remove(T* object) {
    const Link<T> link = object->*kLink;
    (link.before == nullptr ? first_ : (link.before->*kLink).after) = link.after;
    (link.after == nullptr ? last_ : (link.after->*kLink).before) = link.before;
    object->*kLink = {};
    --size_;
  }
  // Null when there is none.
  T* pop_front() {
    T* const object = first_;
    if (object != nullptr) remove(object);
    return object;
  }

 private:
  T* first_ = nullptr;
  T* last_ = nullptr;
  size_t size_ = 0;
};

}  // namespace goss::transport
