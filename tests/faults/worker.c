/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The Gossamer authors */
/* A rank for mpirun: works for ever, and leaves a file named after its pid in the directory given
 * once it is at work. Started by left_behind_test.cpp. */
#include "mpirun_rank.h"

static float data[65536];

int main(int argc, char** argv) {
  gossComm_t comm;
  if (argc != 2 || !check(gossCommInitEnv(&comm, NULL))) return 1;
  for (long i = 0; i < 100000000; ++i) {
    size_t count = i % 2 == 0 ? 2 : 65536;
    if (!check(gossAllReduce(data, data, count, gossFloat, gossMax, comm, NULL))) return 1;
    if (i == 20) tell(argv[1]);
  }
  return 0;
}
