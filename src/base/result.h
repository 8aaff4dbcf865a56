// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Result<T>: a value or the Status that says why there is none (std::expected is not at our floor).
#pragma once

#include <optional>
#include <utility>

#include "base/status.h"

namespace goss {

template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : value_(std::move(value)) {}         // NOLINT: implicit on purpose
  Result(Status status) : status_(std::move(status)) {  // NOLINT: implicit on purpose
    GOSS_ASSERT(!status_.ok(), "a Result without a value needs a failure");
  }

  bool ok() const { return value_.has_value(); }
  const Status& status() const { return status_; }
  Status take_status() { return std::move(status_); }
  T& value() { return *value_; }
  const T& value() const { return *value_; }
  T take() { return std::move(*value_); }

 private:
  Status status_;
  std::optional<T> value_;
};

}  // namespace goss

#define GOSS_JOIN2(a, b) a##b
#define GOSS_JOIN(a, b) GOSS_JOIN2(a, b)
// GOSS_TRY_ASSIGN(auto fd, open_it()): declare and fill a variable, or return the failure.
#define GOSS_TRY_ASSIGN(declaration, expr)                  \
  auto GOSS_JOIN(goss_result_, __LINE__) = (expr);          \
  if (!GOSS_JOIN(goss_result_, __LINE__).ok())              \
    return GOSS_JOIN(goss_result_, __LINE__).take_status(); \
  declaration = GOSS_JOIN(goss_result_, __LINE__).take()
