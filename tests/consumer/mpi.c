/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The Gossamer authors */
#include <gossamer/gossamer_mpi.h>

int main(int argc, char** argv) {
  gossComm_t comm = GOSS_COMM_NULL;
  MPI_Init(&argc, &argv);
  gossResult_t result = gossCommInitMpi(&comm, MPI_COMM_WORLD, NULL);
  if (result == gossSuccess) result = gossCommDestroy(comm);
  MPI_Finalize();
  return (int)result;
}
