// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// This process among the others: two communicators over the same ranks. Models and gradients have
// their own, so its statistics count them and nothing else; everything the ranks agree on, such as
// losses, plans and when to stop, travels on the other one.
//
// Where the death of a rank is to be survived, the second one shrinks to the survivors inside of
// the operation that met the death. Then these hold:
//   - every operation has one result, the same on all survivors: with what the dead rank gave, or
//     without it. What the ranks decide by results they decide alike;
//   - rank() and count() change only inside of operations, on each rank in the one in which it met
//     the death: of two ranks one may know an operation earlier than the other.
#pragma once

#include <gossamer/gossamer.h>

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

namespace goss::train {

class Ranks {
 public:
  // Joins the ranks that mpirun, torchrun or srun has started; without a launcher, one rank alone.
  explicit Ranks(bool survive = false);
  ~Ranks();
  Ranks(const Ranks&) = delete;
  Ranks& operator=(const Ranks&) = delete;

  // Among the living.
  int rank() const { return rank_; }
  int count() const { return static_cast<int>(living_.size()); }
  // As they were at the start.
  int first_rank() const { return living_[static_cast<size_t>(rank_)]; }
  std::vector<int> lost() const;
  // How often ranks were lost.
  int generation() const { return generation_; }

  gossComm_t gradients() const { return gradients_; }

  // In place over all ranks.
  void all_reduce(void* values, size_t count, gossDataType_t type, gossRedOp_t op);
  void sum(std::span<float> values);
  void sum(std::span<double> values);
  int64_t max(int64_t value);
  int64_t min(int64_t value) { return -max(-value); }

  // The sum over all ranks of what `share` writes for each into zeros. When a rank was lost
  // meanwhile it is done again, so that what was divided by rank() and count() is complete.
  void gather(std::span<float> values, const std::function<void(std::span<float>)>& share);

  // Throws Failure naming `what` unless all ranks have the same number.
  void expect_equal(uint64_t number, const char* what);

  // For a clean end: waits for the others. Not called when an error has ended the training.
  void finalize();

 private:
  // After a death: true when a survivor has completed the operation; its result is in `values`.
  bool recover(std::span<uint8_t> values);
  void shrink();

  bool survive_;
  gossComm_t gradients_ = nullptr;
  gossComm_t control_ = nullptr;
  int rank_ = 0;
  std::vector<int> living_;  // their numbers at the start
  int started_ = 1;
  int generation_ = 0;
  int64_t completed_ = 0;        // operations
  std::vector<uint8_t> input_;   // of the running operation
  std::vector<uint8_t> result_;  // of the last one that was completed
  bool mpi_ = false;
};

}  // namespace goss::train
