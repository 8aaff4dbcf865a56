/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The Gossamer authors */
/* The program of README.md, printed as there. Start it with `mpirun -np 4 ./hello`, torchrun, srun,
   or alone. */
/* clang-format off */
#include <gossamer/gossamer.h>
#include <stdio.h>

int main(void) {
  gossComm_t comm;
  if (gossCommInitEnv(&comm, NULL) != gossSuccess) {
    fprintf(stderr, "%s\n", gossGetLastError(NULL));
    return 1;
  }
  int rank, nranks;
  gossCommUserRank(comm, &rank);
  gossCommCount(comm, &nranks);
  float x[4] = {rank, rank + 1, rank + 2, rank + 3};
  gossResult_t result = gossAllReduce(x, x, 4, gossFloat, gossSum, comm, NULL);
  if (result != gossSuccess) fprintf(stderr, "%s\n", gossGetLastError(comm));
  else printf("rank %d of %d: %g %g %g %g\n", rank, nranks, x[0], x[1], x[2], x[3]);
  gossCommDestroy(comm);
  return result != gossSuccess;
}
