// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// libgossamer_mpi: the only part that links MPI, which carries the unique id and nothing else.
// Built on the public API.
#include "gossamer/gossamer_mpi.h"

namespace {

// A code for all ranks: MPI reductions would need every rank to get there, so rank 0's id comes
// with its code.
struct Invitation {
  int code;
  gossUniqueId id;
};

}  // namespace

extern "C" gossResult_t gossCommInitMpi(gossComm_t* comm, MPI_Comm mpi_comm, gossConfig_t* config) {
  if (comm == nullptr) return gossInvalidArgument;
  *comm = nullptr;
  int initialized = 0;
  int finalized = 0;
  if (MPI_Initialized(&initialized) != MPI_SUCCESS || MPI_Finalized(&finalized) != MPI_SUCCESS) {
    return gossSystemError;
  }
  if (initialized == 0 || finalized != 0) return gossInvalidUsage;
  int rank = 0;
  int nranks = 0;
  if (MPI_Comm_rank(mpi_comm, &rank) != MPI_SUCCESS ||
      MPI_Comm_size(mpi_comm, &nranks) != MPI_SUCCESS) {
    return gossSystemError;
  }
  Invitation invitation{};
  if (rank == 0) invitation.code = gossGetUniqueId(&invitation.id);
  if (MPI_Bcast(&invitation, sizeof(invitation), MPI_BYTE, 0, mpi_comm) != MPI_SUCCESS) {
    return gossSystemError;
  }
  if (invitation.code != gossSuccess) return static_cast<gossResult_t>(invitation.code);
  return gossCommInitRankConfig(comm, nranks, invitation.id, rank, config);
}
