/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The Gossamer authors */
/**
 * Adaptive mini-batching and adaptive precision, for anybody's trainer.
 *
 * A *batch planner* turns the losses of single samples into the batches of the next epoch: small
 * batches for samples with a high loss, large ones for those with a low loss, hence fewer updates
 * and messages. A *precision controller* turns losses and validation into the bits with which the
 * gradients of each kind of batch travel. Neither communicates, computes gradients or reads clocks:
 * the same inputs give the same bits on every machine and rank. docs/adaptive.md is the guide,
 * examples/adaptive_batches.c a complete program. In outline:
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
 *     // p -= lr(batch.samples_before) * batch.lr_scale * gradient / batch.real
 *     gossBatchPlannerRecord(planner, step, rank, nranks, losses, batch.slots);
 *   }
 *   gossBatchPlannerEndEpoch(planner);
 * }
 * @endcode
 *
 * Buckets are numbered from 0, the one with the smallest batches (the hardest samples unless
 * reversed); epochs and steps from 0. `count` and `capacity` are elements, a name with `_bytes` is
 * bytes; losses are those of single samples, not weighted. What is passed in is copied. An object
 * belongs to one thread at a time; different objects are independent. Calls whose names have Get
 * change nothing. Unless it is said, nothing has changed after an error; gossGetLastError(NULL)
 * has the sentence. gossInvalidArgument for NULL, and for a `size` that was not filled in, is not
 * repeated below. Structures with a `size` only grow at their ends, the others do not change.
 */
#ifndef GOSSAMER_ADAPTIVE_H_
#define GOSSAMER_ADAPTIVE_H_

#include <stddef.h>
#include <stdint.h>

#include "gossamer/gossamer.h"

#ifdef __cplusplus
extern "C" {
#endif

#define GOSS_MAX_BUCKETS 8
/** In place of a sample where a rank has none at all; its weight is 0. */
#define GOSS_NO_SAMPLE UINT32_MAX

/* ------------------------------------------------------------------ learning rate -------- */

/** How the learning rate follows the batch: factor g of r = batch / reference batch. */
typedef enum {
  gossLrLinear = 0,  /**< g = r: every sample weighs the same in an epoch; for SGD */
  gossLrSqrt = 1,    /**< g = sqrt(r): samples of small batches weigh more; for Adam */
  gossLrConstant = 2 /**< g = 1: samples of small batches weigh r times as much */
} gossLrRule_t;

/**
 * The factor g(batch / reference); linear and constant exact, the root correctly rounded.
 * Errors: gossInvalidArgument (0 samples, an unknown rule).
 */
GOSS_API gossResult_t gossLrScale(gossLrRule_t rule, uint64_t batch, uint64_t reference,
                                  double* scale);

/**
 * AdaScale (Johnson et al. 2020): a factor between 1 and r that is as large as the noise of the
 * gradient allows. This is the running estimate of signal and noise; keep one per bucket, their
 * noise differs. Plain data: start from GOSS_ADASCALE_INITIALIZER, copy it into a checkpoint.
 */
typedef struct {
  size_t size;     /**< sizeof(gossAdaScale_t) as the caller was compiled */
  double weight;   /**< of all that was taken in; the two sums divided by it are the estimates */
  double signal;   /**< sum of: squared norm of the true gradient */
  double variance; /**< sum of: squared norm of the noise of a gradient of the reference batch */
} gossAdaScale_t;

#define GOSS_ADASCALE_INITIALIZER \
  { sizeof(gossAdaScale_t), 0, 0, 0 }

/** Squared norms of one step's gradients, each a mean over its samples. */
typedef struct {
  int parts; /**< gradients that were averaged, of equally many samples: ranks; 2 or more */
  double part_squares; /**< mean of the parts' squared norms; all-reduce it */
  double mean_squares; /**< squared norm of the mean of the parts */
  double batch_ratio;  /**< samples of all parts / reference batch: gossBatch_t::batch_ratio */
} gossGradientNorms_t;

/**
 * Take a step in, weighted by 1 - 0.999^batch_ratio against all before it. With one rank and no
 * accumulation the parts are the gradients of the last two steps, and batch_ratio is twice that of
 * one. All ranks give the same numbers.
 * Errors: gossInvalidArgument (parts below 2, a number that is negative or not finite, ratio 0).
 */
GOSS_API gossResult_t gossAdaScaleUpdate(gossAdaScale_t* estimate,
                                         const gossGradientNorms_t* norms);
/**
 * The factor (variance + signal) / (variance / batch_ratio + signal); 1 before the first update.
 * The learning rate is multiplied by 1 + (gain - 1) * gossBatch_t::lr_ramp; with Adam by the root
 * of that.
 * Errors: gossInvalidArgument (a ratio that is not above 0, an estimate that is none).
 */
GOSS_API gossResult_t gossAdaScaleGain(const gossAdaScale_t* estimate, double batch_ratio,
                                       double* gain);

/* ------------------------------------------------------------------ batch planner -------- */

typedef struct gossBatchPlanner* gossBatchPlanner_t;

/** Which samples meet in which batches. */
typedef enum {
  gossBatchFixed = 0,    /**< random samples, batches of referenceBatch */
  gossBatchAdaptive = 1, /**< buckets by loss, hard samples in small batches */
  gossBatchRandom = 2,   /**< the batches of adaptive, samples at random (a control) */
  gossBatchReversed = 3, /**< the batches of adaptive, easy samples in the small ones (a control) */
  gossBatchSorted = 4,   /**< the buckets of adaptive, all batches of referenceBatch (a control) */
  gossBatchGrowth = 5,   /**< random samples, batches that grow with the epochs (AdaBatch) */
  gossBatchInfoBatch = 6 /**< random samples, some easy ones left out (InfoBatch) */
} gossBatchMode_t;

/** Options of a batch planner. Start from GOSS_BATCH_CONFIG_INITIALIZER and set `samples`. Batch
 * sizes are global, of all ranks together, and need not divide anything. */
typedef struct {
  size_t size;          /**< sizeof(gossBatchConfig_t) as the caller was compiled */
  unsigned int magic;   /**< GOSS_API_MAGIC */
  unsigned int version; /**< GOSS_VERSION_CODE as the caller was compiled */
  gossBatchMode_t mode;
  uint64_t samples;   /**< of the data set; with `sharded`, of this rank. Below 2^32 - 1 */
  uint64_t seed;      /**< of all shuffles */
  int sharded;        /**< 0: every rank can read every sample. 1: each rank has its own */
  int rank;           /**< with `sharded` */
  int nranks;         /**< with `sharded` */
  int warmupEpochs;   /**< epochs of random batches of referenceBatch before buckets are formed */
  int referenceBatch; /**< the batch that the learning rate is for; 0: batch[0] */
  int batchMin;       /**< smaller batches become so large; 0: no bound */
  int batchMax;       /**< larger batches become so small, growth ends there; 0: no bound */
  int buckets;        /**< 1 to GOSS_MAX_BUCKETS */
  double share[GOSS_MAX_BUCKETS]; /**< of the samples, hardest first; their sum is 1 */
  int batch[GOSS_MAX_BUCKETS];    /**< batch sizes, ascending */
  double trim;         /**< this share with the highest losses goes to the last bucket instead */
  double lossDecay;    /**< loss = lossDecay * loss before + (1 - lossDecay) * this epoch's */
  gossLrRule_t lrRule; /**< of gossBatch_t::lr_scale */
  double lrScaleMax;   /**< bound of gossBatch_t::lr_scale; 0: none */
  int lrRamp;          /**< 1: lr_scale goes from 1 to its rule in the first epoch of buckets */
  int correctWeights;  /**< 1: weights undo what a rule other than linear does to samples */
  int guardPatience;   /**< of gossBatchPlannerGuard, epochs; 0: it never acts */
  int growthEvery;     /**< growth: epochs of one size, from the end of warm-up */
  double growthFactor; /**< growth: from one size to the next */
  double infoPrune;    /**< InfoBatch: share of the easy samples that is left out */
  double infoFull;     /**< InfoBatch: share of the epochs, at the end, with all samples */
  int epochs;          /**< InfoBatch: number of epochs; 0: leave out to the end */
} gossBatchConfig_t;

#define GOSS_BATCH_CONFIG_INITIALIZER                                                            \
  {                                                                                              \
    sizeof(gossBatchConfig_t), GOSS_API_MAGIC, GOSS_VERSION_CODE, gossBatchAdaptive, 0, 0, 0, 0, \
        1, 2, 0, 0, 0, 3, {0.25, 0.25, 0.5, 0, 0, 0, 0, 0}, {32, 64, 256, 0, 0, 0, 0, 0}, 0.05,  \
        0.5, gossLrLinear, 0.0, 1, 0, 2, 10, 2.0, 0.5, 0.125, 0                                  \
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
  uint64_t hash;      /**< of the batches and, unless sharded, their samples; equal on all ranks */
  uint64_t next_step; /**< one behind the last step that was recorded: where to go on */
  double excess;      /**< share of the hard bucket that the guard has sent to random batches */
  int buckets;        /**< 1 in epochs of random batches of one size */
} gossEpoch_t;

/** One batch. Fill in `size` before the call. */
typedef struct {
  size_t size;             /**< sizeof(gossBatch_t) as the caller was compiled */
  int bucket;              /**< 0: smallest batches */
  uint64_t real;           /**< samples of all ranks; divide the summed gradient by it */
  uint64_t slots;          /**< entries of every rank, padding included */
  uint64_t samples_before; /**< seen before this batch: index learning-rate schedules by it */
  double batch_ratio;      /**< real / referenceBatch */
  double lr_ramp;          /**< 1, but rising from 0 to 1 in the first epoch of buckets (lrRamp) */
  double lr_scale;         /**< 1 + (g(batch_ratio) - 1) * lr_ramp, at most lrScaleMax */
} gossBatch_t;

/** A bucket of the planned epoch, and the losses by which it was formed, without those that were
 * trimmed or never seen. */
typedef struct {
  uint64_t samples; /**< that take part, of all ranks */
  uint64_t steps;   /**< batches */
  uint64_t losses;  /**< number of losses behind the four numbers below, which are 0 when it is */
  double mean;
  double p10; /**< a tenth of the losses is not above it */
  double p50;
  double p90;
  int batch; /**< batch size */
} gossBucket_t;

/**
 * Make a planner. The config is the same on every rank, but for rank and, with `sharded`, samples.
 * Errors: gossInvalidArgument (a field outside its range, naming it), gossSystemError (memory).
 */
GOSS_API gossResult_t gossBatchPlannerCreate(gossBatchPlanner_t* planner,
                                             const gossBatchConfig_t* config);
/** Free a planner, at any time. NULL: success. */
GOSS_API gossResult_t gossBatchPlannerDestroy(gossBatchPlanner_t planner);

/**
 * The next buffer that the ranks must all-reduce before the epoch can begin: after create and after
 * gossBatchPlannerEndEpoch. Call it, all-reduce in place, call it again, until count is 0. Counts,
 * types and operations are the same on every rank; one rank alone need not reduce anything.
 * The losses travel here (4 bytes per sample; with `sharded` a histogram and the counts of
 * buckets), then the hash of the plan, so ranks that would train differently are told. Only maxima
 * and sums of integers: any all-reduce will do.
 * Errors: gossInvalidArgument (a loss that is no finite number, naming the sample),
 * gossInvalidUsage (the ranks' plans differ; 2^32 - 1 samples or more). Both stay.
 */
GOSS_API gossResult_t gossBatchPlannerExchange(gossBatchPlanner_t planner,
                                               gossExchange_t* exchange);

/** What is planned. Errors: gossInvalidUsage (exchange first). */
GOSS_API gossResult_t gossBatchPlannerGetEpoch(gossBatchPlanner_t planner, gossEpoch_t* epoch);

/**
 * The *count buckets of the planned epoch, equal on all ranks: the input of gossPrecisionDecide.
 * With `sharded` the four numbers come from a histogram with eight classes per octave between
 * 2^-20 and 2^12: within 1/16 of the true ones.
 * Errors: gossInvalidArgument (capacity below the number of buckets), gossInvalidUsage (exchange
 * first).
 */
GOSS_API gossResult_t gossBatchPlannerGetBuckets(gossBatchPlanner_t planner, gossBucket_t* buckets,
                                                 size_t capacity, size_t* count);

/** The options of a planner, for one that was restored. Fill in `size` before the call. */
GOSS_API gossResult_t gossBatchPlannerGetConfig(gossBatchPlanner_t planner,
                                                gossBatchConfig_t* config);

/**
 * Batch `step` of the epoch as rank `rank` of `nranks` sees it; steps in any order.
 *
 * A bucket's samples are spread evenly over its batches. Rank r has elements r, r + nranks, .. of a
 * batch; with `sharded` those of its own samples that are in it. Slots that only fill up a rank's
 * share repeat another sample with weight 0. All other weights are 1, except with InfoBatch
 * (samples that stand for those left out) and correctWeights. Over an epoch every sample that takes
 * part appears with a weight once, over all ranks.
 *
 * Without `sharded` rank and nranks may change at any step: the plan does not depend on them, so
 * survivors share the samples of a rank that died.
 *
 * samples (indices below config.samples) and weights have room for `capacity`, batch->slots are
 * written; both may be NULL.
 * Errors: gossInvalidArgument (step, rank, capacity below slots), gossInvalidUsage (exchange
 * first).
 */
GOSS_API gossResult_t gossBatchPlannerGetBatch(gossBatchPlanner_t planner, uint64_t step, int rank,
                                               int nranks, gossBatch_t* batch, uint32_t* samples,
                                               float* weights, size_t capacity);

/**
 * Take in the losses that the samples of gossBatchPlannerGetBatch had in the forward pass, `count`
 * = batch.slots of them; those of padding are ignored. Steps in any order; a sample that is
 * recorded again is overwritten.
 * Errors: as GetBatch; gossInvalidArgument (count; a loss that is no finite number, naming sample,
 * epoch and step: nothing else of this call is taken, the next exchange says it on all ranks).
 */
GOSS_API gossResult_t gossBatchPlannerRecord(gossBatchPlanner_t planner, uint64_t step, int rank,
                                             int nranks, const float* losses, size_t count);

/**
 * The guard against wrong labels, in mode adaptive: show it the validation losses once per epoch,
 * before EndEpoch, the same samples in the same order in every epoch and on every rank.
 *
 * It follows the hard part of the held-out samples: the share[0] of them with the highest losses
 * in the epochs of warm-up (of the first call without). When their mean loss has not fallen below
 * its best value (paired differences, 95 %) for guardPatience epochs, what the hard bucket learns
 * does not carry over. Then the half of its samples with the highest losses, later all, are the
 * excess: from the next plan on they change places with samples drawn at random. Sizes and numbers
 * of batches stay. gossEpoch_t::excess tells.
 * Errors: gossInvalidArgument (another count than before, a loss that is no finite number, naming
 * the sample), gossInvalidUsage (exchange first).
 */
GOSS_API gossResult_t gossBatchPlannerGuard(gossBatchPlanner_t planner, const float* losses,
                                            size_t count);

/**
 * End the epoch: what was recorded becomes the next plan. Samples that were not recorded keep their
 * earlier loss; those never seen come first. Run gossBatchPlannerExchange next.
 * Errors: gossInvalidUsage (exchange first).
 */
GOSS_API gossResult_t gossBatchPlannerEndEpoch(gossBatchPlanner_t planner);

/**
 * Save a planner, at any step of an epoch: *bytes, about 8 per sample. What this rank has recorded
 * is part of it. With state NULL only *bytes is written.
 * Errors: gossInvalidArgument (capacity_bytes, saying how much is needed), gossInvalidUsage (not
 * between EndEpoch and the end of the exchange).
 */
GOSS_API gossResult_t gossBatchPlannerSave(gossBatchPlanner_t planner, void* state,
                                           size_t capacity_bytes, size_t* bytes);
/**
 * Make a planner, config and all, from a state that was saved on any machine. It goes on bit for
 * bit, without an exchange.
 * Errors: gossInvalidArgument (truncated, damaged, of another object or version, with a field that
 * cannot be: saying which, and at which byte), gossSystemError (memory).
 */
GOSS_API gossResult_t gossBatchPlannerRestore(gossBatchPlanner_t* planner, const void* state,
                                              size_t bytes);

/* ------------------------------------------------------------------ precision ------------ */

typedef struct gossPrecision* gossPrecision_t;

/** What the bits of a bucket follow. Epochs always count: see reduceEvery. */
typedef enum {
  gossPrecisionCombined = 0, /**< the root of level times flatness */
  gossPrecisionLevel = 1,    /**< the mean loss, relative to the first epoch of buckets */
  gossPrecisionFlatness = 2, /**< (p90 - p10) / p50 of the losses, likewise */
  gossPrecisionEpochs = 3    /**< nothing else */
} gossPrecisionRule_t;

/** Options of a precision controller. Start from GOSS_PRECISION_CONFIG_INITIALIZER. Bits, per
 * element of the gradient, are 8, 6, 5, 4, 3 or 2. */
typedef struct {
  size_t size;          /**< sizeof(gossPrecisionConfig_t) as the caller was compiled */
  unsigned int magic;   /**< GOSS_API_MAGIC */
  unsigned int version; /**< GOSS_VERSION_CODE as the caller was compiled */
  gossPrecisionRule_t rule;
  int buckets;        /**< of the epochs after warm-up, 1 to GOSS_MAX_BUCKETS */
  int warmupEpochs;   /**< epochs with warmupBits; the planner's */
  int warmupBits;     /**< 32 or 16: not compressed; or of the above */
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
  int reduce_every;           /**< now */
  uint64_t resets;            /**< so far */
  uint64_t best_epoch;        /**< with the lowest mean validation loss */
  double loss;                /**< mean validation loss */
  double rise;                /**< mean paired difference to the best epoch */
  double bound;               /**< lower 95 % bound of the rise, above 0 in an alarm; 0 where there
                                 are too few epochs to tell */
} gossDecision_t;

/**
 * Make a precision controller. The config is the same on every rank.
 * Errors: gossInvalidArgument (a field outside its range, naming it), gossSystemError (memory).
 */
GOSS_API gossResult_t gossPrecisionCreate(gossPrecision_t* controller,
                                          const gossPrecisionConfig_t* config);
/** Free a controller, at any time. NULL: success. */
GOSS_API gossResult_t gossPrecisionDestroy(gossPrecision_t controller);

/**
 * End an epoch and decide the bits of the next one, once per epoch, with the buckets of the epoch
 * to come. All ranks give the same inputs and come to the same decision.
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
 * buckets: the `nbuckets` of gossBatchPlannerGetBuckets, ignored while the epoch to come is one of
 * warm-up, else config.buckets. losses: `count`, the same samples in the same order in every epoch;
 * 0: the epoch was not validated.
 * Errors: gossInvalidArgument (another count than before, a number that is not finite, naming the
 * sample or the bucket).
 */
GOSS_API gossResult_t gossPrecisionDecide(gossPrecision_t controller, const gossBucket_t* buckets,
                                          size_t nbuckets, const float* losses, size_t count,
                                          gossDecision_t* decision);

/**
 * The bits of the epoch to come (room for GOSS_MAX_BUCKETS; config.buckets are written), also
 * before the first decision; and a hash of the controller's state, equal when all ranks are in
 * step. Either may be NULL.
 */
GOSS_API gossResult_t gossPrecisionGetBits(gossPrecision_t controller, int* bits, uint64_t* hash);

/**
 * The log: a line of JSON with the config, and one with the last decision and all it rests on (""
 * before the first), for a file that gossPrecisionReplay checks. Each ends in a newline and a 0;
 * either may be NULL. The texts are the controller's, valid until its next gossPrecisionDecide.
 */
GOSS_API gossResult_t gossPrecisionGetLog(gossPrecision_t controller, const char** header,
                                          const char** line);
/**
 * Decide again from a log of `bytes`, header line first, and compare character by character. A last
 * line without its newline is left out. *decisions, which may be NULL: lines that agree.
 * Errors: gossInvalidArgument (a line that cannot be read, naming it), gossInvalidUsage (a line
 * that comes out differently, with both).
 */
GOSS_API gossResult_t gossPrecisionReplay(const char* log, size_t bytes, uint64_t* decisions);

/** As gossBatchPlannerSave, at any time: about 4 bytes per validation sample. */
GOSS_API gossResult_t gossPrecisionSave(gossPrecision_t controller, void* state,
                                        size_t capacity_bytes, size_t* bytes);
/** As gossBatchPlannerRestore. */
GOSS_API gossResult_t gossPrecisionRestore(gossPrecision_t* controller, const void* state,
                                           size_t bytes);

#ifdef __cplusplus
}
#endif

#endif /* GOSSAMER_ADAPTIVE_H_ */
