// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Which CPUs this process may use, and binding a thread to one of them.
#pragma once

#include <vector>

namespace goss::perf {

// The CPUs of the calling thread's affinity mask, in ascending order.
std::vector<int> allowed_cpus();

// Binds the calling thread to one CPU; false when the system refuses.
bool pin_to(int cpu);

// The one CPU the calling thread is bound to, or -1.
int pinned_cpu();

}  // namespace goss::perf
