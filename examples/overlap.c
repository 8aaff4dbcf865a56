/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The Gossamer authors */
/* Streams: gradients of one layer travel while those of the next are computed. The library's thread
 * does the moving; the optimizer waits for one layer at a time, by an event. */
#include <gossamer/gossamer.h>
#include <stdio.h>
#include <stdlib.h>

enum { kLayers = 8, kCount = 1 << 18 };

static void check(gossResult_t result) {
  if (result == gossSuccess) return;
  fprintf(stderr, "%s\n", gossGetLastError(NULL));
  exit(1);
}

/* In place of back-propagation. */
static void compute_gradient(float* gradient, int layer, int rank) {
  for (int i = 0; i < kCount; ++i) gradient[i] = (float)(layer + rank + i % 5);
}

int main(void) {
  gossComm_t comm;
  gossStream_t stream;
  gossEvent_t reduced[kLayers];
  float* gradients;
  int rank, nranks;
  check(gossCommInitEnv(&comm, NULL));
  check(gossCommUserRank(comm, &rank));
  check(gossCommCount(comm, &nranks));
  check(gossStreamCreate(&stream));
  /* Memory that peers use in place. */
  check(gossMemAlloc((void**)&gradients, sizeof(float) * kLayers * kCount));

  for (int layer = kLayers - 1; layer >= 0; --layer) {
    float* gradient = gradients + (size_t)layer * kCount;
    compute_gradient(gradient, layer, rank);
    /* Returns at once. */
    check(gossAllReduce(gradient, gradient, kCount, gossFloat, gossAvg, comm, stream));
    check(gossEventCreate(&reduced[layer]));
    check(gossEventRecord(reduced[layer], stream));
  }
  double sum = 0;
  for (int layer = kLayers - 1; layer >= 0; --layer) {
    check(gossEventSynchronize(reduced[layer])); /* others may still be on their way */
    for (int i = 0; i < kCount; ++i) sum += gradients[(size_t)layer * kCount + i];
    check(gossEventDestroy(reduced[layer]));
  }
  check(gossStreamSynchronize(stream)); /* would tell of a failure */

  /* The means of layer, rank and i % 5. */
  const double mean = (kLayers - 1) / 2.0 + (nranks - 1) / 2.0 + 2;
  if (rank == 0) printf("mean gradient %.3f, expected %.3f\n", sum / kLayers / kCount, mean);
  check(gossMemFree(gradients));
  check(gossStreamDestroy(stream));
  check(gossCommDestroy(comm));
  return 0;
}
