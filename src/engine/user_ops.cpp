// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "engine/user_ops.h"

#include <atomic>
#include <cstring>

#include "engine/handle.h"

namespace goss::engine {

Result<RedOp> make_user_op(gossComm* handle, DataType type, const void* scalar, bool immediate) {
  static std::atomic<int> next{gossNumOps};
  UserOp op{type, {}};
  op.scale.used = true;
  if (immediate) {
    std::memcpy(&op.scale.bits, scalar, type_size(type));
  } else {
    op.scale.at = scalar;
  }
  const int number = next.fetch_add(1, std::memory_order_relaxed);
  if (number < gossNumOps) return fail(gossSystemError, "2^31 reductions have been made");
  const std::lock_guard<std::mutex> lock(handle->objects_mutex);
  handle->ops.emplace(number, op);
  return static_cast<RedOp>(number);
}

Status destroy_user_op(gossComm* handle, RedOp op) {
  const std::lock_guard<std::mutex> lock(handle->objects_mutex);
  if (handle->ops.erase(op) == 1) return {};
  return fail(gossInvalidArgument,
              "gossRedOpDestroy : reduction operation %d is not one of this communicator, or was "
              "destroyed before",
              static_cast<int>(op));
}

Status resolve_user_op(gossComm* handle, Operation* operation) {
  const char* name = collectives::facts(operation->kind).name;
  const std::lock_guard<std::mutex> lock(handle->objects_mutex);
  const auto entry = handle->ops.find(operation->op);
  if (entry == handle->ops.end()) {
    return fail(gossInvalidArgument,
                "%s : invalid reduction operation %d (operations are 0..%d and what "
                "gossRedOpCreatePreMulSum has made on this communicator)",
                name, static_cast<int>(operation->op), gossNumOps - 1);
  }
  const UserOp& op = entry->second;
  if (op.type != operation->type) {
    return fail(gossInvalidArgument,
                "%s : reduction operation %d was made for %s, the call has type %d", name,
                static_cast<int>(operation->op), type_name(op.type),
                static_cast<int>(operation->type));
  }
  operation->op = gossSum;
  operation->scale = op.scale;
  return {};
}

}  // namespace goss::engine
