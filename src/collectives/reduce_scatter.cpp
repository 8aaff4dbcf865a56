// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "collectives/reduce_scatter.h"

namespace goss::collectives {

Schedule reduce_scatter_flat(const Shape& shape) {
  ScheduleBuilder plan(shape, shape.nranks, Layout::kBlocks, Layout::kVector);
  for (int d = 1; d < shape.nranks; ++d) {
    plan.publish(0, Place::kInput, one(plan.peer(d)), plan.peer(d));
  }
  plan.reduce(Place::kOutput, one(0), plan.inputs_in_rank_order(shape.rank));
  return plan.finish();
}

}  // namespace goss::collectives
