/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The Gossamer authors */
/**
 * A compressed all-reduce: each rank averages the same vector a number of times in 4 bits, without
 * and with error feedback, and prints what the library promises and what was left of the error.
 *
 * cc compressed_all_reduce.c -lgossamer -lm, then mpirun -np 4 ./a.out
 */
#include <gossamer/compression.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { COUNT = 50000, STEPS = 50 };

static void check(gossResult_t result) {
  if (result == gossSuccess) return;
  fprintf(stderr, "%s\n", gossGetLastError(NULL));
  exit(1);
}

static float gradient(int rank, int i) { return sinf((float)i * 0.37f + (float)rank); }

/* Root of the mean squared distance of the mean over all steps from the exact average. */
static double average(gossComm_t comm, gossFeedback_t feedback, gossErrorReport_t* report) {
  static float x[COUNT];
  static double sum[COUNT];
  int rank, nranks;
  check(gossCommUserRank(comm, &rank));
  check(gossCommCount(comm, &nranks));
  for (int i = 0; i < COUNT; ++i) sum[i] = 0;
  for (int step = 0; step < STEPS; ++step) {
    for (int i = 0; i < COUNT; ++i) x[i] = gradient(rank, i);
    gossCollConfig_t config = GOSS_COLL_CONFIG_INITIALIZER;
    config.codec = "int4";
    config.feedback = feedback;
    config.report = report;
    check(gossAllReduceConfig(x, x, COUNT, gossFloat, gossAvg, comm, NULL, &config));
    for (int i = 0; i < COUNT; ++i) sum[i] += (double)x[i];
  }
  double squares = 0;
  for (int i = 0; i < COUNT; ++i) {
    double exact = 0;
    for (int r = 0; r < nranks; ++r) exact += (double)gradient(r, i) / nranks;
    squares += (sum[i] / STEPS - exact) * (sum[i] / STEPS - exact);
  }
  return sqrt(squares / COUNT);
}

int main(void) {
  gossComm_t comm;
  check(gossCommInitEnv(&comm, NULL));
  int rank;
  check(gossCommUserRank(comm, &rank));
  gossErrorReport_t report = {0};
  report.size = sizeof(report);
  gossFeedback_t feedback;
  check(gossFeedbackCreate(&feedback, COUNT, gossFeedbackFloat32));
  const double without = average(comm, NULL, &report);
  if (rank == 0) {
    printf("codec %s: no element further off than %.3f, %.1f times fewer bytes\n", report.codec,
           report.bound,
           report.sentBytes > 0 ? (double)report.plainBytes / (double)report.sentBytes : 1.0);
  }
  const double with = average(comm, feedback, &report);
  if (rank == 0) {
    printf("after %d steps %s\n", STEPS,
           with < without / 5 ? "feedback has removed more than 4/5 of the error"
           : without < 1e-6   ? "there is no error"
                              : "feedback has not helped");
  }
  check(gossFeedbackDestroy(feedback));
  check(gossCommDestroy(comm));
  return 0;
}
