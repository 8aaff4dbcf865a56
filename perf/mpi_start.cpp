// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "mpi_start.h"

#ifdef GOSS_PERF_MPI
#include <gossamer/gossamer_mpi.h>

#include <cstdlib>
#include <string>

#include "crew.h"

namespace goss::perf {

namespace {

// The variable by which the mpirun of this MPI tells a process the number of ranks. A process that
// was started by another MPI's mpirun would believe itself alone.
#if defined(OPEN_MPI)
constexpr const char* kSizeVariable = "OMPI_COMM_WORLD_SIZE";
#else
constexpr const char* kSizeVariable = "PMI_SIZE";
#endif

bool initialised = false;

}  // namespace

bool started_by_own_mpi() { return std::getenv(kSizeVariable) != nullptr; }

gossComm_t join_by_mpi(gossConfig_t* config) {
  int provided = 0;
  if (MPI_Init_thread(nullptr, nullptr, MPI_THREAD_FUNNELED, &provided) != MPI_SUCCESS) {
    throw Failure("MPI_Init_thread failed");
  }
  initialised = true;
  int nranks = 0;
  int rank = 0;
  MPI_Comm_size(MPI_COMM_WORLD, &nranks);
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  if (std::to_string(nranks) != std::getenv(kSizeVariable)) {
    throw Failure(std::string("MPI sees ") + std::to_string(nranks) + " ranks, but " +
                  kSizeVariable + "=" + std::getenv(kSizeVariable) +
                  ": was the tool started by the mpirun of the MPI it was built with?");
  }
  gossComm_t comm = nullptr;
  check(gossCommInitMpi(&comm, MPI_COMM_WORLD, config), "gossCommInitMpi", rank, comm);
  return comm;
}

void leave_mpi() {
  if (initialised) MPI_Finalize();
}

}  // namespace goss::perf

#else

namespace goss::perf {

bool started_by_own_mpi() { return false; }
gossComm_t join_by_mpi(gossConfig_t*) { return nullptr; }
void leave_mpi() {}

}  // namespace goss::perf

#endif
