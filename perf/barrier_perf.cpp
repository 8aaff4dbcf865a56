// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Speed and correctness of gossBarrier. One row without sizes; a barrier has no "in place", so the
// two halves are two measurements of the same.
#include <chrono>
#include <thread>

#include "collective.h"

namespace {

using goss::perf::Call;
using goss::perf::Combine;
using goss::perf::Crew;
using goss::perf::Options;

gossResult_t issue(const Call& call) { return gossBarrier(call.comm, call.stream); }

double bus_factor(int) { return 0; }

// CLOCK_MONOTONIC, which all processes of a host share.
double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// No rank may leave before the last has come. A rank of each round comes late, and all compare when
// they left with when the last one came. Needs one clock: the ranks of one host.
int count_wrong_ranks(Crew& crew, const Options& options, unsigned round) {
  constexpr auto kLate = std::chrono::microseconds(300);
  const auto nranks = static_cast<unsigned>(crew.group_nranks());
  const int late = static_cast<int>((round + nranks - 1) % nranks) - crew.group_rank();
  crew.barrier();
  if (late >= 0 && late < crew.size()) std::this_thread::sleep_for(kLate);
  const double came = now();
  crew.together("gossBarrier", [&](int i) {
    return gossBarrier(crew.comm(i), options.stream ? crew.stream(i) : nullptr);
  });
  crew.synchronize();
  double left = now();
  if (options.inject_error && crew.first_rank() + crew.size() == crew.nranks()) left = 0;
  const double last_came = crew.combine_in_group(came, Combine::kMax);
  return left < last_came ? crew.size() : 0;
}

constexpr goss::perf::Collective kBarrier = {
    .program = "barrier_perf",
    .description = "Measures and checks gossBarrier, with the flags and tables of nccl-tests.",
    .function = "gossBarrier",
    .moves_data = false,
    .issue = issue,
    .bus_factor = bus_factor,
    .count_wrong_ranks = count_wrong_ranks,
};

}  // namespace

int main(int argc, char** argv) { return goss::perf::perf_main(argc, argv, kBarrier); }
