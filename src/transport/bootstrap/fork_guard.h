// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Fork guard: a child that the application forks must not hold our connections open, or the death
// of its parent would stay unseen. In a forked child every guarded descriptor is replaced by
// /dev/null: the number stays taken, so a later close in the child hits nothing else.
// Any thread. Children that exec are covered by CLOEXEC, which must be set from the start.
#pragma once

namespace goss::bootstrap {

// While one lives, forks wait. So a descriptor that is opened and added, or removed and closed,
// under one and the same is guarded in every child or not there at all. Hold it briefly.
class ForkGuard {
 public:
  ForkGuard();
  ~ForkGuard();
  ForkGuard(const ForkGuard&) = delete;
  ForkGuard& operator=(const ForkGuard&) = delete;

  void add(int fd);
  void remove(int fd);  // in a forked child there is nothing to remove
};

}  // namespace goss::bootstrap
