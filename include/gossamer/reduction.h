/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The Gossamer authors */
/** Reductions that a program makes for itself. Part of gossamer.h, which includes it. */
#ifndef GOSSAMER_REDUCTION_H_
#define GOSSAMER_REDUCTION_H_

#include "gossamer/gossamer.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Where the scalar of gossRedOpCreatePreMulSum is. Values are NCCL's. */
typedef enum {
  gossScalarDevice = 0, /**< memory of the communicator's device, read as an operation begins */
  gossScalarHostImmediate = 1 /**< host memory, read by the call */
} gossScalarResidence_t;

/**
 * Make a reduction of `comm`: every rank multiplies its input by its scalar, then the products are
 * summed. `*op` stands for it in the collectives that reduce `datatype` on `comm`. Every rank makes
 * one; the scalars may differ. Local.
 *
 * A product is rounded to `datatype` (integers wrap around, fp16, bf16 and fp8 are multiplied in
 * fp32, fp8 saturates), as gossProd does for two operands; the sum of the products is gossSum. So
 * the bits are those of a multiplication on every rank followed by gossSum, also on a single rank.
 *
 * `scalar` points to one element of `datatype`. On a host communicator gossScalarDevice means host
 * memory that is read when the operation begins; it must live until that is complete.
 * Errors: gossInvalidArgument (NULL, an unknown type or residence, a communicator that is none or
 * is being made).
 */
GOSS_API gossResult_t gossRedOpCreatePreMulSum(gossRedOp_t* op, void* scalar,
                                               gossDataType_t datatype,
                                               gossScalarResidence_t residence, gossComm_t comm);
/** Forget `op`. Operations that were called with it are not touched, complete or not. Destroying
 * the communicator does the same. Errors: gossInvalidArgument (not of `comm`, destroyed before). */
GOSS_API gossResult_t gossRedOpDestroy(gossRedOp_t op, gossComm_t comm);

#ifdef __cplusplus
}
#endif

#endif /* GOSSAMER_REDUCTION_H_ */
