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

// A call that moves data; a failure inside a group is kept for gossGroupEnd.
inline gossResult_t submit(const engine::Operation& operation, gossComm_t comm,
                           gossStream_t stream) {
  return guarded([&] {
    Status status = engine::submit(comm, operation, stream);
    // The communicator may be gone by now, aborted by another thread: it keeps its own failures.
    if (!status.ok() && status.code() != gossInProgress) engine::group_failed(status);
    return status;
  });
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
