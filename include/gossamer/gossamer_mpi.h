/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The Gossamer authors */
/**
 * A communicator from an MPI communicator. Link libgossamer_mpi as well. MPI is used to exchange
 * the unique id and then left alone: it may be finalized while the communicator lives.
 */
#ifndef GOSSAMER_MPI_H_
#define GOSSAMER_MPI_H_

#include <gossamer/gossamer.h>
#include <mpi.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Join a new communicator with the ranks of `mpi_comm`, in their order. Collective over `mpi_comm`;
 * MPI must be initialised. `config` may be NULL.
 * Errors: gossInvalidArgument (comm NULL), gossInvalidUsage (MPI is not initialised),
 * gossSystemError (an MPI call failed and `mpi_comm` has an error handler that returns); for these
 * there is no text. Otherwise those of gossCommInitRankConfig. If rank 0 cannot make the id, all
 * ranks get its code.
 */
GOSS_API gossResult_t gossCommInitMpi(gossComm_t* comm, MPI_Comm mpi_comm, gossConfig_t* config);

#ifdef __cplusplus
}
#endif

#endif /* GOSSAMER_MPI_H_ */
