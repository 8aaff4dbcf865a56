/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The Gossamer authors */
/**
 * Gossip: every rank mixes its model with one other rank and goes on, instead of waiting for all as
 * in gossAllReduce. What the mathematics says, what can go wrong and when it pays is in
 * docs/gossip.md; in short: mix models, not gradients; begin with one model on all ranks
 * (gossBroadcast); evaluate the mean of the models.
 *
 * A gossip object belongs to a communicator and to one rank. One step is x <- W x: row i of the
 * mixing matrix W, n x n, has the weights with which rank i averages. Every row sums to one. Which
 * W a step has is a pure function of the options, the number of the step and the set of living
 * ranks; every rank can ask for any step and rank, without a message, with the functions below,
 * which are those that the mixing itself uses.
 *
 *   topology        row of rank i, p its position among the n living ranks          exact mean
 *   hypercube       1/2 i, 1/2 its partner p xor 2^k (k = step mod log2 n)        n = 2^a: a steps
 *   dissemination   1/2 i, 1/2 the rank at p - 2^k (mod n)                        n = 2^a: a steps
 *   random pair     1/2 i, 1/2 its partner in the step's random matching            never
 *   ring            1/3 i, 1/3 each neighbour                                       never
 *   mixed radix     1/p_k each of a group of p_k ranks (n = p_1 p_2 ..)           a step per factor
 *   fold            1/n everybody, in about log2 n exchanges                        each step
 *   custom          1/2 i, 1/2 the rank that the caller's list names                never
 *
 *   every globalEvery-th step: 1/n everybody
 *   a partner that is dead or does not come in time: its weight stays with i
 *
 * Faults. The death of a rank does not fail a gossip object, though it fails the communicator for
 * collectives: who waits for a rank that is dead, or does not come within the timeout, goes on
 * without it, and from the next period of the schedule on nobody counts on it: a death costs one
 * skipped mix. A rank that was given up and lives mixes alone until it goes on where the others are
 * (living and newestStep of gossGossipInfo_t). In a pair both ranks mix or neither does, so the
 * mean stays, but for a rank that stops in the middle of a repair. A message that comes
 * late is never written anywhere: it is read where its sender keeps it, or taken back. Open MPI's
 * mpirun ends all ranks when one dies, unless it is started with --enable-recovery.
 *
 * Threads and streams as in gossamer.h. Calls of one object run in the order in which they were
 * made; one thread at a time. Gossip is not part of groups: a thread that is several ranks posts
 * the calls of all of them before it waits.
 */
#ifndef GOSSAMER_GOSSIP_H_
#define GOSSAMER_GOSSIP_H_

#include "gossamer/gossamer.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct gossGossip* gossGossip_t;
typedef struct gossGossipRequest* gossGossipRequest_t;

/** Who mixes with whom; see the table above. */
typedef enum {
  gossHypercube = 0, /**< default; dissemination as long as the living ranks are no power of two */
  gossDissemination = 1,
  gossRandomPair = 2,
  gossRing = 3,
  gossMixedRadix = 4,
  gossFold = 5,
  gossCustom = 6,
  gossNumGossipTopologies = 7
} gossGossipTopology_t;

/** What is sent of a model; docs/gossip.md. Both compressions keep the mean. */
typedef enum {
  gossGossipFull = 0,           /**< default: the model as it is */
  gossGossipModulo = 1,         /**< low bits of the model; needs a copy of it */
  gossGossipEdgeDifference = 2, /**< what has changed since the last message to the same partner;
                                     needs 2 fp32 copies of the model for each step of a period */
  gossNumGossipCompressions = 3
} gossGossipCompression_t;

/** Options, the same on all ranks but for the last two. Start from GOSS_GOSSIP_CONFIG_INITIALIZER.
 * Fields are only ever appended. */
typedef struct {
  size_t size;          /**< sizeof(gossGossipConfig_t) as the caller was compiled */
  unsigned int magic;   /**< GOSS_API_MAGIC */
  unsigned int version; /**< GOSS_VERSION_CODE as the caller was compiled */
  gossGossipTopology_t topology;
  int hypercubeSkips; /**< 1: stay a hypercube for any number of ranks, without the partners that do
                           not exist (mixes badly); 0 (default): see gossHypercube */
  int rotate;         /**< 1: other partners in every period; 0 (default) */
  uint64_t seed;      /**< of rotation and random pairs; default 2403 */
  int globalEvery;    /**< every so many steps an exact mean of all; 0 (default): never */
  const int* custom;  /**< gossCustom: customPhases * nranks: whom each rank sends to in each phase
                           (itself: nobody); every rank once in a phase. Read during the call */
  int customPhases;
  gossGossipCompression_t compression;
  int bits;          /**< of compressed messages, 3 to 8 (default) */
  int pushSum;       /**< 1: weights travel with models, and nothing that is late is lost; 0 */
  int maxStale;      /**< pushSum: what was sent in step t is waited for in step t + maxStale; 0;
                          with deterministic at most 7 */
  int deterministic; /**< 1: never go on without a living partner, wait for it as collectives do;
                          0 (default) */
  int minAlive;      /**< mixing fails when fewer ranks are left, so that of a divided job only one
                          part goes on; default 1 */
  int timeoutMs;     /**< how long to wait for a partner; 0 (default): median plus 8 median absolute
                          deviations of its last waits, at least 200 ms, or 1 s with more ranks than
                          CPUs; ten times that for the first 8 */
} gossGossipConfig_t;

#define GOSS_GOSSIP_CONFIG_INITIALIZER                                                           \
  {                                                                                              \
    sizeof(gossGossipConfig_t), GOSS_API_MAGIC, GOSS_VERSION_CODE, gossHypercube, 0, 0, 2403, 0, \
        NULL, 0, gossGossipFull, 8, 0, 0, 0, 1, 0                                                \
  }

/**
 * Make the gossip object of this rank. Local: nothing is sent, and options that differ between
 * ranks are found by their first mix. A communicator has one at a time; make them in the same order
 * on all ranks. `config` NULL: all defaults.
 * Errors: gossInvalidArgument (NULL, a bad config, options that do not work together, with the
 * reason), gossInvalidUsage (the communicator has one; its device has no host memory),
 * gossSystemError (no shared memory).
 */
GOSS_API gossResult_t gossGossipCreate(gossGossip_t* gossip, gossComm_t comm,
                                       const gossGossipConfig_t* config);
/** Wait for its calls, and up to 2 s (10 s with more ranks than CPUs) until others have read what
 * this rank has sent; then free it. Others go on without this rank. Before the communicator is
 * destroyed. NULL: success. Errors: gossInvalidArgument (not a gossip object). */
GOSS_API gossResult_t gossGossipDestroy(gossGossip_t gossip);

/**
 * Mix `count` elements in step `step`: recvbuff <- row of W times the sendbuffs of the ranks.
 *
 * All calls of one training step, for instance of its buckets, have the same `step` and so the same
 * partners; the k-th call of a step on one rank belongs to the k-th on every other. Steps do not go
 * back. With sendbuff apart from recvbuff the model can be used, but not changed, while it is mixed
 * on a stream: combine, then adapt.
 *
 * Shapes   sendbuff and recvbuff: `count` elements, float, double, half or bfloat16; computed in
 *          fp32 (fp64 for double), rounded once. With compression no double.
 * Units    count is elements. 0 is allowed.
 * Alias    recvbuff == sendbuff works in place. Any other overlap is undefined.
 * Order    stream NULL: done on return, by this thread. Otherwise queued, by the library's thread.
 * Exact    Two partners of a hypercube end with the same bits. Sums in the order of the ranks. The
 *          same in every run as long as nothing is skipped (deterministic), and without pushSum
 *          or with deterministic.
 * Errors   gossInvalidArgument: nothing was done. Others stay with the object: gossInvalidUsage
 *          (ranks differ in options, count or type, naming both; aborted), gossRemoteError (fewer
 *          than minAlive ranks are left), gossTimeout (deterministic), gossSystemError.
 */
GOSS_API gossResult_t gossGossipMix(const void* sendbuff, void* recvbuff, size_t count,
                                    gossDataType_t datatype, uint64_t step, gossGossip_t gossip,
                                    gossStream_t stream);

/** One of several buffers that are mixed together. */
typedef struct {
  const void* sendbuff;
  void* recvbuff; /**< may equal sendbuff */
  size_t count;   /**< elements */
} gossGossipBuffer_t;
/** gossGossipMix for several buffers, with one message for all of them. `buffers` is read during
 * the call. Errors: as gossGossipMix. */
GOSS_API gossResult_t gossGossipMixBuffers(const gossGossipBuffer_t* buffers, size_t nbuffers,
                                           gossDataType_t datatype, uint64_t step,
                                           gossGossip_t gossip, gossStream_t stream);

/** gossGossipMix by the library's thread, while this one goes on: post each bucket when it is
 * ready, wait for it before it is used next. Every request is to be waited for, before its gossip
 * object is destroyed. Errors: as gossGossipMix, those of the mixing by gossGossipWait. */
GOSS_API gossResult_t gossGossipPost(const void* sendbuff, void* recvbuff, size_t count,
                                     gossDataType_t datatype, uint64_t step, gossGossip_t gossip,
                                     gossGossipRequest_t* request);
/** Whether it is done. Errors: gossInvalidArgument (NULL, no request). */
GOSS_API gossResult_t gossGossipTest(gossGossipRequest_t request, int* done);
/** Wait until it is done, return how it ended, and free it. */
GOSS_API gossResult_t gossGossipWait(gossGossipRequest_t request);

/** With pushSum: take back what this rank has sent in the `call`-th calls of its steps (0: the
 * first) and nobody has read, and add it to the same buffers again. Once all ranks have stopped
 * mixing (gossBarrier) and then called this, nothing is on its way: sum of weight * model over the
 * ranks is what it was at the start. Before a checkpoint, for instance. Local.
 * Errors: as gossGossipMix; gossInvalidArgument without pushSum. */
GOSS_API gossResult_t gossGossipFlush(const gossGossipBuffer_t* buffers, size_t nbuffers,
                                      gossDataType_t datatype, unsigned int call,
                                      gossGossip_t gossip);

/* ------------------------------------------------------------------ the schedule --------- */

/** The schedule as it is now, among the ranks that live as far as this rank knows. */
typedef struct {
  size_t size;                   /**< sizeof(gossGossipInfo_t) as the caller was compiled */
  gossGossipTopology_t topology; /**< in use: gossHypercube may have become gossDissemination */
  int living;                    /**< ranks */
  int period;         /**< steps; partners rotate and the living are counted anew when it ends */
  int rounds;         /**< exchanges of one step, one after the other: 1 but for gossFold */
  double contraction; /**< by how much a period multiplies the disagreement ||x - mean||, at most */
  uint64_t newestStep; /**< the latest step that a rank is in. A rank that the others have given up
                            (living is 1) goes on there, and is taken back; no other rank jumps */
  double weight; /**< of push-sum: how many ranks' worth this rank's model counts; 1 without */
} gossGossipInfo_t;
/** Errors of the queries: gossInvalidArgument (NULL, size 0, no such rank or round). */
GOSS_API gossResult_t gossGossipGetInfo(gossGossip_t gossip, gossGossipInfo_t* info);

/** Whom `rank` sends to and receives from in a round of a step. The arrays have room for nranks. */
typedef struct {
  size_t size; /**< sizeof(gossGossipPeers_t) as the caller was compiled */
  int sends;
  int receives;
  int totalParts; /**< weights are whole parts of this */
  int ownParts;   /**< weight of the own model */
  int* sendPeers;
  int* receivePeers;
  int* receiveParts; /**< weight of each received model */
} gossGossipPeers_t;
GOSS_API gossResult_t gossGossipGetPeers(gossGossip_t gossip, uint64_t step, int round, int rank,
                                         gossGossipPeers_t* peers);
/** W of a step: nranks * nranks, element [receiver * nranks + sender]. */
GOSS_API gossResult_t gossGossipGetMatrix(gossGossip_t gossip, uint64_t step, double* matrix);
/** alive[r] = 1 for each rank that takes part, of nranks. */
GOSS_API gossResult_t gossGossipGetAlive(gossGossip_t gossip, int* alive);

/** What this rank's object has done since it was made. */
typedef struct {
  size_t size;         /**< sizeof(gossGossipStats_t) as the caller was compiled */
  uint64_t mixes;      /**< calls completed */
  uint64_t messages;   /**< sent */
  uint64_t bytes;      /**< of models in them; headers are not counted */
  uint64_t skipped;    /**< exchanges in which a partner was missing */
  uint64_t late;       /**< messages that were mixed after their step (pushSum) */
  uint64_t mostStale;  /**< steps by which one of them was late */
  uint64_t repairs;    /**< blocks, or beginnings of edges, that went in full precision */
  uint64_t suspicions; /**< times that this rank gave another one up */
  /** The account of push-sum weight: weight = 1 - sent + received + returned. */
  double weightSent;
  double weightReceived;
  double weightReturned; /**< taken back, because nobody has read it */
  double disagreement; /**< root mean square of (partner - own) in the last mix with one partner; an
                             upper estimate with compression */
} gossGossipStats_t;
GOSS_API gossResult_t gossGossipGetStats(gossGossip_t gossip, gossGossipStats_t* stats);

#ifdef __cplusplus
}
#endif

#endif /* GOSSAMER_GOSSIP_H_ */
