// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Status: what an operation came to, with a sentence for the user. The success value carries no
// allocation and is one pointer wide, so functions on the data path can return it. Copies share the
// sentence, so that copying needs no memory.
#pragma once

#include <atomic>
#include <cstdarg>
#include <string>
#include <utility>

#include "gossamer/gossamer.h"

namespace goss {

using Code = gossResult_t;

class [[nodiscard]] Status {
 public:
  Status() = default;
  Status(Code code, std::string message);
  Status(const Status& other) noexcept : failure_(other.failure_) {
    if (failure_ != nullptr) hold();
  }
  Status(Status&& other) noexcept : failure_(std::exchange(other.failure_, nullptr)) {}
  Status& operator=(Status other) noexcept {
    std::swap(failure_, other.failure_);
    return *this;
  }
  ~Status() {
    if (failure_ != nullptr) drop();
  }

  bool ok() const { return failure_ == nullptr; }
  Code code() const { return ok() ? gossSuccess : failure_->code; }
  const std::string& message() const;

  // The same failure with "`prefix`: " before its message.
  Status with_context(const std::string& prefix) &&;

 private:
  struct Failure {
    const Code code;
    const std::string message;
    std::atomic<unsigned> holders{1};
  };

  void hold() noexcept;
  void drop() noexcept;

  Failure* failure_ = nullptr;
};

// Formats like printf. Never call it with code gossSuccess.
[[gnu::format(printf, 2, 3)]] Status fail(Code code, const char* format, ...);
// gossSystemError with the text of `error_number` (an errno value) behind the message.
[[gnu::format(printf, 2, 3)]] Status fail_errno(int error_number, const char* format, ...);

// gossSystemError for want of memory. Needs none.
Status out_of_memory() noexcept;

// printf into a string.
[[gnu::format(printf, 1, 2)]] std::string format(const char* format, ...);
std::string vformat(const char* format, va_list args);

// The fixed phrase for a code (gossGetErrorString).
const char* to_string(Code code);

// A broken promise inside the library: prints the message and ends the process.
[[noreturn]] void assertion_failed(const char* file, int line, const char* message);

}  // namespace goss

#define GOSS_TRY(expr)                                 \
  do {                                                 \
    ::goss::Status goss_try_status = (expr);           \
    if (!goss_try_status.ok()) return goss_try_status; \
  } while (0)

#define GOSS_ASSERT(condition, message) \
  ((condition) ? void(0) : ::goss::assertion_failed(__FILE__, __LINE__, message))
