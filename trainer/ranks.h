// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// This process among the others: two communicators over the same ranks. Gradients have their own,
// so its statistics count gradients and nothing else.
#pragma once

#include <gossamer/gossamer.h>

#include <cstdint>
#include <span>

namespace goss::train {

class Ranks {
 public:
  // Joins the ranks that mpirun, torchrun or srun has started; without a launcher, one rank alone.
  Ranks();
  ~Ranks();
  Ranks(const Ranks&) = delete;
  Ranks& operator=(const Ranks&) = delete;

  int rank() const { return rank_; }
  int count() const { return count_; }
  gossComm_t gradients() const { return gradients_; }
  gossComm_t control() const { return control_; }

  // In place over all ranks, on the control communicator.
  void sum(std::span<float> values) const;
  void sum(std::span<double> values) const;
  void sum(std::span<uint8_t> values) const;
  int64_t max(int64_t value) const;
  int64_t min(int64_t value) const { return -max(-value); }
  void barrier() const;

  // Throws Failure naming `what` unless all ranks have the same number.
  void expect_equal(uint64_t number, const char* what) const;

  // For a clean end: waits for the others. Not called when an error has ended the training.
  void finalize();

 private:
  void reduce(void* values, size_t count, gossDataType_t type, gossRedOp_t op) const;

  gossComm_t gradients_ = nullptr;
  gossComm_t control_ = nullptr;
  int rank_ = 0;
  int count_ = 1;
  bool mpi_ = false;
};

}  // namespace goss::train
