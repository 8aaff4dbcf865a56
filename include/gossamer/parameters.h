/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The Gossamer authors */
/**
 * What the environment variables of docs/environment.md say, and what a group would cost. Part of
 * gossamer.h, which includes it.
 */
#ifndef GOSSAMER_PARAMETERS_H_
#define GOSSAMER_PARAMETERS_H_

#include <stddef.h>
#include <stdint.h>

#include "gossamer/gossamer.h"

#ifdef __cplusplus
extern "C" {
#endif

/** One variable. Lives as long as the process. */
typedef const struct gossParam* gossParamHandle_t;

/** The variable `key`, with or without GOSS_ in front. Errors: gossInvalidArgument (NULL, an
 * unknown key). */
GOSS_API gossResult_t gossParamBind(gossParamHandle_t* out, const char* key);

/**
 * The value as a number, as the environment says it now: of durations the milliseconds. Errors:
 * gossInvalidArgument (NULL, a variable that is no number, a value that does not fit),
 * gossInvalidUsage (unset and without a number as its default, or set to what it cannot be).
 */
GOSS_API gossResult_t gossParamGetI8(gossParamHandle_t handle, int8_t* out);
GOSS_API gossResult_t gossParamGetI16(gossParamHandle_t handle, int16_t* out);
GOSS_API gossResult_t gossParamGetI32(gossParamHandle_t handle, int32_t* out);
GOSS_API gossResult_t gossParamGetI64(gossParamHandle_t handle, int64_t* out);
GOSS_API gossResult_t gossParamGetU8(gossParamHandle_t handle, uint8_t* out);
GOSS_API gossResult_t gossParamGetU16(gossParamHandle_t handle, uint16_t* out);
GOSS_API gossResult_t gossParamGetU32(gossParamHandle_t handle, uint32_t* out);
GOSS_API gossResult_t gossParamGetU64(gossParamHandle_t handle, uint64_t* out);

/** The value as text, or its default when unset; of a secret only whether it is set. Valid until
 * the thread's next gossParam call. Errors: gossInvalidArgument (NULL). */
GOSS_API gossResult_t gossParamGetStr(gossParamHandle_t handle, const char** out);
/** The same into `out`, cut to maxLen bytes with NUL; *len: its length without NUL, uncut.
 * Errors: gossInvalidArgument (NULL, maxLen < 1). */
GOSS_API gossResult_t gossParamGet(gossParamHandle_t handle, void* out, int maxLen, int* len);
/** gossParamBind and gossParamGetStr in one; *valueLen: the length without NUL. */
GOSS_API gossResult_t gossParamGetParameter(const char* key, const char** value, int* valueLen);
/** All keys, in alphabetical order; the table lives as long as the process.
 * Errors: gossInvalidArgument (NULL). */
GOSS_API gossResult_t gossParamGetAllParameterKeys(const char*** table, int* tableLen);
/** Write every variable with its value to standard output. */
GOSS_API void gossParamDumpAll(void);

/** Read GOSS_LOG and GOSS_LOG_FILE again. */
GOSS_API void gossResetDebugInit(void);

/** Answer of gossGroupSimulateEnd. Start from GOSS_SIM_INFO_INITIALIZER. */
typedef struct {
  size_t size;          /**< sizeof(gossSimInfo_t) as the caller was compiled */
  unsigned int magic;   /**< GOSS_API_MAGIC */
  unsigned int version; /**< GOSS_VERSION_CODE as the caller was compiled */
  float estimatedTime;  /**< microseconds */
} gossSimInfo_t;

#define GOSS_SIM_INFO_UNDEF_FLOAT -1.0f
#define GOSS_SIM_INFO_INITIALIZER \
  { sizeof(gossSimInfo_t), GOSS_API_MAGIC, GOSS_VERSION_CODE, GOSS_SIM_INFO_UNDEF_FLOAT }

/**
 * Close a group like gossGroupEnd, but start nothing: its calls are forgotten, and the outermost
 * one says how long they would take. A rough model, a few microseconds for each operation and
 * 8 GB/s for what a rank moves; good for comparisons only. `simInfo` may be NULL.
 * Errors: gossInvalidUsage (no group is open; communicators were to be made, which have failed),
 * gossInvalidArgument (simInfo not initialised), the failure of a call of the group.
 */
GOSS_API gossResult_t gossGroupSimulateEnd(gossSimInfo_t* simInfo);

#ifdef __cplusplus
}
#endif

#endif /* GOSSAMER_PARAMETERS_H_ */
