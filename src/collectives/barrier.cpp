// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "collectives/barrier.h"

namespace goss::collectives {

Schedule barrier_flat(const Shape& shape) {
  ScheduleBuilder plan(shape, 1);
  if (shape.nranks == 1) return plan.finish();
  plan.publish(0, Place::kInput, {0, 0});
  std::vector<Source> others;
  for (int d = 1; d < shape.nranks; ++d) {
    others.push_back(plan.theirs(plan.peer(d), 0));
  }
  plan.await(others);
  return plan.finish();
}

}  // namespace goss::collectives
