// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// UCX as a guest in somebody's process. What it would do to the process when it is loaded is
// prevented where it is loaded (transport/registry.cpp).
#pragma once

#include <signal.h>

namespace goss::ucx {

// UCX's log lines go to Gossamer's log, at level debug, unless the user set UCX_LOG_LEVEL. Not when
// others in the process use UCX: then the lines may be theirs.
void redirect_log();

// Threads that are started while one lives block all signals.
class SignalsBlocked {
 public:
  SignalsBlocked() {
    sigset_t all;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~SignalsBlocked() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;

 private:
  sigset_t before_;
};

}  // namespace goss::ucx
