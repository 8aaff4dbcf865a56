// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Fork guard: a child that the application forks must not hold our connections open, or the death
// of its parent would stay unseen. In a forked child every guarded descriptor is replaced by
// /dev/null: the number stays taken, so a later close in the child hits nothing else.
// Any thread. Children that exec are covered by CLOEXEC.
#pragma once

namespace goss::bootstrap {

void fork_guard_add(int fd);
void fork_guard_remove(int fd);

}  // namespace goss::bootstrap
