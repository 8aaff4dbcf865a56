// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// The bound that Gossamer is measured against: collectives written by hand on bare shared memory,
// with no code of the library.
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <string>
#include <vector>

#include "../common/bench.h"
#include "../common/cpu_distance.h"
#include "collectives.h"

namespace {

using goss::perf::allowed_cpus;
using goss::perf::cpu_distance_ns;
using goss::perf::Options;
using goss::perf::private_buffer;
using limit::map_shared;
using limit::World;

constexpr double kFarNs = 130;  // streamed stores into the slots are faster beyond

// One rank of one size, in its own process; returns its exit status.
int run_rank(const World& world, const Options& options, size_t bytes, int me) try {
  limit::Rank rank(world, me);
  float* in = world.direct ? world.user_in(me) : private_buffer(bytes);
  float* out = world.direct ? world.user_out(me) : private_buffer(bytes);
  const goss::perf::Times times = goss::perf::Bench(rank, options, in, out, bytes).run();
  if (me == 0) world.shared->times = times;
  return 0;
} catch (const std::exception& error) {
  std::fprintf(stderr, "limit: rank %d: %s\n", me, error.what());
  return 1;
}

// Runs one point in freshly forked ranks; true if every rank ended well.
bool run_ranks(const World& world, const Options& options, size_t bytes) {
  const std::vector<int> cpus = allowed_cpus();
  std::vector<pid_t> ranks;
  for (int me = 0; me < world.n; ++me) {
    const pid_t child = fork();
    if (child < 0) break;
    if (child == 0) {
      (void)prctl(PR_SET_PDEATHSIG, SIGKILL);  // an interrupted run leaves no spinning rank behind
      goss::perf::pin_to_cpu(cpus[me % cpus.size()]);
      _exit(run_rank(world, options, bytes, me));
    }
    ranks.push_back(child);
  }
  bool good = static_cast<int>(ranks.size()) == world.n;
  for (size_t left = ranks.size(); left > 0; --left) {
    if (!good) {
      for (const pid_t rank : ranks) kill(rank, SIGKILL);
    }
    int status = 0;
    const pid_t ended = wait(&status);
    good = good && ended > 0 && status == 0;
    ranks.erase(std::remove(ranks.begin(), ranks.end(), ended), ranks.end());
  }
  return good;
}

// Measures one size and prints its line.
bool run_point(const Options& options, size_t bytes) {
  World world;
  world.n = options.ranks;
  world.crowded = static_cast<size_t>(options.ranks) > allowed_cpus().size();
  world.direct = options.direct;
  const size_t slot_bytes = world.n * limit::kSlots * limit::kChunkBytes;
  world.user_floats = (bytes / sizeof(float) + 1023) & ~size_t{1023};
  const size_t user_bytes = options.direct ? 2 * world.n * world.user_floats * sizeof(float) : 0;
  world.shared = map_shared<limit::Shared>(sizeof(limit::Shared));
  world.slots = map_shared<float>(slot_bytes);
  if (user_bytes > 0) world.users = map_shared<float>(user_bytes);
  const double before = cpu_distance_ns();
  world.far = before > kFarNs;
  const bool good = run_ranks(world, options, bytes);
  const double after = cpu_distance_ns();
  if (good) {
    char more[128];
    (void)std::snprintf(more, sizeof(more),
                        ",\"distance_before_ns\":%.1f,\"distance_after_ns\":%.1f,\"state\":\"%s\"",
                        before, after, to_string(goss::perf::state_of(before, after)));
    goss::perf::print_point(options.direct ? "limit-direct" : "limit", options, bytes,
                            world.shared->times, more);
  }
  munmap(world.shared, sizeof(limit::Shared));
  munmap(world.slots, slot_bytes);
  if (user_bytes > 0) munmap(world.users, user_bytes);
  return good;
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc == 2 && std::string(argv[1]) == "--distance") {
    std::printf("%.1f\n", cpu_distance_ns());
    return 0;
  }
  const Options options = goss::perf::parse_options(argc, argv);
  for (const size_t bytes : options.sizes) {
    if (!run_point(options, bytes)) return 1;
  }
  return 0;
} catch (const std::exception& error) {
  std::fprintf(stderr, "limit: %s\nusage: limit %s [--direct]\n       limit --distance\n",
               error.what(), goss::perf::kUsage);
  return 2;
}
