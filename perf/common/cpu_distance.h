// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// The distance between two CPUs (distance.h), measured by two threads of the calling process, for
// those whose ranks do not run at that moment.
#pragma once

#include <pthread.h>
#include <sched.h>

#include <thread>
#include <vector>

#include "distance.h"

namespace goss::perf {

// The CPUs that this process may run on, in ascending order.
inline std::vector<int> allowed_cpus() {
  cpu_set_t set;
  CPU_ZERO(&set);
  std::vector<int> cpus;
  if (sched_getaffinity(0, sizeof(set), &set) == 0) {
    for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
      if (CPU_ISSET(cpu, &set)) cpus.push_back(cpu);
    }
  }
  return cpus;
}

// Binds the calling thread; failure costs precision only, so it is not reported.
inline void pin_to_cpu(int cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(cpu, &set);
  (void)pthread_setaffinity_np(pthread_self(), sizeof(set), &set);
}

// One way in ns between the first two CPUs of this process; 0 where it has one only.
inline double cpu_distance_ns() {
  const std::vector<int> cpus = allowed_cpus();
  if (cpus.size() < 2) return 0;
  DistanceLines lines;
  DistanceProbe first(&lines), second(&lines);
  double ns = 0;
  std::thread ping([&] {
    pin_to_cpu(cpus[0]);
    ns = first.ping();
  });
  std::thread pong([&] {
    pin_to_cpu(cpus[1]);
    second.pong();
  });
  ping.join();
  pong.join();
  return ns;
}

}  // namespace goss::perf
