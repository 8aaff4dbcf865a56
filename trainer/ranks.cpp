// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "ranks.h"

#include <cstdlib>

#include "check.h"
#ifdef GOSS_TRAIN_MPI
#include <gossamer/gossamer_mpi.h>
#endif

namespace goss::train {

namespace {

// Open MPI's variable; MPI is started only under the mpirun that this program was built for.
[[maybe_unused]] bool under_open_mpi() { return std::getenv("OMPI_COMM_WORLD_SIZE") != nullptr; }

}  // namespace

Ranks::Ranks() {
#ifdef GOSS_TRAIN_MPI
  if (under_open_mpi()) {
    int provided = 0;
    if (MPI_Init_thread(nullptr, nullptr, MPI_THREAD_FUNNELED, &provided) != MPI_SUCCESS) {
      throw Failure("MPI_Init_thread failed");
    }
    mpi_ = true;
    check(gossCommInitMpi(&gradients_, MPI_COMM_WORLD, nullptr), "gossCommInitMpi");
  }
#endif
  if (!mpi_) check(gossCommInitEnv(&gradients_, nullptr), "gossCommInitEnv");
  check(gossCommUserRank(gradients_, &rank_), "gossCommUserRank");
  check(gossCommCount(gradients_, &count_), "gossCommCount");
  check(gossCommSplit(gradients_, 0, rank_, &control_, nullptr), "gossCommSplit");
}

Ranks::~Ranks() {
  gossCommDestroy(control_);
  gossCommDestroy(gradients_);
#ifdef GOSS_TRAIN_MPI
  // After an error MPI would wait for ranks that are gone; mpirun cleans up.
  if (mpi_) MPI_Finalize();
#endif
}

void Ranks::finalize() {
  check(gossCommFinalize(control_), "gossCommFinalize", control_);
  check(gossCommFinalize(gradients_), "gossCommFinalize", gradients_);
}

void Ranks::reduce(void* values, size_t count, gossDataType_t type, gossRedOp_t op) const {
  check(gossAllReduce(values, values, count, type, op, control_, nullptr), "gossAllReduce",
        control_);
}

void Ranks::sum(std::span<float> values) const {
  reduce(values.data(), values.size(), gossFloat, gossSum);
}

void Ranks::sum(std::span<double> values) const {
  reduce(values.data(), values.size(), gossDouble, gossSum);
}

void Ranks::sum(std::span<uint8_t> values) const {
  reduce(values.data(), values.size(), gossUint8, gossSum);
}

int64_t Ranks::max(int64_t value) const {
  reduce(&value, 1, gossInt64, gossMax);
  return value;
}

void Ranks::barrier() const { check(gossBarrier(control_, nullptr), "gossBarrier", control_); }

void Ranks::expect_equal(uint64_t number, const char* what) const {
  const auto value = static_cast<int64_t>(number >> 1);  // -value must exist
  if (max(value) != min(value)) {
    throw Failure(std::string(what) + " differs between the ranks");
  }
}

}  // namespace goss::train
