/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The Gossamer authors */
/**
 * Gossip in a complete program: every rank fits a line to noisy points of its own and mixes its
 * model with one other rank after every step. Nobody waits for all ranks.
 *
 * Build it with `cc gossip.c -lgossamer -lm`, start it alone or with
 * `mpirun --enable-recovery -np 4 ./a.out`: kill -9 one of the ranks, and the others finish.
 */
#include <gossamer/gossip.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { kSteps = 2000, kBatch = 16 };

static void check(gossResult_t result) {
  if (result == gossSuccess) return;
  fprintf(stderr, "%s\n", gossGetLastError(NULL));
  exit(1);
}

/* -1 to 1, another sequence on every rank. */
static double draw(uint64_t* state) {
  *state = *state * 6364136223846793005u + 1442695040888963407u;
  return (double)(int32_t)(*state >> 32) / 2147483648.0;
}

int main(void) {
  gossComm_t comm;
  check(gossCommInitEnv(&comm, NULL));
  int rank;
  check(gossCommUserRank(comm, &rank));

  gossGossipConfig_t config = GOSS_GOSSIP_CONFIG_INITIALIZER;
  config.globalEvery = 48; /* cheap insurance: now and then an exact mean */
  gossGossip_t gossip;
  check(gossGossipCreate(&gossip, comm, &config));

  double model[2] = {0, 0}; /* the same on every rank */
  uint64_t state = (uint64_t)rank + 1;
  gossGossipInfo_t info = {.size = sizeof(info)};
  for (uint64_t step = 0; step < kSteps; ++step) {
    /* A rank that was late and given up goes on where the others are. */
    check(gossGossipGetInfo(gossip, &info));
    if (info.living == 1 && info.newestStep > step) step = info.newestStep;
    double gradient[2] = {0, 0};
    for (int i = 0; i < kBatch; ++i) {
      const double x = draw(&state);
      const double y = 3 * x - 1 + 0.1 * draw(&state);
      const double error = model[0] * x + model[1] - y;
      gradient[0] += error * x / kBatch;
      gradient[1] += error / kBatch;
    }
    for (int j = 0; j < 2; ++j) model[j] -= 0.05 * gradient[j]; /* adapt, then combine */
    check(gossGossipMix(model, model, 2, gossDouble, step, gossip, NULL));
  }

  gossGossipStats_t stats = {.size = sizeof(stats)};
  check(gossGossipGetStats(gossip, &stats));
  printf("y = %.1f x + %.1f after %d steps\n", model[0], model[1], kSteps);
  check(gossGossipDestroy(gossip));
  check(gossCommDestroy(comm));
  return fabs(model[0] - 3) > 0.05 || fabs(model[1] + 1) > 0.05;
}
