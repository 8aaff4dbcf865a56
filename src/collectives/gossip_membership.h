// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Membership: what one rank believes about who takes part, and how beliefs are merged. Each rank
// has a version that only grows: even is alive, odd is dead. Whoever suspects a rank, admits one,
// or hears that it is itself thought dead, raises a version by one; merging takes the larger
// version of every rank. So merging is commutative, associative and repeatable, and all ranks that
// have heard the same news, in whatever order and how often, believe the same (as the incarnation
// numbers of SWIM: Das, Gupta, Motivala 2002). A value; travels in messages as its versions.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "collectives/gossip_alive.h"

namespace goss::collectives {

class Membership {
 public:
  explicit Membership(int nranks) : versions_(static_cast<size_t>(nranks), 0) {}

  int nranks() const { return static_cast<int>(versions_.size()); }
  bool is_alive(int rank) const { return versions_[static_cast<size_t>(rank)] % 2 == 0; }
  int living() const;
  // Refuses when nobody is left.
  Result<AliveSet> alive() const;

  // Each returns whether it changed anything.
  bool suspect(int rank);  // alive -> dead
  bool admit(int rank);    // dead -> alive: a joiner, or a rank that hears of its own death
  // Refuses versions of another number of ranks, and versions that no job reaches (above 2^31):
  // bytes from a peer are not trusted.
  Result<bool> merge(std::span<const uint32_t> versions);

  std::span<const uint32_t> versions() const { return versions_; }
  // Grows with every change; equal hashes mean equal beliefs.
  uint64_t epoch() const;
  uint64_t hash() const;
  bool operator==(const Membership&) const = default;

 private:
  std::vector<uint32_t> versions_;
};

}  // namespace goss::collectives
