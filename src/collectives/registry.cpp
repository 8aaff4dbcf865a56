// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "collectives/registry.h"

#include "collectives/all_reduce.h"
#include "collectives/barrier.h"
#include "collectives/broadcast.h"

namespace goss::collectives {

namespace {

constexpr const char* kAnyN = "any n";

const Row kRows[] = {
    {Algorithm::kAllReduceOneShot, Kind::kAllReduce, "oneshot", all_reduce_one_shot, "1", "(n-1) S",
     "same bits on all ranks, lower rank left", kAnyN,
     "flat exchange; e.g. Hensgen, Finkel, Manber 1988 for the barrier form",
     [](const Shape& s) { return s.nranks - 1; }},
    {Algorithm::kAllReduceTwoShot, Kind::kAllReduce, "twoshot", all_reduce_two_shot, "2",
     "2 (n-1)/n S", "same bits on all ranks, lower rank left", kAnyN,
     "reduce-scatter + all-gather, Rabenseifner 2004, by direct exchange",
     [](const Shape& s) { return 2 * (s.nranks - 1); }},
    {Algorithm::kBroadcastFlat, Kind::kBroadcast, "flat", broadcast_flat, "1", "S", "bytes copied",
     kAnyN, "single writer, many readers", [](const Shape& s) { return s.rank == s.root ? 0 : 1; }},
    {Algorithm::kBarrierFlat, Kind::kBarrier, "flat", barrier_flat, "1", "0", "does not apply",
     kAnyN, "one flag per rank", [](const Shape&) { return 0; }},
};

}  // namespace

std::span<const Row> registry() { return kRows; }

const Row& row(Algorithm algorithm) { return kRows[static_cast<size_t>(algorithm)]; }

const char* kind_name(Kind kind) {
  switch (kind) {
    case Kind::kAllReduce: return "all_reduce";
    case Kind::kBroadcast: return "broadcast";
    case Kind::kBarrier: return "barrier";
  }
  return "?";
}

}  // namespace goss::collectives
