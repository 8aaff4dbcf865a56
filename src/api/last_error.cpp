// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "api/last_error.h"

#include "base/log.h"

namespace goss::api {

namespace {
thread_local std::string last_message;
thread_local std::string kept;
}  // namespace

Code report(const Status& status) {
  // "In progress" is an answer, not a failure.
  if (status.code() == gossInProgress) return gossInProgress;
  last_message = status.message();
  log(LogLevel::kInfo, "%s: %s", to_string(status.code()), status.message().c_str());
  return status.code();
}

const char* last_error() { return last_message.c_str(); }

const char* keep_text(const std::string& text) {
  kept = text;
  return kept.c_str();
}

}  // namespace goss::api
