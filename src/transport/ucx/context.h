// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// The UCP context: one for all Messengers of the process, because making one takes tens of
// milliseconds. It lasts until the process ends. And the UCP worker: one for each Messenger.
#pragma once

#include <ucp/api/ucp.h>

#include <string>

#include "base/result.h"

namespace goss::ucx {

// "what: reason".
Status failure(ucs_status_t status, const char* what);

// `alone`: nobody else in the process uses UCX.
Result<ucp_context_h> process_context(bool alone);

// Owns a worker. One thread at a time.
class Worker {
 public:
  static Result<Worker> create(ucp_context_h context);
  Worker(Worker&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  ~Worker() {
    if (handle_ != nullptr) ucp_worker_destroy(handle_);
  }

  ucp_worker_h get() const { return handle_; }
  // In a forked child: the worker is its parent's.
  void release() { handle_ = nullptr; }

  Result<std::string> address() const;
  // What fits into one packet of every network that the worker uses.
  Result<size_t> packet_bytes() const;

 private:
  explicit Worker(ucp_worker_h handle) : handle_(handle) {}

  ucp_worker_h handle_;
};

}  // namespace goss::ucx
