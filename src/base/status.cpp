// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "base/status.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace goss {

Status::Status(Code code, std::string message) : failure_(new Failure{code, std::move(message)}) {
  GOSS_ASSERT(code != gossSuccess, "a failure needs a code other than gossSuccess");
}

void Status::hold() noexcept { failure_->holders.fetch_add(1, std::memory_order_relaxed); }

void Status::drop() noexcept {
  // Release and acquire: whoever frees it comes after all others have read it.
  if (failure_->holders.fetch_sub(1, std::memory_order_acq_rel) == 1) delete failure_;
}

const std::string& Status::message() const {
  // Never destroyed: the library's thread may ask while the process ends.
  static const std::string* const empty = new std::string;
  return ok() ? *empty : failure_->message;
}

Status Status::with_context(const std::string& prefix) && {
  if (ok()) return {};
  return {code(), prefix + ": " + message()};
}

std::string vformat(const char* format, va_list args) {
  va_list measure;
  va_copy(measure, args);
  const int length = std::vsnprintf(nullptr, 0, format, measure);
  va_end(measure);
  if (length < 0) return "(unprintable message)";
  std::string text(static_cast<size_t>(length), '\0');
  std::vsnprintf(text.data(), text.size() + 1, format, args);
  return text;
}

std::string format(const char* format, ...) {
  va_list args;
  va_start(args, format);
  std::string text = vformat(format, args);
  va_end(args);
  return text;
}

Status fail(Code code, const char* format, ...) {
  va_list args;
  va_start(args, format);
  Status status(code, vformat(format, args));
  va_end(args);
  return status;
}

namespace {
// Made while there is memory; never destroyed.
const Status* const no_memory = new Status(gossSystemError, "there is no memory left");
}  // namespace

Status out_of_memory() noexcept { return *no_memory; }

Status fail_errno(int error_number, const char* format, ...) {
  va_list args;
  va_start(args, format);
  std::string text = vformat(format, args);
  va_end(args);
  char buffer[128];
  // The GNU strerror_r, which is thread-safe and may return a constant instead of the buffer.
  const char* reason = strerror_r(error_number, buffer, sizeof(buffer));
  return Status(gossSystemError, text + ": " + reason);
}

const char* to_string(Code code) {
  switch (code) {
    case gossSuccess: return "no error";
    case gossUnhandledCudaError: return "unhandled cuda error (run with GOSS_LOG=info for details)";
    case gossSystemError: return "unhandled system error (run with GOSS_LOG=info for details)";
    case gossInternalError:
      return "internal error - please report this issue to the Gossamer developers";
    case gossInvalidArgument: return "invalid argument (see gossGetLastError for details)";
    case gossInvalidUsage: return "invalid usage (see gossGetLastError for details)";
    case gossRemoteError: return "remote process exited or there was a network error";
    case gossInProgress: return "Gossamer operation in progress";
    case gossTimeout: return "timeout";
    case gossNumResults: break;
  }
  return "unknown result code";
}

void assertion_failed(const char* file, int line, const char* message) {
  std::fprintf(stderr, "gossamer: %s:%d: broken invariant: %s\n", file, line, message);
  std::abort();
}

}  // namespace goss
