/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The Gossamer authors */
/* A rank for mpirun: mixes 400 times. Rank 0 kills itself in the middle; the others leave a file
 * named after their pid in the directory given when they have finished. Started by
 * gossip_death_test.cpp. */
#include <gossamer/gossip.h>
#include <signal.h>

#include "mpirun_rank.h"

static float model[10000];

int main(int argc, char** argv) {
  gossComm_t comm;
  gossGossip_t gossip;
  int rank;
  if (argc != 2 || !check(gossCommInitEnv(&comm, NULL))) return 1;
  if (!check(gossCommUserRank(comm, &rank))) return 1;
  if (!check(gossGossipCreate(&gossip, comm, NULL))) return 1;
  for (uint64_t step = 0; step < 400; ++step) {
    if (rank == 0 && step == 123) raise(SIGKILL);
    if (!check(gossGossipMix(model, model, 10000, gossFloat, step, gossip, NULL))) return 1;
  }
  tell(argv[1]);
  if (!check(gossGossipDestroy(gossip)) || !check(gossCommDestroy(comm))) return 1;
  return 0;
}
