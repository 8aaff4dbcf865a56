// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "collectives/broadcast.h"

namespace goss::collectives {

Schedule broadcast_flat(const Shape& shape) {
  const Parts whole{0, 1};
  ScheduleBuilder plan(shape, 1);
  if (shape.rank == shape.root) {
    if (shape.nranks > 1) plan.publish(0, Place::kInput, whole);
    plan.copy(Place::kOutput, whole, plan.mine(Place::kInput));
  } else {
    plan.copy(Place::kOutput, whole, plan.theirs(shape.root, 0));
  }
  return plan.finish();
}

}  // namespace goss::collectives
