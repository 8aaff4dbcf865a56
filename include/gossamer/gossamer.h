/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The Gossamer authors */
/**
 * Gossamer: communication collectives with the NCCL API, in this version for host memory on one
 * host.
 *
 * A *communicator* connects `nranks` ranks: threads or processes, at most 1,024. Every rank
 * calls the same collectives in the same order, and every rank receives bit-identical results.
 * Names, argument order, enumerators and error codes are NCCL's, with `goss` instead of `nccl`.
 *
 * A complete program (save as hello.c, build with `cc hello.c -lgossamer` where Gossamer is
 * installed, start it with `mpirun -np 4 ./a.out`, torchrun, srun, or alone):
 *
 * @code{.c}
 * #include <gossamer/gossamer.h>
 * #include <stdio.h>
 *
 * int main(void) {
 *   gossComm_t comm;
 *   if (gossCommInitEnv(&comm, NULL) != gossSuccess) {
 *     fprintf(stderr, "%s\n", gossGetLastError(NULL));
 *     return 1;
 *   }
 *   int rank, nranks;
 *   gossCommUserRank(comm, &rank);
 *   gossCommCount(comm, &nranks);
 *   float x[4] = {rank, rank + 1, rank + 2, rank + 3};
 *   gossResult_t result = gossAllReduce(x, x, 4, gossFloat, gossSum, comm, NULL);
 *   if (result != gossSuccess) fprintf(stderr, "%s\n", gossGetLastError(comm));
 *   else printf("rank %d of %d: %g %g %g %g\n", rank, nranks, x[0], x[1], x[2], x[3]);
 *   gossCommDestroy(comm);
 *   return result != gossSuccess;
 * }
 * @endcode
 *
 * Streams. `NULL` means *synchronous*: the result is complete when the call (or the outermost
 * gossGroupEnd) returns; the caller's own thread does the work. Any other stream is a queue made
 * by gossStreamCreate: the call returns at once and the library's thread does the work.
 * Operations of one communicator run in the order of the calls whatever the stream.
 *
 * Threads. Different communicators may be used from different threads at once. One communicator
 * belongs to one thread at a time (a second one inside it gets gossInvalidUsage); gossCommAbort and
 * gossCommGetAsyncError may be called from any thread at any time.
 *
 * Errors. No function exits or throws, and nothing is printed but warnings, above all about long
 * waits (GOSS_LOG). A code says what kind of failure it was, gossGetLastError() says what, where,
 * with which numbers, and what to do. After gossInvalidArgument, and after gossInvalidUsage whose
 * text begins with "refused:" (another thread is inside, finalized, in a forked child), nothing has
 * been done and the communicator goes on. After any other failure of an operation it stays failed:
 * later operations return the first cause; gossCommAbort and gossCommDestroy always work.
 */
#ifndef GOSSAMER_H_
#define GOSSAMER_H_

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define GOSS_MAJOR 0
#define GOSS_MINOR 1
#define GOSS_PATCH 0
/** Version as one number: major * 10000 + minor * 100 + patch. */
#define GOSS_VERSION_CODE (GOSS_MAJOR * 10000 + GOSS_MINOR * 100 + GOSS_PATCH)

#if defined(__GNUC__)
#define GOSS_API __attribute__((visibility("default")))
#else
#define GOSS_API
#endif

/* ------------------------------------------------------------------ results -------------- */

/** What a call came to. Values are NCCL's. */
typedef enum {
  gossSuccess = 0,            /**< done, or queued on the stream */
  gossUnhandledCudaError = 1, /**< a GPU runtime call failed; the communicator has failed */
  gossSystemError = 2,        /**< memory, sockets, files; the communicator has failed */
  gossInternalError = 3,      /**< a bug in Gossamer: please report it */
  gossInvalidArgument = 4,    /**< one argument is wrong; nothing was done, go on using it */
  gossInvalidUsage = 5,       /**< a wrong call order, or ranks that disagree */
  gossRemoteError = 6,        /**< another rank died, left, aborted or was lost: abort */
  gossInProgress = 7,         /**< not done yet: poll gossCommGetAsyncError */
  gossTimeout = 8,            /**< a rank did not arrive within the limit (GOSS_TIMEOUT) */
  gossNumResults = 9
} gossResult_t;

/** Element types. Values are NCCL's. */
typedef enum {
  gossInt8 = 0,
  gossChar = 0,
  gossUint8 = 1,
  gossInt32 = 2,
  gossInt = 2,
  gossUint32 = 3,
  gossInt64 = 4,
  gossUint64 = 5,
  gossFloat16 = 6,
  gossHalf = 6,
  gossFloat32 = 7,
  gossFloat = 7,
  gossFloat64 = 8,
  gossDouble = 8,
  gossBfloat16 = 9,
  gossFloat8e4m3 = 10,
  gossFloat8e5m2 = 11,
  gossNumTypes = 12
} gossDataType_t;

/**
 * Reductions. Values are NCCL's.
 *
 * The left operand is always the lower rank: ((x0 + x1) + x2) + ... for every algorithm on one
 * host; on several, the sums of the hosts, in the order of their first ranks, each of its ranks.
 * Integers wrap around. fp16, bf16 and fp8 are summed in fp32 and rounded once, on several hosts
 * once more for the sum of the hosts (on more than 16 at every exchange). gossAvg of floats
 * is the sum times 1/nranks in fp32 (fp64 for fp64), rounded once; of integers the wrapped sum
 * divided by nranks, truncated towards zero. gossMin and gossMax are IEEE 754-2019 minimumNumber
 * and maximumNumber: a NaN loses against a number, and -0 < +0. A NaN result is the canonical quiet
 * NaN.
 */
typedef enum {
  gossSum = 0,
  gossProd = 1,
  gossMax = 2,
  gossMin = 3,
  gossAvg = 4,
  gossNumOps = 5,           /**< from here on: gossRedOpCreatePreMulSum */
  gossMaxRedOp = 0x7fffffff /**< room for them */
} gossRedOp_t;

/** Library version as GOSS_VERSION_CODE. Errors: gossInvalidArgument (NULL). */
GOSS_API gossResult_t gossGetVersion(int* version);

/** One fixed English phrase per code; never NULL. */
GOSS_API const char* gossGetErrorString(gossResult_t result);

/**
 * The sentence that explains the last failure: of `comm`, or of the calling thread when NULL.
 * "" when nothing failed. Valid until the thread's next call into the library.
 */
GOSS_API const char* gossGetLastError(void* comm);

/* ------------------------------------------------------------------ communicators -------- */

typedef struct gossComm* gossComm_t;
typedef struct gossStream* gossStream_t;
typedef struct gossEvent* gossEvent_t;

#define GOSS_COMM_NULL NULL
#define GOSS_UNIQUE_ID_BYTES 128
/** Names a communicator to be; carries a random secret: do not print it or pass it on a command
 * line. */
typedef struct {
  char internal[GOSS_UNIQUE_ID_BYTES];
} gossUniqueId;

#define GOSS_CONFIG_UNDEF_INT INT32_MIN
#define GOSS_CONFIG_UNDEF_PTR NULL
#define GOSS_SPLIT_NOCOLOR -1
#define GOSS_API_MAGIC 0x60551a3eu
/** Value of gossConfig_t::device for a communicator on host memory. */
#define GOSS_DEVICE_HOST -1

/**
 * Options of one communicator. Start from GOSS_CONFIG_INITIALIZER. Fields are only ever appended;
 * `size` and `version` say which of them the caller knows. Every field left undefined takes its
 * value from the environment, then from the default.
 */
typedef struct {
  size_t size;          /**< sizeof(gossConfig_t) as the caller was compiled */
  unsigned int magic;   /**< GOSS_API_MAGIC */
  unsigned int version; /**< GOSS_VERSION_CODE as the caller was compiled */
  int blocking;         /**< 1 (default): calls complete; 0: they return gossInProgress */
  int device;           /**< GOSS_DEVICE_HOST (default), or a GPU ordinal */
  const char* commName; /**< appears in messages; copied */
  int timeoutMs;     /**< error after waiting so long in an operation; 0 = never (GOSS_TIMEOUT) */
  int warnMs;        /**< first warning after waiting so long (GOSS_WARN_AFTER) */
  int initTimeoutMs; /**< limit of initialisation (GOSS_INIT_TIMEOUT) */
  const char* codec; /**< which calls are compressed, and how (GOSS_CODEC); copied */
} gossConfig_t;

#define GOSS_CONFIG_INITIALIZER                                                     \
  {                                                                                 \
    sizeof(gossConfig_t), GOSS_API_MAGIC, GOSS_VERSION_CODE, GOSS_CONFIG_UNDEF_INT, \
        GOSS_CONFIG_UNDEF_INT, GOSS_CONFIG_UNDEF_PTR, GOSS_CONFIG_UNDEF_INT,        \
        GOSS_CONFIG_UNDEF_INT, GOSS_CONFIG_UNDEF_INT, GOSS_CONFIG_UNDEF_PTR         \
  }

/**
 * Make the id of a new communicator. Call it on one rank, give the bytes to all others.
 * The calling process serves the rendezvous until the communicator is complete.
 * Errors: gossInvalidArgument (NULL), gossSystemError (no usable interface: GOSS_IFNAME).
 */
GOSS_API gossResult_t gossGetUniqueId(gossUniqueId* uniqueId);

/**
 * Join the communicator `id` as `rank` of `nranks`. Collective: returns when all ranks have joined
 * (at once with gossInProgress when config->blocking is 0, or inside a group, whose
 * gossGroupEnd waits). One thread that joins several ranks must do so inside one group.
 * `*comm` is set at once, so that another thread can abort a wait for ranks that do not come; a
 * failure outside of groups frees it and sets it to NULL. `config` NULL: all fields undefined.
 * Errors: gossInvalidArgument (comm NULL, nranks < 1, rank outside 0..nranks-1, a foreign or
 * damaged id, a bad config), gossInvalidUsage (versions, nranks or settings of the ranks differ),
 * gossTimeout (names the ranks that did not come), gossRemoteError, gossSystemError.
 */
GOSS_API gossResult_t gossCommInitRank(gossComm_t* comm, int nranks, gossUniqueId id, int rank);
GOSS_API gossResult_t gossCommInitRankConfig(gossComm_t* comm, int nranks, gossUniqueId id,
                                             int rank, gossConfig_t* config);

/**
 * Join the communicator that the launcher's environment describes (docs/environment.md): rank and
 * number of ranks from torchrun, Slurm, Open MPI, MPICH or GOSS_RANK and GOSS_NRANKS; the meeting
 * point from GOSS_ADDR and GOSS_PORT; the secret from GOSS_SECRET or GOSS_SECRET_FILE (without one
 * only loopback addresses are accepted unless GOSS_INSECURE=1). Without a launcher: one rank.
 * Errors: as gossCommInitRankConfig; gossInvalidUsage when the environment is incomplete.
 */
GOSS_API gossResult_t gossCommInitEnv(gossComm_t* comm, gossConfig_t* config);

/**
 * Make `ndev` communicators of one job in this process and thread, rank i in comms[i] on device
 * devlist[i] (devlist NULL: host memory; a device may be named several times). Drive them inside
 * groups or one per thread.
 * Errors: as gossCommInitRank; gossInvalidArgument (comms NULL, ndev < 1, an unknown device).
 */
GOSS_API gossResult_t gossCommInitAll(gossComm_t* comms, int ndev, const int* devlist);

/**
 * Divide `comm`: ranks of equal `color` form a new communicator, ordered by `key`, then by old
 * rank. Collective over `comm`. GOSS_SPLIT_NOCOLOR: take part, receive NULL (with config->blocking
 * 0 a handle that is in no communicator and is to be destroyed). config NULL: the parent's.
 * A split of which one rank fails, fails on all ranks that it concerns; the parent goes on unless
 * the exchange of colours itself failed.
 * Errors: gossInvalidArgument (color < 0 other than NOCOLOR, a bad config), those of operations.
 */
GOSS_API gossResult_t gossCommSplit(gossComm_t comm, int color, int key, gossComm_t* newcomm,
                                    gossConfig_t* config);

/** Wait for all queued work of this rank and of the others. Only destroy may follow.
 * NULL: success. Errors: gossInvalidArgument (finalized before), those of operations. */
GOSS_API gossResult_t gossCommFinalize(gossComm_t comm);
/** Free the communicator once the calls that this rank has queued are complete or have failed, as
 * they do when ranks have died or GOSS_TIMEOUT is over; with none queued, at once. What gossSend
 * has copied for ranks of other hosts is delivered first, for GOSS_TIMEOUT at the most, and not to
 * ranks that have died or left or when the communicator has failed. Other ranks are not waited for
 * beyond that: call gossCommFinalize first where all shall be done. An abort from another thread
 * ends the wait. A process that exits without this does the same for 5 s at the most.
 * NULL: success. Errors: gossInvalidArgument (destroyed before). */
GOSS_API gossResult_t gossCommDestroy(gossComm_t comm);
/** Stop running operations, drop queued ones, tell the other ranks, free the communicator, in
 * bounded time. May be called from any thread; a call running in another thread returns
 * gossInvalidUsage first. Streams on which work was dropped report gossInvalidUsage, the other
 * ranks gossRemoteError. NULL: success. Errors: gossInvalidArgument (destroyed before). */
GOSS_API gossResult_t gossCommAbort(gossComm_t comm);

/** State of the communicator: gossSuccess, gossInProgress, or the first failure. This and the
 * queries below have errors of their own: gossInvalidArgument (NULL, destroyed; the last three also
 * while the communicator is being made), gossInvalidUsage (in a forked child). */
GOSS_API gossResult_t gossCommGetAsyncError(gossComm_t comm, gossResult_t* asyncError);
GOSS_API gossResult_t gossCommCount(const gossComm_t comm, int* count);
GOSS_API gossResult_t gossCommUserRank(const gossComm_t comm, int* rank);
/** The device ordinal, GOSS_DEVICE_HOST for host memory. */
GOSS_API gossResult_t gossCommCuDevice(const gossComm_t comm, int* device);

/** What a communicator has done and holds, since it was made. Fill in `size` before the call. */
typedef struct {
  size_t size;            /**< sizeof(gossCommStats_t) as the caller was compiled */
  uint64_t operations;    /**< collectives and messages completed, those of a group, and the
                               2 * nranks messages of gossAlltoAllv, counting each */
  uint64_t payload_bytes; /**< count (with counts for ranks: the own) times size of type, of every
                               collective and of every message sent */
  uint64_t sent_bytes;    /**< bytes written for other ranks to read */
  uint64_t waits;         /**< operations that had to wait for another rank */
  uint64_t plans;         /**< plans made (not found in the cache) */
  uint64_t shared_bytes;  /**< shared memory mapped, per host */
  uint64_t private_bytes; /**< private memory of this rank's communicator and plans, about */
} gossCommStats_t;
/** Errors: gossInvalidArgument (NULL, size 0). */
GOSS_API gossResult_t gossCommGetStats(gossComm_t comm, gossCommStats_t* stats);

/* ------------------------------------------------------------------ collectives ---------- */

/**
 * Reduce `count` elements over all ranks; every rank receives the result.
 *
 * Shapes   send and recv: `count` elements of `datatype`. Same count, type and op on every rank.
 * Units    count is elements, not bytes. 0 is allowed and moves nothing.
 * Alias    recvbuff == sendbuff works in place. Any other overlap is undefined.
 * Order    As described at the top (streams). Do not touch the buffers before completion.
 * Exact    The same bits on all ranks and in every run, see gossRedOp_t.
 * Errors   gossInvalidArgument; gossInvalidUsage (ranks disagree, naming both; the call was
 *          refused); gossRemoteError, gossTimeout, gossSystemError: contents of recv undefined,
 *          nobody writes to it any more; of a failed communicator: the first cause.
 */
GOSS_API gossResult_t gossAllReduce(const void* sendbuff, void* recvbuff, size_t count,
                                    gossDataType_t datatype, gossRedOp_t op, gossComm_t comm,
                                    gossStream_t stream);

/**
 * Copy `count` elements from the root's sendbuff to recvbuff of every rank, the root included.
 *
 * Shapes   sendbuff (root only, else ignored and may be NULL) and recvbuff: `count` elements.
 * Units    count is elements. 0 is allowed and moves nothing.
 * Alias    recvbuff == sendbuff works in place on the root. Any other overlap is undefined.
 * Order    As gossAllReduce. The root may return before the others have their data.
 * Exact    Bytes are copied.
 * Errors   As gossAllReduce; gossInvalidArgument for a root outside 0..nranks-1.
 */
GOSS_API gossResult_t gossBroadcast(const void* sendbuff, void* recvbuff, size_t count,
                                    gossDataType_t datatype, int root, gossComm_t comm,
                                    gossStream_t stream);
/** gossBroadcast in place: `buff` is sent by the root and received by the others. */
GOSS_API gossResult_t gossBcast(void* buff, size_t count, gossDataType_t datatype, int root,
                                gossComm_t comm, gossStream_t stream);

/**
 * Reduce `count` elements over all ranks; the root receives the result.
 *
 * Shapes   sendbuff: `count` elements on every rank; recvbuff (root only, else ignored and may be
 *          NULL): the same.
 * Units    count is elements. 0 is allowed and moves nothing.
 * Alias    recvbuff == sendbuff works in place on the root. Any other overlap is undefined.
 * Order    As gossAllReduce. Other ranks may return before the root has the result.
 * Exact    The same bits as gossAllReduce, on up to 16 hosts.
 * Errors   As gossAllReduce; gossInvalidArgument for a root outside 0..nranks-1.
 */
GOSS_API gossResult_t gossReduce(const void* sendbuff, void* recvbuff, size_t count,
                                 gossDataType_t datatype, gossRedOp_t op, int root, gossComm_t comm,
                                 gossStream_t stream);

/**
 * Block r of every rank's recvbuff becomes the sendbuff of rank r.
 *
 * Shapes   sendbuff: `sendcount` elements; recvbuff: nranks blocks of `sendcount` elements.
 * Units    sendcount is elements of one block, the same on every rank. 0 is allowed.
 * Alias    sendbuff == recvbuff + rank * sendcount works in place. Any other overlap is undefined.
 * Order    As gossAllReduce.
 * Exact    Bytes are copied.
 * Errors   As gossAllReduce.
 */
GOSS_API gossResult_t gossAllGather(const void* sendbuff, void* recvbuff, size_t sendcount,
                                    gossDataType_t datatype, gossComm_t comm, gossStream_t stream);

/**
 * Reduce nranks blocks over all ranks; rank r receives block r of the result.
 *
 * Shapes   sendbuff: nranks blocks of `recvcount` elements; recvbuff: `recvcount` elements.
 * Units    recvcount is elements of one block, the same on every rank. 0 is allowed.
 * Alias    recvbuff == sendbuff + rank * recvcount works in place. Any other overlap is undefined.
 * Order    As gossAllReduce.
 * Exact    The same bits as gossAllReduce, on up to 16 hosts.
 * Errors   As gossAllReduce.
 */
GOSS_API gossResult_t gossReduceScatter(const void* sendbuff, void* recvbuff, size_t recvcount,
                                        gossDataType_t datatype, gossRedOp_t op, gossComm_t comm,
                                        gossStream_t stream);

/**
 * Block s of rank r's recvbuff becomes block r of rank s's sendbuff.
 *
 * Shapes   sendbuff and recvbuff: nranks blocks of `count` elements.
 * Units    count is elements of one block, the same on every rank. 0 is allowed.
 * Alias    The buffers must not overlap.
 * Order    As gossAllReduce.
 * Exact    Bytes are copied.
 * Errors   As gossAllReduce; gossInvalidArgument for recvbuff == sendbuff.
 */
GOSS_API gossResult_t gossAlltoAll(const void* sendbuff, void* recvbuff, size_t count,
                                   gossDataType_t datatype, gossComm_t comm, gossStream_t stream);

/**
 * As gossAllGather with a count and a place for every block: rank r's sendbuff becomes the
 * recvcounts[r] elements from element rdispls[r] of everybody's recvbuff.
 *
 * Shapes   sendbuff: recvcounts[rank] elements; two arrays of nranks, read during the call.
 * Units    Counts and displacements are elements. All ranks give the same counts; displacements may
 *          differ. 0 is allowed.
 * Alias    In place: sendbuff is the own block of recvbuff. Blocks must not overlap.
 * Order    As gossAllReduce.
 * Exact    Bytes are copied.
 * Errors   gossInvalidArgument: as gossAllGather, NULL arrays, sizes that overflow;
 *          gossInvalidUsage: ranks gave different counts; those of operations.
 */
GOSS_API gossResult_t gossAllGatherv(const void* sendbuff, void* recvbuff, const size_t* recvcounts,
                                     const size_t* rdispls, gossDataType_t datatype,
                                     gossComm_t comm, gossStream_t stream);

/**
 * As gossReduceScatter with a count for every block: sendbuff is the blocks of all ranks one after
 * the other, and rank r receives the reduction of block r, recvcounts[r] elements.
 *
 * Shapes   sendbuff: the sum of recvcounts; recvbuff: recvcounts[rank]; an array of nranks, read
 *          during the call.
 * Units    Counts are elements, the same on all ranks. 0 is allowed.
 * Alias    In place: recvbuff is the own block of sendbuff. No other overlap.
 * Order    As gossAllReduce.
 * Exact    As gossReduceScatter.
 * Errors   gossInvalidArgument: as gossReduceScatter, NULL array, sizes that overflow;
 *          gossInvalidUsage: ranks gave different counts; those of operations.
 */
GOSS_API gossResult_t gossReduceScatterv(const void* sendbuff, void* recvbuff,
                                         const size_t* recvcounts, gossDataType_t datatype,
                                         gossRedOp_t op, gossComm_t comm, gossStream_t stream);

/**
 * As gossAlltoAll with a count and a place for every block: the sendcounts[s] elements from element
 * sdispls[s] of rank r's sendbuff become the recvcounts[r] elements from element rdispls[r] of
 * rank s's recvbuff.
 *
 * Shapes   Four arrays of nranks, read during the call. A buffer may be NULL when all its counts
 *          are 0.
 * Units    Counts and displacements are elements. sendcounts[s] on rank r equals recvcounts[r] on
 *          rank s. 0 is allowed.
 * Alias    The buffers, and the blocks of recvbuff, must not overlap.
 * Order    Messages, one from each rank to each rank: as a group of gossSend and gossRecv.
 * Exact    Bytes are copied.
 * Errors   gossInvalidArgument: bad handle, NULL arrays or buffers, recvbuff == sendbuff, sizes
 *          that overflow; gossInvalidUsage: two ranks gave different counts or types; those of
 *          operations.
 */
GOSS_API gossResult_t gossAlltoAllv(const void* sendbuff, const size_t* sendcounts,
                                    const size_t* sdispls, void* recvbuff, const size_t* recvcounts,
                                    const size_t* rdispls, gossDataType_t datatype, gossComm_t comm,
                                    gossStream_t stream);

/**
 * A message of `count` elements from one rank to another. Messages from one rank to another are
 * received in the order in which they were sent; both sides give the same count and type.
 *
 * In a group all messages of a communicator are on their way at once, after its collectives of the
 * group, so any pattern of messages completes if each send has its receive. Outside a group a
 * receive returns when the message is there, a send when the buffer may be used again: up to about
 * 64 KiB before the receiver takes it, if it has taken what was sent before. A rank sends to itself
 * in a group with the receive.
 *
 * Units    count is elements. 0 is allowed: a message that only orders.
 * Alias    A group's receive buffers overlap no other buffer of the group.
 * Exact    Bytes are copied.
 * Errors   gossInvalidArgument: bad handle, type, peer, NULL buffer with count > 0, size that
 *          overflows; gossInvalidUsage: the two sides gave different counts or types (both learn
 *          it), no counterpart on the own rank; those of operations. A message without counterpart
 *          waits as long as config.timeoutMs.
 */
GOSS_API gossResult_t gossSend(const void* sendbuff, size_t count, gossDataType_t datatype,
                               int peer, gossComm_t comm, gossStream_t stream);
GOSS_API gossResult_t gossRecv(void* recvbuff, size_t count, gossDataType_t datatype, int peer,
                               gossComm_t comm, gossStream_t stream);

/**
 * Block r of the root's recvbuff becomes the sendbuff of rank r.
 *
 * Shapes   sendbuff: `count` elements on every rank; recvbuff (root only, else ignored and may be
 *          NULL): nranks blocks of `count` elements.
 * Units    count is elements of one block, the same on every rank. 0 is allowed.
 * Alias    On the root sendbuff == recvbuff + root * count works in place. Any other overlap is
 *          undefined.
 * Order    As gossAllReduce. Other ranks may return before the root has their data.
 * Exact    Bytes are copied.
 * Errors   As gossReduce.
 */
GOSS_API gossResult_t gossGather(const void* sendbuff, void* recvbuff, size_t count,
                                 gossDataType_t datatype, int root, gossComm_t comm,
                                 gossStream_t stream);

/**
 * The recvbuff of rank r becomes block r of the root's sendbuff.
 *
 * Shapes   sendbuff (root only, else ignored and may be NULL): nranks blocks of `count` elements;
 *          recvbuff: `count` elements on every rank.
 * Units    count is elements of one block, the same on every rank. 0 is allowed.
 * Alias    On the root recvbuff == sendbuff + root * count works in place. Any other overlap is
 *          undefined.
 * Order    As gossAllReduce. The root may return before the others have their data.
 * Exact    Bytes are copied.
 * Errors   As gossReduce.
 */
GOSS_API gossResult_t gossScatter(const void* sendbuff, void* recvbuff, size_t count,
                                  gossDataType_t datatype, int root, gossComm_t comm,
                                  gossStream_t stream);

/**
 * Complete on no rank before it was called on all.
 *
 * Shapes   no buffers.
 * Units    none.
 * Alias    none.
 * Order    As gossAllReduce: on a stream, what follows on it waits.
 * Exact    does not apply.
 * Errors   As gossAllReduce.
 */
GOSS_API gossResult_t gossBarrier(gossComm_t comm, gossStream_t stream);

/**
 * Open and close a group. Operations between the two start together at the outermost gossGroupEnd,
 * which drives them all from the calling thread, so that one thread can use (and initialise)
 * several ranks. Groups nest. Neighbouring small all-reduces, and broadcasts, of a communicator are
 * moved together; the results are those of single calls. So the calls of a group must not depend on
 * one another: no buffer that one of them writes may be used by another. All ranks must group the
 * same calls in the same order; calls that share a stream on one rank must share one on all. If a
 * call inside fails, none of the operations starts and gossGroupEnd returns its code; communicators
 * that the group was to make have failed and are to be destroyed. (Non-blocking communicators are
 * made from the call on, group or not.)
 * Errors: gossInvalidUsage (no group is open).
 */
GOSS_API gossResult_t gossGroupStart(void);
GOSS_API gossResult_t gossGroupEnd(void);

/* ------------------------------------------------------------------ memory --------------- */

/**
 * Memory that the other ranks of this host can use in place: large collectives on it save copies.
 * The most where a result begins and ends with a page (4,096 bytes) or with the allocation: the
 * ranks then store it there themselves. Zeroed, page-aligned. Works everywhere an ordinary buffer
 * does. Freeing it while peers have it mapped is safe; not before operations that use it are
 * complete. A forked child has none of it.
 * Errors: gossInvalidArgument (NULL, size 0), gossSystemError (no memory; the size is in the text).
 */
GOSS_API gossResult_t gossMemAlloc(void** ptr, size_t size);
/** NULL: success. Errors: gossInvalidArgument (not from gossMemAlloc, or freed before). */
GOSS_API gossResult_t gossMemFree(void* ptr);

/* ------------------------------------------------------------------ host streams --------- */

/** A queue of operations on host memory that runs in order, on the library's thread. */
GOSS_API gossResult_t gossStreamCreate(gossStream_t* stream);
/** Wait for the work queued so far, then free. NULL: success. */
GOSS_API gossResult_t gossStreamDestroy(gossStream_t stream);
/** Wait for the work queued so far. Returns the error of the first operation that failed. */
GOSS_API gossResult_t gossStreamSynchronize(gossStream_t stream);
/** gossSuccess when all work queued so far is complete, else gossInProgress or the first error. */
GOSS_API gossResult_t gossStreamQuery(gossStream_t stream);
/** Run fn(data) on the library's thread when the work queued before it is complete. `fn` must not
 * call functions of this library that wait. */
GOSS_API gossResult_t gossStreamAddCallback(gossStream_t stream, void (*fn)(void* data),
                                            void* data);
/** Let later work on `stream` wait until `event`, as recorded last, has happened. */
GOSS_API gossResult_t gossStreamWaitEvent(gossStream_t stream, gossEvent_t event);

/** A point in a stream. One never recorded has happened. */
GOSS_API gossResult_t gossEventCreate(gossEvent_t* event);
GOSS_API gossResult_t gossEventDestroy(gossEvent_t event);
GOSS_API gossResult_t gossEventRecord(gossEvent_t event, gossStream_t stream);
/** gossSuccess when it has happened, else gossInProgress. */
GOSS_API gossResult_t gossEventQuery(gossEvent_t event);
GOSS_API gossResult_t gossEventSynchronize(gossEvent_t event);

/* ------------------------------------------------------------------ introspection -------- */

/**
 * Say in one paragraph how a collective of this size would be done on this communicator:
 * algorithm, transport, bytes, steps, and why. Local, moves nothing. `count` is what the call
 * would be given. `collective` is "all_reduce", "broadcast", "barrier", "reduce", "all_gather",
 * "reduce_scatter", "all_to_all", "gather" or "scatter". The text is cut to `size` bytes with NUL.
 * Errors: gossInvalidArgument (NULL, an unknown collective, size 0).
 */
GOSS_API gossResult_t gossExplain(gossComm_t comm, const char* collective, size_t count,
                                  gossDataType_t datatype, char* text, size_t size);
/**
 * Say how this rank reaches `peer`, and why not by something better: one fact per line, as
 * "name: value". `peer` (rank, host, process), `by` (shared memory, messages, nothing), `over`
 * (what carries it; the transport and device of UCX once they have exchanged messages), `shares`
 * (the caches and memory nodes that both use, on one host), `why`. Other lines may be added. Local;
 * looks at the machine once per process, which takes milliseconds. The text is cut to `size` bytes
 * with NUL. Errors: gossInvalidArgument (NULL, no such rank, size 0).
 */
GOSS_API gossResult_t gossExplainPeer(gossComm_t comm, int peer, char* text, size_t size);

#ifdef __cplusplus
}
#endif

/* The rest of the API: parameters; shrink, grow, revoke, suspend; reductions of one's own; windows
 * and one-sided messages. */
#include "gossamer/parameters.h"
#include "gossamer/recovery.h"
#include "gossamer/reduction.h"
#include "gossamer/window.h"

#endif /* GOSSAMER_H_ */
