// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "collectives/forwarding_schedules.h"

namespace goss::collectives {

Schedule forwarding_all_reduce_ring(const Shape& shape) {
  const int n = shape.nranks;
  ScheduleBuilder plan(shape, n);
  if (n == 1) {
    plan.reduce(Place::kOutput, one(0), {plan.mine(Place::kInput)});
    return plan.finish();
  }
  const int next = plan.peer(1);
  const int before = plan.peer(n - 1);
  plan.publish(0, Place::kInput, one(before), next);
  for (int step = 0; step < n - 1; ++step) {
    const Parts part = one(plan.peer(2 * n - 2 - step));
    const bool last = step == n - 2;
    const Place place = last ? Place::kOutput : Place::kScratch;
    plan.reduce(place, part, {plan.theirs(before, step), plan.mine(Place::kInput)});
    plan.publish(step + 1, place, part, next);
  }
  for (int step = 0; step < n - 1; ++step) {
    const Parts part = one(plan.peer(n - 1 - step));
    plan.copy(Place::kOutput, part, plan.theirs(before, n - 1 + step));
    if (step < n - 2) plan.publish(n + step, Place::kOutput, part, next);
  }
  return plan.finish();
}

Schedule forwarding_broadcast(const Shape& shape) {
  const int n = shape.nranks;
  ScheduleBuilder plan(shape, n);
  const bool is_root = shape.rank == shape.root;
  if (is_root) {
    for (int d = 1; d < n; ++d) {
      plan.publish(0, Place::kInput, one(plan.peer(d)), plan.peer(d));
    }
    if (n > 1) plan.publish(1, Place::kInput, one(shape.rank));
    for (int d = 0; d < n; ++d) {
      plan.copy(Place::kOutput, one(plan.peer(d)), plan.mine(Place::kInput));
    }
    return plan.finish();
  }
  plan.copy(Place::kOutput, one(shape.rank), plan.theirs(shape.root, 0));
  for (int d = 1; d < n; ++d) {
    if (plan.peer(d) == shape.root) continue;
    plan.publish(1, Place::kOutput, one(shape.rank), plan.peer(d));
  }
  for (int d = 1; d < n; ++d) {
    plan.copy(Place::kOutput, one(plan.peer(d)), plan.theirs(plan.peer(d), 1));
  }
  return plan.finish();
}

}  // namespace goss::collectives
