/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The Gossamer authors */
/**
 * Compression of collectives, call by call: options, the error of a call, error feedback.
 * docs/compression.md says which codec to choose; the bytes are in docs/wire-format.md.
 *
 * Floating-point data can travel encoded in fewer bits. Whatever a rank shows to others it encodes
 * once, and everybody, the rank itself included, uses what those bytes decode to; so all ranks have
 * the same bits, in every run, on every instruction set. A block of 32 elements with an infinity or
 * NaN becomes NaN as a whole, also for gossMin and gossMax.
 *
 * A *wish* is a text: a codec ("int8"), two ("int8/int4": contributions, results), "none", or the
 * largest error allowed ("error=0.02"), and modifiers: "+sr" stochastic rounding, "+oneshot",
 * "+direct" or "+ring" the algorithm of an all-reduce, "+fp64" also for doubles (rounded to float),
 * "+floor" scales of MX codecs as OCP has them. Codecs: bf16, fp16, int8, int6, int5, int4, int3,
 * int2, sign, fp8_e4m3, fp8_e5m2, mxfp8_e4m3, mxfp8_e5m2, mxfp6_e2m3, mxfp6_e3m2, mxfp4, mxint8.
 *
 * For all calls of a communicator: GOSS_CODEC, or gossConfig_t::codec.
 */
#ifndef GOSSAMER_COMPRESSION_H_
#define GOSSAMER_COMPRESSION_H_

#include <gossamer/gossamer.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ------------------------------------------------------------------ error of a call ------ */

/**
 * What compression did to one call, on this rank: about the elements of this rank's result.
 *
 * `bound` holds for every element, whatever the data: no element of the result is further from what
 * the same sum of the same fp32 numbers would have been without codecs. Roundings that the
 * uncompressed call has as well come on top: those of fp32 additions, of the result to its type, of
 * doubles to float. `expectedRms` and `expectedNmse` are what is to be expected of data like
 * normally distributed ones with independent errors.
 */
typedef struct {
  size_t size;         /**< sizeof(gossErrorReport_t) as the caller was compiled; set it */
  char codec[32];      /**< as a wish, "none": the call was not compressed */
  char algorithm[16];  /**< "oneshot", "twoshot", "ring", "flat" */
  uint64_t elements;   /**< of the result on this rank */
  double bound;        /**< largest error; infinity: blocks are NaN or may have overflowed */
  double expectedRms;  /**< root of the mean squared error */
  double expectedNmse; /**< squared error / squared result; negative: the result is all zeros */
  double measuredMax;  /**< as found by gossCollConfig_t::measure; negative: not measured */
  double measuredNmse; /**< likewise */
  uint64_t sentBytes;  /**< to other ranks, headers included */
  uint64_t plainBytes; /**< that the same messages would have had uncompressed */
  uint64_t operation;  /**< number of the call in its communicator, as in messages of errors */
} gossErrorReport_t;

/**
 * The report of the last compressed call of `comm` that is complete; `codec` is "none" before the
 * first. Messages of a group have one together, whose `operation` counts what is complete.
 * Without expectedNmse and measured errors, which need the buffers (gossCollConfig_t).
 * Errors: gossInvalidArgument (NULL, size 0).
 */
GOSS_API gossResult_t gossCommGetErrorReport(gossComm_t comm, gossErrorReport_t* report);

/* ------------------------------------------------------------------ error feedback ------- */

/**
 * What a codec takes away from a vector, kept by the library and added to the same vector the next
 * time, so that over many steps nothing is lost on the average. One per vector (bucket) and rank.
 * Rules: the same count each time, one call at a time, alive until the call is complete; the
 * algorithm and the codec may change. After a call that failed: reset or restore. It does not know
 * communicators; when ranks come or go, reset.
 */
typedef struct gossFeedback* gossFeedback_t;

typedef enum {
  gossFeedbackFloat32 = 0, /**< 4 bytes for each element */
  gossFeedbackInt8 = 1 /**< about 1.06 bytes; blocks must begin at multiples of 1,024 elements */
} gossFeedbackStorage_t;

/** For vectors of `count` elements: of all-reduce and broadcast `count`, of reduce-scatter and
 * all-to-all the whole sendbuff, of all-gather the sendbuff. Zero at first.
 * Errors: gossInvalidArgument (NULL, unknown storage), gossSystemError (memory). */
GOSS_API gossResult_t gossFeedbackCreate(gossFeedback_t* feedback, size_t count,
                                         gossFeedbackStorage_t storage);
/** NULL: success. */
GOSS_API gossResult_t gossFeedbackDestroy(gossFeedback_t feedback);
/** All residuals become zero. */
GOSS_API gossResult_t gossFeedbackReset(gossFeedback_t feedback);
/** How many bytes gossFeedbackSave writes. */
GOSS_API gossResult_t gossFeedbackSize(gossFeedback_t feedback, size_t* bytes);
/** A copy of the residuals for a checkpoint of this rank. Errors: gossInvalidArgument (size). */
GOSS_API gossResult_t gossFeedbackSave(gossFeedback_t feedback, void* buffer, size_t size);
/** From what gossFeedbackSave wrote for the same count and storage; afterwards calls give the bits
 * that they gave after the save. Errors: gossInvalidArgument (anything else; nothing changes). */
GOSS_API gossResult_t gossFeedbackRestore(gossFeedback_t feedback, const void* buffer, size_t size);

/* ------------------------------------------------------------------ options of a call ---- */

#define GOSS_CONFIG_UNDEF_STEP UINT64_MAX

/**
 * Options of one call; start from GOSS_COLL_CONFIG_INITIALIZER. Copied by the call. `codec` and
 * what it says must be the same on all ranks (gossInvalidUsage names both otherwise); the other
 * fields may differ. Fields are only ever appended.
 */
typedef struct {
  size_t size;               /**< sizeof(gossCollConfig_t) as the caller was compiled */
  unsigned int magic;        /**< GOSS_API_MAGIC */
  unsigned int version;      /**< GOSS_VERSION_CODE as the caller was compiled */
  const char* codec;         /**< a wish, for any size; NULL: the communicator's rules */
  gossFeedback_t feedback;   /**< NULL: none. Not used where the call is not compressed */
  uint64_t seed;             /**< of stochastic rounding */
  uint64_t step;             /**< likewise, of the training; undefined: the operation's number */
  gossErrorReport_t* report; /**< filled in when the call is complete; NULL: not wanted */
  int measure; /**< 1: with `report`, the call is also made uncompressed and compared. All ranks or
                    none; needs memory of the size of both buffers. */
} gossCollConfig_t;

#define GOSS_COLL_CONFIG_INITIALIZER                                                          \
  {                                                                                           \
    sizeof(gossCollConfig_t), GOSS_API_MAGIC, GOSS_VERSION_CODE, GOSS_CONFIG_UNDEF_PTR, 0, 0, \
        GOSS_CONFIG_UNDEF_STEP, 0, GOSS_CONFIG_UNDEF_INT                                      \
  }

/**
 * As the functions without `Config`, with options. config NULL: the same as those.
 * Errors: theirs; gossInvalidArgument for a config that is not initialised, an unknown codec, an
 * algorithm whose error would ruin the result, feedback of another count.
 */
GOSS_API gossResult_t gossAllReduceConfig(const void* sendbuff, void* recvbuff, size_t count,
                                          gossDataType_t datatype, gossRedOp_t op, gossComm_t comm,
                                          gossStream_t stream, gossCollConfig_t* config);
GOSS_API gossResult_t gossBroadcastConfig(const void* sendbuff, void* recvbuff, size_t count,
                                          gossDataType_t datatype, int root, gossComm_t comm,
                                          gossStream_t stream, gossCollConfig_t* config);
GOSS_API gossResult_t gossReduceConfig(const void* sendbuff, void* recvbuff, size_t count,
                                       gossDataType_t datatype, gossRedOp_t op, int root,
                                       gossComm_t comm, gossStream_t stream,
                                       gossCollConfig_t* config);
GOSS_API gossResult_t gossAllGatherConfig(const void* sendbuff, void* recvbuff, size_t sendcount,
                                          gossDataType_t datatype, gossComm_t comm,
                                          gossStream_t stream, gossCollConfig_t* config);
GOSS_API gossResult_t gossReduceScatterConfig(const void* sendbuff, void* recvbuff,
                                              size_t recvcount, gossDataType_t datatype,
                                              gossRedOp_t op, gossComm_t comm, gossStream_t stream,
                                              gossCollConfig_t* config);
GOSS_API gossResult_t gossAlltoAllConfig(const void* sendbuff, void* recvbuff, size_t count,
                                         gossDataType_t datatype, gossComm_t comm,
                                         gossStream_t stream, gossCollConfig_t* config);
GOSS_API gossResult_t gossGatherConfig(const void* sendbuff, void* recvbuff, size_t count,
                                       gossDataType_t datatype, int root, gossComm_t comm,
                                       gossStream_t stream, gossCollConfig_t* config);
GOSS_API gossResult_t gossScatterConfig(const void* sendbuff, void* recvbuff, size_t count,
                                        gossDataType_t datatype, int root, gossComm_t comm,
                                        gossStream_t stream, gossCollConfig_t* config);
/** Compressed where the two ranks are on different hosts, else sent as it is: `codec` of the report
 * is "none" then. `operation` counts what is complete with it. Both sides give the same `codec`
 * (gossInvalidUsage names both); the step of stochastic rounding is the number of compressed
 * messages to that rank so far, if the call gives none. `bound` holds for the elements received.
 * Errors: those of gossSend, and gossInvalidArgument for `feedback` and `measure`, which messages
 * do not have. */
GOSS_API gossResult_t gossSendConfig(const void* sendbuff, size_t count, gossDataType_t datatype,
                                     int peer, gossComm_t comm, gossStream_t stream,
                                     gossCollConfig_t* config);
GOSS_API gossResult_t gossRecvConfig(void* recvbuff, size_t count, gossDataType_t datatype,
                                     int peer, gossComm_t comm, gossStream_t stream,
                                     gossCollConfig_t* config);

/**
 * Bytes of `count` elements in `codec` (its name alone), without headers of messages.
 * Errors: gossInvalidArgument (NULL, unknown codec).
 */
GOSS_API gossResult_t gossEncodedSize(const char* codec, size_t count, size_t* bytes);

#ifdef __cplusplus
}
#endif

#endif /* GOSSAMER_COMPRESSION_H_ */
