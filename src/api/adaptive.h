// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// What the entry points of gossamer/adaptive.h share.
#pragma once

#include <cstddef>
#include <cstring>
#include <span>

#include "api/last_error.h"
#include "base/result.h"

namespace goss::api {

inline Status check_pointer(const char* function, const char* argument, const void* pointer) {
  if (pointer != nullptr) return {};
  return fail(gossInvalidArgument, "%s : %s argument is NULL", function, argument);
}

// A struct of the caller whose first member says how long it is.
template <class Sized>
Status check_size(const char* function, const char* argument, const Sized* given) {
  GOSS_TRY(check_pointer(function, argument, given));
  if (given->size >= sizeof(Sized)) return {};
  return fail(gossInvalidArgument,
              "%s : %s->size is %zu, expected %zu: set it to the size of the struct", function,
              argument, given->size, sizeof(Sized));
}

// Where a caller wants a state.
struct StateBuffer {
  void* state;
  size_t capacity_bytes;
  size_t* bytes;
};
inline Status copy_state(const char* function, std::span<const std::byte> saved, StateBuffer out) {
  *out.bytes = saved.size();
  if (out.state == nullptr) return {};
  if (out.capacity_bytes < saved.size()) {
    return fail(gossInvalidArgument, "%s : capacity_bytes is %zu, the state has %zu bytes",
                function, out.capacity_bytes, saved.size());
  }
  std::memcpy(out.state, saved.data(), saved.size());
  return {};
}

}  // namespace goss::api
