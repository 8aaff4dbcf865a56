// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "collectives/all_gather.h"

namespace goss::collectives {

Schedule all_gather_flat(const Shape& shape) {
  ScheduleBuilder plan(shape, 1, Layout::kVector, Layout::kBlocks);
  if (shape.nranks > 1) plan.publish(0, Place::kInput, one(0));
  plan.copy(Place::kOutput, one(shape.rank), plan.mine(Place::kInput, 0));
  for (int d = 1; d < shape.nranks; ++d) {
    plan.copy(Place::kOutput, one(plan.peer(d)), plan.theirs(plan.peer(d), 0, 0));
  }
  return plan.finish();
}

}  // namespace goss::collectives
