/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The Gossamer authors */
/**
 * Adaptive mini-batching and adaptive precision, for anybody's trainer.
 *
 * A *batch planner* turns the losses of single samples into the batches of the next epoch: small
 * batches for samples with a high loss, large ones for those with a low loss, hence fewer updates
 * and messages. A *precision controller* turns losses and validation into the bits with which the
 * gradients of each kind of batch travel. Neither communicates, computes gradients, reads clocks or
 * draws chance: they are functions of what they are given, bit-identical on every machine and rank.
 * In outline:
 *
 * @code{.c}
 * gossBatchConfig_t config = GOSS_BATCH_CONFIG_INITIALIZER;
 * config.samples = 60000;
 * gossBatchPlannerCreate(&planner, &config);
 * for (int e = 0; e < epochs; ++e) {
 *   gossExchange_t x;                            // what the ranks must tell each other
 *   while (gossBatchPlannerExchange(planner, &x) == gossSuccess && x.count > 0)
 *     gossAllReduce(x.buffer, x.buffer, x.count, x.datatype, x.op, comm, NULL);
 *   gossBatchPlannerGetEpoch(planner, &epoch);
 *   for (uint64_t step = 0; step < epoch.steps; ++step) {
 *     gossBatchPlannerGetBatch(planner, step, rank, nranks, &batch, samples, weights, capacity);
 *     // forward of batch.slots samples; gradient of the sum of weight * loss; all-reduce (sum);
 *     // p -= eta(batch.samples_before) * batch.rate * gradient / batch.real
 *     gossBatchPlannerRecord(planner, step, rank, nranks, losses, batch.slots);
 *   }
 *   gossBatchPlannerEndEpoch(planner);
 * }
 * @endcode
 *
 * Buckets are numbered from 0, the one with the smallest batches (the hardest samples unless
 * reversed). Epochs and steps are numbered from 0. `count` and `capacity` are elements, a name with
 * `_bytes` is bytes. An object belongs to one thread at a time; different objects are independent.
 * After an error nothing has changed unless it is said here, and gossGetLastError(NULL) has the
 * sentence. Structures only grow at their ends; `size` says what the caller knows.
 */
#ifndef GOSSAMER_ADAPTIVE_H_
#define GOSSAMER_ADAPTIVE_H_

#include <stddef.h>
#include <stdint.h>

#include "gossamer/gossamer.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct gossBatchPlanner* gossBatchPlanner_t;
typedef struct gossPrecision* gossPrecision_t;

#define GOSS_MAX_BUCKETS 8
/** In place of a sample where a rank has none at all; its weight is 0. */
#define GOSS_NO_SAMPLE UINT32_MAX

/* ------------------------------------------------------------------ learning rate -------- */

/** How the learning rate follows the batch, g of r = batch / reference batch. */
typedef enum {
  gossRateLinear = 0,  /**< g = r: every sample weighs the same in an epoch */
  gossRateSqrt = 1,    /**< g = sqrt(r): samples of small batches weigh more; for Adam */
  gossRateConstant = 2 /**< g = 1: samples of small batches weigh r times as much */
} gossRateRule_t;

/**
 * The factor g(batch / reference) by which a batch's learning rate exceeds the reference batch's.
 *
 * Shapes   batch, reference: numbers of samples, both > 0.
 * Units    Samples.
 * Alias    None.
 * Order    Pure.
 * Exact    Linear and constant exactly, the square root correctly rounded.
 * Errors   gossInvalidArgument (NULL, 0 samples, an unknown rule).
 */
GOSS_API gossResult_t gossRateScale(gossRateRule_t rule, uint64_t batch, uint64_t reference,
                                    double* scale);

/* ------------------------------------------------------------------ batch planner -------- */

/** Which samples meet in which batches. */
typedef enum {
  gossBatchFixed = 0,    /**< random samples, batches of `reference` */
  gossBatchAdaptive = 1, /**< buckets by loss, hard samples in small batches */
  gossBatchRandom = 2,   /**< the batches of adaptive, samples at random (a control) */
  gossBatchReversed = 3, /**< the batches of adaptive, easy samples in the small ones (a control) */
  gossBatchSorted = 4,   /**< the buckets of adaptive, all batches of `reference` (a control) */
  gossBatchGrowth = 5,   /**< random samples, batches that grow with the epochs (AdaBatch) */
  gossBatchInfo = 6      /**< random samples, some easy ones left out (InfoBatch) */
} gossBatchMode_t;

/** Options of a batch planner. Start from GOSS_BATCH_CONFIG_INITIALIZER and set `samples`. */
typedef struct {
  size_t size;          /**< sizeof(gossBatchConfig_t) as the caller was compiled */
  unsigned int magic;   /**< GOSS_API_MAGIC */
  unsigned int version; /**< GOSS_VERSION_CODE as the caller was compiled */
  gossBatchMode_t mode;
  uint64_t samples; /**< of the data set; with `sharded`, of this rank. Below 2^32 */
  uint64_t seed;    /**< of all shuffles */
  int sharded;      /**< 0: every rank can read every sample. 1: each rank has its own */
  int rank;         /**< with `sharded` */
  int nranks;       /**< with `sharded` */
  int warmupEpochs; /**< epochs of random batches of `reference` before buckets are formed */
  int reference;    /**< global batch size that the learning rate is for; 0: batch[0] */
  int batchMin;     /**< global; smaller batches become so large; 0: no bound */
  int batchMax;     /**< global; larger batches become so small, growth ends there; 0: no bound */
  int buckets;      /**< 1 to GOSS_MAX_BUCKETS */
  double share[GOSS_MAX_BUCKETS]; /**< of the samples, hardest first; their sum is 1 */
  int batch[GOSS_MAX_BUCKETS];    /**< global batch sizes, ascending */
  double trim; /**< this share with the highest losses goes to the last bucket instead */
  double keep; /**< loss = keep * loss of earlier epochs + (1 - keep) * this epoch's */
  gossRateRule_t rateRule; /**< of gossBatch_t::rate */
  double rateMax;          /**< bound of gossBatch_t::rate; 0: none */
  int ramp;                /**< 1: rates go from 1 to their rule in the first epoch of buckets */
  int correctWeights;      /**< 1: weights undo what a rule other than linear does to samples */
  int guardPatience;       /**< epochs without a fall until the guard acts, see there; 0: never */
  int growthEvery;         /**< growth: epochs of one size, from the end of warm-up */
  double growthFactor;     /**< growth: from one size to the next */
  double infoPrune;        /**< InfoBatch: share of the easy samples that is left out */
  double infoFull;         /**< InfoBatch: share of the epochs, at the end, with all samples */
  int epochs;              /**< InfoBatch: number of epochs; 0: leave out to the end */
} gossBatchConfig_t;

#define GOSS_BATCH_CONFIG_INITIALIZER                                                            \
  {                                                                                              \
    sizeof(gossBatchConfig_t), GOSS_API_MAGIC, GOSS_VERSION_CODE, gossBatchAdaptive, 0, 0, 0, 0, \
        1, 2, 0, 0, 0, 3, {0.25, 0.25, 0.5, 0, 0, 0, 0, 0}, {32, 64, 256, 0, 0, 0, 0, 0}, 0.05,  \
        0.5, gossRateLinear, 0.0, 1, 0, 2, 10, 2.0, 0.5, 0.125, 0                                \
  }

/** A buffer to be all-reduced in place over all ranks. */
typedef struct {
  void* buffer; /**< memory of the planner, valid until its next call */
  size_t count; /**< elements; 0: nothing is left to exchange */
  gossDataType_t datatype;
  gossRedOp_t op;
} gossExchange_t;

/** The epoch that is planned. Fill in `size` before the call. */
typedef struct {
  size_t size;        /**< sizeof(gossEpoch_t) as the caller was compiled */
  uint64_t epoch;     /**< its number */
  uint64_t steps;     /**< batches, on every rank */
  uint64_t samples;   /**< that take part, of all ranks */
  uint64_t hash;      /**< of the plan, the same on all ranks */
  uint64_t next_step; /**< one behind the last step that was recorded */
  double excess;      /**< share of the hard bucket that the guard has sent to random batches */
  int buckets;        /**< 1 in epochs of random batches of one size */
} gossEpoch_t;

/** One batch. Fill in `size` before the call. */
typedef struct {
  size_t size;             /**< sizeof(gossBatch_t) as the caller was compiled */
  int bucket;              /**< 0: smallest batches */
  uint64_t real;           /**< samples of all ranks; divide the summed gradient by it */
  uint64_t slots;          /**< entries of every rank, padding included */
  uint64_t samples_before; /**< the schedule's clock: samples seen before this batch */
  double scale;            /**< real / reference */
  double ramp;             /**< 1 but in the first epoch of buckets, when it rises to 1 */
  double rate;             /**< factor for the learning rate: 1 + (g(scale) - 1) * ramp, bounded */
} gossBatch_t;

/** What is known about a bucket: its plan, and the losses by which it was formed, without those
 * that were trimmed or never seen. */
typedef struct {
  uint64_t samples; /**< that take part, of all ranks */
  uint64_t steps;   /**< batches */
  uint64_t losses;  /**< number of losses behind the four numbers below, which are 0 when it is */
  double mean;
  double p10; /**< a tenth of the losses is not above it */
  double p50;
  double p90;
  int batch; /**< global batch size */
} gossBucket_t;

/**
 * Make a planner. Run gossBatchPlannerExchange before the first epoch.
 *
 * Shapes   config: copied. The same on every rank, but for rank and, with `sharded`, samples.
 * Units    Batch sizes are global. They need not divide anything.
 * Alias    The handle is the caller's until gossBatchPlannerDestroy.
 * Order    Returns when done.
 * Exact    A plan is a function of config and losses: the same on every machine and in every run.
 * Errors   gossInvalidArgument (NULL, a field outside its range, naming it), gossSystemError.
 */
GOSS_API gossResult_t gossBatchPlannerCreate(gossBatchPlanner_t* planner,
                                             const gossBatchConfig_t* config);

/**
 * Free a planner. NULL succeeds.
 *
 * Shapes   None.
 * Units    None.
 * Alias    The handle and buffers of gossExchange_t are invalid from now on.
 * Order    At any time, also between exchanges.
 * Exact    Nothing is written.
 * Errors   None.
 */
GOSS_API gossResult_t gossBatchPlannerDestroy(gossBatchPlanner_t planner);

/**
 * The next buffer that the ranks must all-reduce before the epoch can begin.
 *
 * Call it, all-reduce the buffer in place, call it again, until count is 0. Every rank gets the
 * same sequence. One rank alone need not reduce anything. The losses travel here (4 bytes per
 * sample; with `sharded` a histogram and the counts of buckets), and at the end the hash of the
 * plan, so ranks that would train differently are told.
 *
 * Shapes   exchange: written. Its count is the same on all ranks.
 * Units    count is elements.
 * Alias    The buffer is the planner's; it is read by the next call.
 * Order    After create and after gossBatchPlannerEndEpoch. Otherwise count is 0 at once.
 * Exact    Only maxima and sums of integers: any all-reduce will do.
 * Errors   gossInvalidArgument (NULL; a loss that is no finite number, naming the sample),
 *          gossInvalidUsage (plans of the ranks differ; more samples than 2^32 - 1). Both stay.
 */
GOSS_API gossResult_t gossBatchPlannerExchange(gossBatchPlanner_t planner,
                                               gossExchange_t* exchange);

/**
 * What is planned.
 *
 * Shapes   epoch: `size` filled in, the rest written.
 * Units    Samples and steps.
 * Alias    None.
 * Order    Changes nothing.
 * Exact    hash is of the batches and, unless sharded, of their samples.
 * Errors   gossInvalidArgument (NULL, size), gossInvalidUsage (exchange first).
 */
GOSS_API gossResult_t gossBatchPlannerGetEpoch(gossBatchPlanner_t planner, gossEpoch_t* epoch);

/**
 * What is known about the buckets of the planned epoch: the input of gossPrecisionDecide.
 *
 * Shapes   buckets: room for `capacity`; *count are written.
 * Units    Elements.
 * Alias    None.
 * Order    Changes nothing.
 * Exact    The same on all ranks. With `sharded` the four numbers come from a histogram with eight
 *          classes per octave between 2^-20 and 2^12: within 1/16 of the true ones.
 * Errors   gossInvalidArgument (NULL, capacity below the number of buckets), gossInvalidUsage.
 */
GOSS_API gossResult_t gossBatchPlannerGetBuckets(gossBatchPlanner_t planner, gossBucket_t* buckets,
                                                 size_t capacity, size_t* count);

/**
 * The options of a planner, for one that was restored.
 *
 * Shapes   config: `size` filled in, the rest written.
 * Units    As given.
 * Alias    None.
 * Order    Changes nothing; also before the first exchange.
 * Exact    As given; shares and batches of buckets that are not used are 0.
 * Errors   gossInvalidArgument (NULL, size).
 */
GOSS_API gossResult_t gossBatchPlannerGetConfig(gossBatchPlanner_t planner,
                                                gossBatchConfig_t* config);

/**
 * Batch `step` of the epoch as rank `rank` of `nranks` sees it.
 *
 * A bucket's samples are spread evenly over its batches. Rank r has elements r, r + nranks, .. of a
 * batch; with `sharded` those of its own samples that are in it. Slots that only fill up a rank's
 * share repeat another sample with weight 0. All other weights are 1, except with InfoBatch
 * (samples that stand for those left out) and correctWeights.
 *
 * Without `sharded` rank and nranks may change at any step: the plan does not depend on them, so
 * survivors share the samples of a rank that died.
 *
 * Shapes   samples, weights: `capacity` elements each, batch->slots are written; both may be NULL.
 * Units    capacity is elements. samples are indices below config.samples, of this rank if sharded.
 * Alias    None.
 * Order    Changes nothing; steps in any order.
 * Exact    Over an epoch every sample that takes part appears with a weight once, over all ranks.
 * Errors   gossInvalidArgument (NULL, size, step, rank, capacity below slots), gossInvalidUsage.
 */
GOSS_API gossResult_t gossBatchPlannerGetBatch(gossBatchPlanner_t planner, uint64_t step, int rank,
                                               int nranks, gossBatch_t* batch, uint32_t* samples,
                                               float* weights, size_t capacity);

/**
 * Take in the losses that the samples of gossBatchPlannerGetBatch had in the forward pass.
 *
 * Shapes   losses: `count` elements, count = batch.slots; those of padding are ignored.
 * Units    Losses of single samples, not weighted.
 * Alias    Copied.
 * Order    Steps in any order; a sample that is recorded again is overwritten.
 * Exact    Kept as they are.
 * Errors   gossInvalidArgument (as GetBatch; count; a NaN or an infinity, naming sample, epoch and
 *          step: nothing else of this call is taken, and the next exchange says it on all ranks),
 *          gossInvalidUsage.
 */
GOSS_API gossResult_t gossBatchPlannerRecord(gossBatchPlanner_t planner, uint64_t step, int rank,
                                             int nranks, const float* losses, size_t count);

/**
 * End the epoch: what was recorded becomes the next plan. Run gossBatchPlannerExchange next.
 *
 * Shapes   None.
 * Units    None.
 * Alias    None.
 * Order    Samples that were not recorded keep their earlier loss; those never seen come first.
 * Exact    loss = keep * old + (1 - keep) * new in double, rounded to float.
 * Errors   gossInvalidArgument (NULL), gossInvalidUsage (exchange first).
 */
GOSS_API gossResult_t gossBatchPlannerEndEpoch(gossBatchPlanner_t planner);

/**
 * The guard against wrong labels: show it the validation losses once per epoch, before EndEpoch.
 *
 * It follows the hard part of the held-out samples: the share[0] of them with the highest losses
 * in the epochs of warm-up (of the first call without). When their mean loss has not fallen below
 * its best value (paired differences, 95 %) for guardPatience epochs, what the hard bucket learns
 * does not carry over. Then the half of its samples with the highest losses, later all, are the
 * excess: from the next plan on they change places with samples drawn at random. Sizes and numbers
 * of batches stay.
 *
 * Shapes   losses: `count` elements, the same samples in the same order in every epoch and rank.
 * Units    Losses of single samples.
 * Alias    Copied. excess may be NULL.
 * Order    Once per epoch. Only mode adaptive uses the result.
 * Exact    The same inputs give the same result on every machine.
 * Errors   gossInvalidArgument (NULL, another count than before, a NaN or an infinity, naming the
 *          sample), gossInvalidUsage (exchange first).
 */
GOSS_API gossResult_t gossBatchPlannerGuard(gossBatchPlanner_t planner, const float* losses,
                                            size_t count, double* excess);

/**
 * Save a planner, at any step of an epoch. What this rank has recorded is part of it.
 *
 * Shapes   state: `capacity_bytes`; NULL: only *bytes is written.
 * Units    Bytes: about 8 per sample.
 * Alias    Copied.
 * Order    Not between EndEpoch and the end of the exchange.
 * Exact    A restored planner goes on bit for bit.
 * Errors   gossInvalidArgument (NULL, capacity, saying how much is needed), gossInvalidUsage.
 */
GOSS_API gossResult_t gossBatchPlannerSave(gossBatchPlanner_t planner, void* state,
                                           size_t capacity_bytes, size_t* bytes);

/**
 * Make a planner from a saved state; config and all.
 *
 * Shapes   state: `bytes` bytes as saved.
 * Units    Bytes.
 * Alias    Copied.
 * Order    Returns when done; no exchange is needed.
 * Exact    States are the same on every machine.
 * Errors   gossInvalidArgument (NULL; truncated, damaged, of another object or version, with a
 *          field that cannot be: saying which, and at which byte), gossSystemError (memory).
 */
GOSS_API gossResult_t gossBatchPlannerRestore(gossBatchPlanner_t* planner, const void* state,
                                              size_t bytes);

/* ------------------------------------------------------------------ precision ------------ */

/** What the bits of a bucket follow. Epochs always count: see reduceEvery. */
typedef enum {
  gossPrecisionCombined = 0, /**< the root of level times flatness, both relative to the first
                                  epoch of buckets */
  gossPrecisionLevel = 1,    /**< the mean loss (an ablation) */
  gossPrecisionFlatness = 2, /**< (p90 - p10) / p50 of the losses (an ablation) */
  gossPrecisionEpochs = 3    /**< nothing else (an ablation) */
} gossPrecisionRule_t;

/** Options of a precision controller. Start from GOSS_PRECISION_CONFIG_INITIALIZER. Bits are 8, 6,
 * 5, 4, 3 or 2. */
typedef struct {
  size_t size;          /**< sizeof(gossPrecisionConfig_t) as the caller was compiled */
  unsigned int magic;   /**< GOSS_API_MAGIC */
  unsigned int version; /**< GOSS_VERSION_CODE as the caller was compiled */
  gossPrecisionRule_t rule;
  int buckets;        /**< of the epochs after warm-up, 1 to GOSS_MAX_BUCKETS */
  int warmupEpochs;   /**< epochs with warmupBits; the planner's */
  int warmupBits;     /**< 32: not compressed */
  int maxBits;        /**< at the start and after a reset */
  int minBits;        /**< 2 with error feedback, 3 or 4 without */
  int reduceEvery;    /**< epochs between two steps down */
  int reduceEveryMax; /**< a reset doubles reduceEvery, up to this */
  int holdEpochs;     /**< epochs with maxBits after a reset, 1 or more */
  int confirmEpochs;  /**< so many epochs in a row must be worse than the best one */
  int recoveryEpochs; /**< so soon after a reset the loss must have come down */
  double tolerance;   /**< a rise below this share of the best loss is none */
  double epochNoise;  /**< least standard deviation that is assumed between epochs, likewise */
} gossPrecisionConfig_t;

#define GOSS_PRECISION_CONFIG_INITIALIZER                                                          \
  {                                                                                                \
    sizeof(gossPrecisionConfig_t), GOSS_API_MAGIC, GOSS_VERSION_CODE, gossPrecisionCombined, 3, 2, \
        32, 8, 2, 1, 8, 1, 2, 2, 0.01, 0.005                                                       \
  }

/** What happened in the epoch that ended. */
typedef enum {
  gossPrecisionWarmup = 0,    /**< it was an epoch of warm-up */
  gossPrecisionWatching = 1,  /**< no alarm */
  gossPrecisionSuspected = 2, /**< worse than the best epoch, not confirmed yet: bits stay */
  gossPrecisionReset = 3,     /**< confirmed: all buckets go back to maxBits */
  gossPrecisionHolding = 4,   /**< after a reset, the loss has not come down yet */
  gossPrecisionRecovered = 5, /**< after a reset, at most half of the rise is left: it was
                                   precision */
  gossPrecisionNotCause = 6,  /**< "not precision": the reset did not help, or there was nothing
                                   to reset. This rise raises no alarm again */
  gossPrecisionMuted = 7      /**< still that rise: it ends with a new best epoch */
} gossPrecisionEvent_t;

/** A decision. Fill in `size` before the call. */
typedef struct {
  size_t size;    /**< sizeof(gossDecision_t) as the caller was compiled */
  uint64_t epoch; /**< that ended */
  gossPrecisionEvent_t event;
  int buckets;                /**< number of entries of `bits` */
  int bits[GOSS_MAX_BUCKETS]; /**< for the next epoch */
  int cap;                    /**< what the epochs allow at most */
  int reduceEvery;            /**< now */
  uint64_t resets;            /**< so far */
  uint64_t best_epoch;        /**< with the lowest mean validation loss */
  double loss;                /**< mean validation loss */
  double rise;                /**< mean paired difference to the best epoch */
  double bound;               /**< lower 95 % bound of the rise, above 0 in an alarm; 0 where there
                                 are too few epochs to tell */
} gossDecision_t;

/**
 * Make a precision controller.
 *
 * Shapes   config: copied; the same on every rank.
 * Units    Bits per gradient element.
 * Alias    The handle is the caller's until gossPrecisionDestroy.
 * Order    Returns when done.
 * Exact    Decisions are a function of config and inputs.
 * Errors   gossInvalidArgument (NULL, a field outside its range, naming it), gossSystemError.
 */
GOSS_API gossResult_t gossPrecisionCreate(gossPrecision_t* controller,
                                          const gossPrecisionConfig_t* config);

/**
 * Free a controller. NULL succeeds.
 *
 * Shapes   None.
 * Units    None.
 * Alias    The handle and texts of the log are invalid from now on.
 * Order    At any time.
 * Exact    Nothing is written.
 * Errors   None.
 */
GOSS_API gossResult_t gossPrecisionDestroy(gossPrecision_t controller);

/**
 * End an epoch: bits for the next one. Before the first call, gossPrecisionGetBits has those of
 * epoch 0.
 *
 * The bits of bucket b are minBits + (maxBits - minBits) * min(1, x / 2^b), x being what the rule
 * measures, rounded up to what is allowed; at most what the epochs allow; and they rise by a reset
 * only. After a reset they fall by one step at a time.
 *
 * The alarm: the mean of the paired differences of the validation losses to those of the best
 * epoch has a lower 95 % bound above 0, and is above the tolerance, in confirmEpochs epochs in a
 * row. The bound allows for the scatter of samples and of epochs, and for asking after every
 * epoch. Show it held-out data, never the test set.
 *
 * Shapes   buckets: `nbuckets` of gossBatchPlannerGetBuckets, ignored in warm-up; config.buckets
 *          after it. losses: `count` elements, the same samples in the same order in every epoch;
 *          0: no validation, no alarm.
 * Units    Losses of single samples.
 * Alias    Copied.
 * Order    Once per epoch, with the buckets of the epoch to come. All ranks give the same inputs.
 * Exact    The same decision on every machine.
 * Errors   gossInvalidArgument (NULL, another count than before, a NaN or an infinity, naming the
 *          sample or the bucket).
 */
GOSS_API gossResult_t gossPrecisionDecide(gossPrecision_t controller, const gossBucket_t* buckets,
                                          size_t nbuckets, const float* losses, size_t count,
                                          gossDecision_t* decision);

/**
 * The bits of the epoch to come, one per bucket, and a hash of the controller's state with which
 * ranks can compare themselves.
 *
 * Shapes   bits: room for GOSS_MAX_BUCKETS; config.buckets are written, the same in warm-up.
 * Units    Bits per gradient element.
 * Alias    None. bits and hash may be NULL.
 * Order    Changes nothing.
 * Exact    Equal states have equal hashes.
 * Errors   gossInvalidArgument (NULL).
 */
GOSS_API gossResult_t gossPrecisionGetBits(gossPrecision_t controller, int* bits, uint64_t* hash);

/**
 * The log: one line of JSON with the config, and one with the last decision and all it rests on.
 * Write them to a file; gossPrecisionReplay checks it.
 *
 * Shapes   header, line: set to texts that end in a newline and a 0; either may be NULL.
 * Units    None.
 * Alias    The texts are the controller's, valid until its next gossPrecisionDecide.
 * Order    *line is "" before the first decision.
 * Exact    Numbers are written so that reading gives the same bits.
 * Errors   gossInvalidArgument (NULL).
 */
GOSS_API gossResult_t gossPrecisionGetLog(gossPrecision_t controller, const char** header,
                                          const char** line);

/**
 * Decide again from a log, and compare with what it says.
 *
 * Shapes   log: `bytes` bytes, header line first. A last line without its newline is left out.
 * Units    *decisions: lines that were decided again and agree. May be NULL.
 * Alias    None.
 * Order    Needs no controller.
 * Exact    Every line must come out the same, character by character.
 * Errors   gossInvalidArgument (NULL, a line that cannot be read, naming it), gossInvalidUsage (a
 *          line that comes out differently, with both).
 */
GOSS_API gossResult_t gossPrecisionReplay(const char* log, size_t bytes, uint64_t* decisions);

/**
 * Save a controller. As gossBatchPlannerSave.
 *
 * Shapes   state: `capacity_bytes`; NULL: only *bytes is written.
 * Units    Bytes: about 8 per validation sample.
 * Alias    Copied.
 * Order    At any time.
 * Exact    A restored controller goes on bit for bit.
 * Errors   gossInvalidArgument (NULL, capacity, saying how much is needed).
 */
GOSS_API gossResult_t gossPrecisionSave(gossPrecision_t controller, void* state,
                                        size_t capacity_bytes, size_t* bytes);

/**
 * Make a controller from a saved state; config and all.
 *
 * Shapes   state: `bytes` bytes as saved.
 * Units    Bytes.
 * Alias    Copied.
 * Order    Returns when done.
 * Exact    States are the same on every machine.
 * Errors   gossInvalidArgument (NULL; truncated, damaged, of another object or version: saying
 *          which, and at which byte), gossSystemError (memory).
 */
GOSS_API gossResult_t gossPrecisionRestore(gossPrecision_t* controller, const void* state,
                                           size_t bytes);

#ifdef __cplusplus
}
#endif

#endif /* GOSSAMER_ADAPTIVE_H_ */
