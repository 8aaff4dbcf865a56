// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "collectives/gather_scatter.h"

namespace goss::collectives {

Schedule gather_flat(const Shape& shape) {
  ScheduleBuilder plan(shape, 1, Layout::kVector, Layout::kBlocks);
  if (shape.rank != shape.root) {
    plan.publish(0, Place::kInput, one(0), shape.root);
    return plan.finish();
  }
  plan.copy(Place::kOutput, one(shape.rank), plan.mine(Place::kInput, 0));
  for (int d = 1; d < shape.nranks; ++d) {
    plan.copy(Place::kOutput, one(plan.peer(d)), plan.theirs(plan.peer(d), 0, 0));
  }
  return plan.finish();
}

Schedule scatter_flat(const Shape& shape) {
  ScheduleBuilder plan(shape, shape.nranks, Layout::kBlocks, Layout::kVector);
  if (shape.rank != shape.root) {
    plan.copy(Place::kOutput, one(0), plan.theirs(shape.root, 0, shape.rank));
    return plan.finish();
  }
  for (int d = 1; d < shape.nranks; ++d) {
    plan.publish(0, Place::kInput, one(plan.peer(d)), plan.peer(d));
  }
  plan.copy(Place::kOutput, one(0), plan.mine(Place::kInput, shape.rank));
  return plan.finish();
}

}  // namespace goss::collectives
