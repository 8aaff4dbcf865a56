// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "collectives/all_reduce.h"

namespace goss::collectives {

Schedule all_reduce_one_shot(const Shape& shape) {
  const Parts whole{0, 1};
  ScheduleBuilder plan(shape, 1);
  if (shape.nranks > 1) plan.publish(0, Place::kInput, whole);
  plan.reduce(Place::kOutput, whole, plan.inputs_in_rank_order());
  return plan.finish();
}

Schedule all_reduce_two_shot(const Shape& shape) {
  const int n = shape.nranks;
  const Parts own = one(shape.rank);
  ScheduleBuilder plan(shape, n);
  for (int d = 1; d < n; ++d) {
    plan.publish(0, Place::kInput, one(plan.peer(d)), plan.peer(d));
  }
  plan.reduce(Place::kOutput, own, plan.inputs_in_rank_order());
  if (n > 1) plan.publish(1, Place::kOutput, own);
  for (int d = 1; d < n; ++d) {
    plan.copy(Place::kOutput, one(plan.peer(d)), plan.theirs(plan.peer(d), 1));
  }
  return plan.finish();
}

}  // namespace goss::collectives
