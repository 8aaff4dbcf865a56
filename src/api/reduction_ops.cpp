// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// The entry points of gossamer.h that make reductions.
#include "api/submit.h"
#include "gossamer/gossamer.h"

using goss::fail;
using goss::Status;
using goss::api::guarded;
using goss::api::null_argument;
namespace engine = goss::engine;

extern "C" {

gossResult_t gossRedOpCreatePreMulSum(gossRedOp_t* op, void* scalar, gossDataType_t datatype,
                                      gossScalarResidence_t residence, gossComm_t comm) {
  return guarded([&]() -> Status {
    constexpr char kName[] = "gossRedOpCreatePreMulSum";
    if (op == nullptr) return null_argument(kName, "op");
    if (scalar == nullptr) return null_argument(kName, "scalar");
    if (!goss::valid_type(datatype)) {
      return fail(gossInvalidArgument, "%s : invalid type %d (types are 0..%d)", kName,
                  static_cast<int>(datatype), gossNumTypes - 1);
    }
    if (residence != gossScalarDevice && residence != gossScalarHostImmediate) {
      return fail(gossInvalidArgument, "%s : invalid residence %d (0 or 1)", kName,
                  static_cast<int>(residence));
    }
    GOSS_TRY(engine::check_ready(comm));
    GOSS_TRY_ASSIGN(
        *op, engine::make_user_op(comm, datatype, scalar, residence == gossScalarHostImmediate));
    return {};
  });
}

gossResult_t gossRedOpDestroy(gossRedOp_t op, gossComm_t comm) {
  return guarded([&]() -> Status {
    GOSS_TRY(engine::check_ready(comm));
    return engine::destroy_user_op(comm, op);
  });
}

}  // extern "C"
