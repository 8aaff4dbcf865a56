/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The Gossamer authors */
/**
 * Adaptive mini-batching in a complete program: logistic regression on generated data, trained by
 * all ranks together. Samples with a high loss are in batches of 32, those with a low one in
 * batches of 256, so after two epochs of warm-up there are 56 % fewer updates and all-reduces.
 *
 * Build it with `cc adaptive_batches.c -lgossamer -lm`, start it alone or with
 * `mpirun -np 2 ./a.out`. What to copy: exchange(), train_epoch() and the loop in main().
 */
#include <gossamer/adaptive.h>
#include <gossamer/gossamer.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { kSamples = 8000, kTestSamples = 2000, kFeatures = 16, kEpochs = 8, kLargestBatch = 256 };

static const double kLearningRate = 0.5; /* for a batch of 32; batch.lr_scale does the rest */

static double features[kSamples + kTestSamples][kFeatures];
static double labels[kSamples + kTestSamples]; /* -1 or 1 */

static void check(gossResult_t result) {
  if (result == gossSuccess) return;
  fprintf(stderr, "%s\n", gossGetLastError(NULL));
  exit(1);
}

/* -1 to 1, the same on every rank. */
static double uniform(void) {
  static uint64_t state = 1;
  state = state * 6364136223846793005u + 1442695040888963407u;
  return (double)(state >> 11) * 0x1p-52 - 1;
}

/* Two clouds of points. Some points lie far from their cloud: a few samples are much harder. */
static void make_data(void) {
  for (int i = 0; i < kSamples + kTestSamples; ++i) {
    labels[i] = uniform() < 0 ? -1 : 1;
    const double hard = uniform();
    for (int f = 0; f < kFeatures; ++f) {
      features[i][f] = 0.2 * labels[i] + (0.3 + hard * hard) * uniform();
    }
  }
}

static double margin(const double* weights, size_t sample) {
  double sum = 0;
  for (int f = 0; f < kFeatures; ++f) sum += weights[f] * features[sample][f];
  return labels[sample] * sum;
}

/* What the ranks must tell each other before an epoch: once the losses, then a hash of the plan. */
static void exchange(gossBatchPlanner_t planner, gossComm_t comm) {
  for (;;) {
    gossExchange_t x;
    check(gossBatchPlannerExchange(planner, &x));
    if (x.count == 0) return;
    check(gossAllReduce(x.buffer, x.buffer, x.count, x.datatype, x.op, comm, NULL));
  }
}

static void train_epoch(gossBatchPlanner_t planner, gossComm_t comm, double* model) {
  int rank, nranks;
  check(gossCommUserRank(comm, &rank));
  check(gossCommCount(comm, &nranks));
  gossEpoch_t epoch = {.size = sizeof(epoch)};
  check(gossBatchPlannerGetEpoch(planner, &epoch));
  for (uint64_t step = 0; step < epoch.steps; ++step) {
    gossBatch_t batch = {.size = sizeof(batch)};
    uint32_t samples[kLargestBatch];
    float weights[kLargestBatch], losses[kLargestBatch];
    check(gossBatchPlannerGetBatch(planner, step, rank, nranks, &batch, samples, weights,
                                   kLargestBatch));
    double gradient[kFeatures] = {0}; /* of the sum of weight * loss, not of a mean */
    for (uint64_t i = 0; i < batch.slots; ++i) {
      const double m = margin(model, samples[i]);
      losses[i] = (float)log1p(exp(-m));
      const double slope = -labels[samples[i]] / (1 + exp(m)) * weights[i];
      for (int f = 0; f < kFeatures; ++f) gradient[f] += slope * features[samples[i]][f];
    }
    check(gossAllReduce(gradient, gradient, kFeatures, gossDouble, gossSum, comm, NULL));
    const double rate = kLearningRate * batch.lr_scale / (double)batch.real;
    for (int f = 0; f < kFeatures; ++f) model[f] -= rate * gradient[f];
    check(gossBatchPlannerRecord(planner, step, rank, nranks, losses, batch.slots));
  }
}

int main(void) {
  make_data();
  gossComm_t comm;
  check(gossCommInitEnv(&comm, NULL));
  int rank;
  check(gossCommUserRank(comm, &rank));
  gossBatchConfig_t config = GOSS_BATCH_CONFIG_INITIALIZER;
  config.samples = kSamples;
  config.seed = 1;
  gossBatchPlanner_t planner;
  check(gossBatchPlannerCreate(&planner, &config));

  double model[kFeatures] = {0};
  uint64_t updates = 0;
  for (int e = 0; e < kEpochs; ++e) {
    exchange(planner, comm);
    gossEpoch_t epoch = {.size = sizeof(epoch)};
    check(gossBatchPlannerGetEpoch(planner, &epoch));
    train_epoch(planner, comm, model);
    check(gossBatchPlannerEndEpoch(planner));
    updates += epoch.steps;
    if (rank == 0) printf("epoch %d: %d updates\n", e, (int)epoch.steps);
  }

  int right = 0;
  for (int i = kSamples; i < kSamples + kTestSamples; ++i) right += margin(model, (size_t)i) > 0;
  if (rank == 0) {
    printf("%.1f %% of held-out samples right after %d updates; batches of 32 take %d\n",
           100.0 * right / kTestSamples, (int)updates, kEpochs * kSamples / 32);
  }
  check(gossBatchPlannerDestroy(planner));
  check(gossCommDestroy(comm));
  return 0;
}
