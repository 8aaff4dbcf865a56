/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The Gossamer authors */
/* A program that has MPI makes a communicator from MPI_COMM_WORLD, and uses both.
 *   mpicc mpi_start.c -lgossamer_mpi -lgossamer -o mpi_start && mpirun -np 4 ./mpi_start */
#include <gossamer/gossamer_mpi.h>
#include <stdio.h>

int main(int argc, char** argv) {
  MPI_Init(&argc, &argv);
  gossComm_t comm;
  gossResult_t result = gossCommInitMpi(&comm, MPI_COMM_WORLD, NULL);
  int rank = 0;
  if (result == gossSuccess) {
    gossCommUserRank(comm, &rank);
    double mine = rank + 1;
    double by_gossamer = 0;
    double by_mpi = 0;
    result = gossAllReduce(&mine, &by_gossamer, 1, gossDouble, gossSum, comm, NULL);
    MPI_Allreduce(&mine, &by_mpi, 1, MPI_DOUBLE, MPI_SUM, MPI_COMM_WORLD);
    if (rank == 0) printf("Gossamer %g, MPI %g\n", by_gossamer, by_mpi);
    gossCommDestroy(comm);
  }
  if (result != gossSuccess) fprintf(stderr, "%s\n", gossGetLastError(NULL));
  MPI_Finalize();
  return result != gossSuccess;
}
