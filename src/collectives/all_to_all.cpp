// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "collectives/all_to_all.h"

namespace goss::collectives {

Schedule all_to_all_flat(const Shape& shape) {
  ScheduleBuilder plan(shape, shape.nranks, Layout::kBlocks, Layout::kBlocks);
  for (int d = 1; d < shape.nranks; ++d) {
    plan.publish(0, Place::kInput, one(plan.peer(d)), plan.peer(d));
  }
  plan.copy(Place::kOutput, one(shape.rank), plan.mine(Place::kInput));
  for (int d = 1; d < shape.nranks; ++d) {
    plan.copy(Place::kOutput, one(plan.peer(d)), plan.theirs(plan.peer(d), 0, shape.rank));
  }
  return plan.finish();
}

}  // namespace goss::collectives
