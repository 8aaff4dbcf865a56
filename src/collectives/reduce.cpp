// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "collectives/reduce.h"

namespace goss::collectives {

Schedule reduce_flat(const Shape& shape) {
  const Parts whole{0, 1};
  ScheduleBuilder plan(shape, 1);
  if (shape.rank != shape.root) {
    plan.publish(0, Place::kInput, whole, shape.root);
  } else {
    plan.reduce(Place::kOutput, whole, plan.inputs_in_rank_order());
  }
  return plan.finish();
}

Schedule reduce_two_shot(const Shape& shape) {
  const int n = shape.nranks;
  const bool is_root = shape.rank == shape.root;
  const Parts own = one(shape.rank);
  ScheduleBuilder plan(shape, n);
  for (int d = 1; d < n; ++d) {
    plan.publish(0, Place::kInput, one(plan.peer(d)), plan.peer(d));
  }
  plan.reduce(is_root ? Place::kOutput : Place::kScratch, own, plan.inputs_in_rank_order());
  if (!is_root) plan.publish(1, Place::kScratch, own, shape.root);
  for (int d = 1; is_root && d < n; ++d) {
    plan.copy(Place::kOutput, one(plan.peer(d)), plan.theirs(plan.peer(d), 1));
  }
  return plan.finish();
}

}  // namespace goss::collectives
