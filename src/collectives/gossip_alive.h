// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// AliveSet: which ranks take part. Gossip numbers the living ranks 0, 1, .. in rank order
// (positions), so that a schedule need not know who is missing. A value; every query is O(1) or
// O(log n) and allocates nothing.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/result.h"

namespace goss::collectives {

class AliveSet {
 public:
  static AliveSet all(int nranks);  // nranks >= 1
  // Refuses ranks outside 0..nranks-1, ranks named twice, and nobody at all.
  static Result<AliveSet> of(int nranks, std::span<const int> ranks);

  int nranks() const { return nranks_; }  // dead ones included
  int size() const { return size_; }      // living ones
  bool contains(int rank) const;
  int position(int rank) const;     // of a living rank
  int rank_at(int position) const;  // 0 <= position < size()

  AliveSet with(int rank) const;
  AliveSet without(int rank) const;

  // Equal on all ranks that hold the same set: what messages carry to compare epochs.
  uint64_t hash() const;
  bool operator==(const AliveSet&) const = default;

 private:
  explicit AliveSet(int nranks);
  void count();

  int nranks_;
  int size_ = 0;
  std::vector<uint64_t> words_;  // bit rank % 64 of word rank / 64
  std::vector<int> before_;      // living ranks in the words before this one
};

}  // namespace goss::collectives
