// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Reductions that the user has made on a communicator: gossRedOpCreatePreMulSum. A number stands
// for each, above those of gossRedOp_t and never used twice in a process, so that one of another
// communicator, or one that was destroyed, is noticed. Any thread.
#pragma once

#include "base/result.h"
#include "base/types.h"
#include "engine/operation.h"

struct gossComm;

namespace goss::engine {

struct UserOp {
  DataType type;
  PreMultiplier scale;
};

// The handle has been checked with check_ready(). `scalar` is read now, or, if not `immediate`, by
// every operation.
Result<RedOp> make_user_op(gossComm* handle, DataType type, const void* scalar, bool immediate);
Status destroy_user_op(gossComm* handle, RedOp op);
// Replaces the op of a collective by what it stands for.
Status resolve_user_op(gossComm* handle, Operation* operation);

}  // namespace goss::engine
