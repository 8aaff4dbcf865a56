// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// The C boundary's error channel: a code to the caller, the sentence kept for gossGetLastError().
#pragma once

#include <exception>
#include <new>
#include <system_error>

#include "base/status.h"

namespace goss::api {

// Keep the message of a failure for this thread; returns its code.
Code report(const Status& status);
const char* last_error();
// A copy of `text` that lives until this thread's next call.
const char* keep_text(const std::string& text);

// Run the body of an entry point: no exception leaves the library.
template <class Body>
Code guarded(Body body) noexcept {
  try {
    const Status status = body();
    return status.ok() ? gossSuccess : report(status);
  } catch (const std::bad_alloc&) {
    return report(Status(gossSystemError, "out of memory"));
  } catch (const std::system_error& error) {  // no thread, no descriptor
    return report(Status(gossSystemError, error.what()));
  } catch (const std::exception& error) {
    return report(Status(gossInternalError, error.what()));
  } catch (...) {
    return report(Status(gossInternalError, "unknown exception"));
  }
}

}  // namespace goss::api
