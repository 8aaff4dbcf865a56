// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// What the entry points of the API share.
#pragma once

#include "api/last_error.h"
#include "engine/calls.h"
#include "engine/group.h"

namespace goss::api {

inline Status null_argument(const char* function, const char* argument) {
  return fail(gossInvalidArgument, "%s : %s argument is NULL", function, argument);
}

// A call that a group may hold: its failure is kept for gossGroupEnd.
template <class Fn>
gossResult_t in_group(Fn fn) {
  const gossResult_t code = guarded(fn);
  if (code == gossSuccess || code == gossInProgress || !engine::in_group()) return code;
  // Also after an exception: a call without memory is missing in the group.
  return guarded([&] {
    const Status status(code, last_error());
    engine::group_failed(status);
    return status;
  });
}

// The communicator may be gone afterwards, aborted by another thread: it keeps its own failures.
inline gossResult_t submit(const engine::Operation& operation, gossComm_t comm,
                           gossStream_t stream) {
  return in_group([&] { return engine::submit(comm, operation, stream); });
}

inline engine::Operation messages(const engine::Transfer* transfers, size_t ntransfers) {
  engine::Operation operation;
  operation.transfers = transfers;
  operation.ntransfers = ntransfers;
  return operation;
}

// What is only read all the same: see Transfer.
inline std::byte* send_bytes(const void* buffer) {
  return static_cast<std::byte*>(const_cast<void*>(buffer));
}

}  // namespace goss::api
