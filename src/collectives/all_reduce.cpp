// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "collectives/all_reduce.h"

namespace goss::collectives {

namespace {

// Phase 0 of every rank in rank order, this rank's own input read in place. The order makes the
// lower rank the left operand, so all ranks compute the same bits.
std::vector<Source> inputs_in_rank_order(const Shape& shape, const ScheduleBuilder& plan) {
  std::vector<Source> sources;
  for (int r = 0; r < shape.nranks; ++r) {
    sources.push_back(r == shape.rank ? plan.mine(Place::kInput) : plan.theirs(r, 0));
  }
  return sources;
}

}  // namespace

Schedule all_reduce_one_shot(const Shape& shape) {
  const Parts whole{0, 1};
  ScheduleBuilder plan(shape, 1);
  if (shape.nranks > 1) plan.publish(0, Place::kInput, whole);
  plan.reduce(Place::kOutput, whole, inputs_in_rank_order(shape, plan));
  return plan.finish();
}

Schedule all_reduce_two_shot(const Shape& shape) {
  const int n = shape.nranks;
  const Parts own{shape.rank, shape.rank + 1};
  ScheduleBuilder plan(shape, n);
  // Peers in the order of distance, so that not all ranks go to rank 0 first.
  const auto peer = [&](int distance) { return (shape.rank + distance) % n; };

  for (int d = 1; d < n; ++d) plan.publish(0, Place::kInput, {peer(d), peer(d) + 1}, peer(d));
  plan.reduce(Place::kOutput, own, inputs_in_rank_order(shape, plan));
  if (n > 1) plan.publish(1, Place::kOutput, own);
  for (int d = 1; d < n; ++d) {
    plan.copy(Place::kOutput, {peer(d), peer(d) + 1}, plan.theirs(peer(d), 1));
  }
  return plan.finish();
}

}  // namespace goss::collectives
