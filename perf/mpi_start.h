// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Starting under mpirun with the MPI that this tool was built with (GOSS_PERF_MPI). Under another
// MPI's mpirun, or without MPI, the environment start is used instead.
#pragma once

#include "gossamer/gossamer.h"

namespace goss::perf {

// Whether this process was started by the mpirun of the MPI it was built with.
bool started_by_own_mpi();

// One rank per process, in the order of MPI_COMM_WORLD. Initialises MPI. Throws a Failure.
gossComm_t join_by_mpi(gossConfig_t* config);

// Finalises MPI if join_by_mpi initialised it.
void leave_mpi();

}  // namespace goss::perf
