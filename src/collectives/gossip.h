// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// GossipSchedule: who mixes with whom in which step. A pure function of (options, step, alive set):
// every rank can compute everybody's peers and weights for any step, past or future, without a
// message, and the executor asks the same functions. Queries are O(log n) and allocate nothing.
//
//   x_i <- (own_parts * x_i + sum over receives of parts * x_peer) / total_parts
//
// Weights are small integers over a common total: a rounded 1/3 would make all models a little
// larger in every step. The matrices of all topologies but fold have columns that sum to one as
// well as rows: the mean is kept in every step. A fold keeps it over its rounds.
//
// A step is one of the caller's training steps and has rounds() exchanges (one, but for fold).
// Period p is the steps [p * period(), (p + 1) * period()); partners rotate and alive sets change
// between periods.
#pragma once

#include <cstdint>
#include <vector>

#include "base/result.h"
#include "collectives/gossip_alive.h"
#include "collectives/gossip_options.h"

namespace goss::collectives {

// The place in the schedule that a question is about.
struct GossipAt {
  uint64_t step = 0;
  int rank = 0;
  int round = 0;  // 0 <= round < rounds()
};

struct Exchange {
  int sends = 0;
  int receives = 0;
  int own_parts = 1;  // of total_parts; 0: what is received replaces the own value
  int total_parts = 1;
  bool idle() const { return sends == 0 && receives == 0; }
};

struct Incoming {
  int peer;
  int parts;  // of the exchange's total_parts
};

class GossipSchedule {
 public:
  // Refuses what check_gossip_options refuses, an empty alive set, and custom lists that leave the
  // living ranks in groups that never meet.
  static Result<GossipSchedule> create(const GossipOptions& options, const AliveSet& alive);

  // The same options for other ranks; the caller switches at next_boundary() of the old schedule.
  // As steps keep their numbers, the new schedule may begin in the middle of its own period.
  Result<GossipSchedule> remapped(const AliveSet& alive) const { return create(options_, alive); }

  const GossipOptions& options() const { return options_; }
  const AliveSet& alive() const { return alive_; }
  Topology topology() const { return topology_; }  // in use: hypercube may mean dissemination
  int period() const { return period_; }
  int rounds() const { return rounds_; }

  // In these steps all living ranks all-reduce, and exchange() is idle.
  bool is_global(uint64_t step) const;
  // The first step after `step` that begins a period.
  uint64_t next_boundary(uint64_t step) const;

  // Of living ranks only.
  Exchange exchange(GossipAt at) const;
  int send_peer(GossipAt at, int index) const;     // 0 <= index < exchange(at).sends
  Incoming receive(GossipAt at, int index) const;  // 0 <= index < exchange(at).receives

 private:
  struct Place;     // a question in terms of positions
  struct CustomMap  // one phase among the living: dead ranks are left out of their cycle
  {
    std::vector<int> to;
    std::vector<int> from;
    bool operator==(const CustomMap&) const = default;
  };

  GossipSchedule(const GossipOptions& options, const AliveSet& alive);
  Status make_custom();
  Place place(GossipAt at) const;
  int rank_of(const Place& place, int position) const;
  int fold_members(int core, int level) const;
  Exchange fold_exchange(const Place& place) const;
  int fold_peer(const Place& place) const;

  GossipOptions options_;
  AliveSet alive_;
  Topology topology_;
  int size_;
  int period_ = 1;
  int rounds_ = 1;
  int levels_ = 0;            // of the hypercube inside a fold
  std::vector<int> radices_;  // prime factors of size_, ascending
  std::vector<CustomMap> custom_;
};

}  // namespace goss::collectives
