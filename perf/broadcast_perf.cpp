// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Speed and correctness of gossBroadcast.
#include "collective.h"

namespace {

using goss::perf::Call;

gossResult_t issue(const Call& call) {
  return gossBroadcast(call.send, call.recv, call.count, call.type, call.root, call.comm,
                       call.stream);
}

// Every rank but the root must receive the data once.
double bus_factor(int) { return 1; }

constexpr goss::perf::Collective kBroadcast = {
    .program = "broadcast_perf",
    .description = "Measures and checks gossBroadcast, with the flags and tables of nccl-tests.",
    .function = "gossBroadcast",
    .moves_data = true,
    .reduces = false,
    .has_root = true,
    .issue = issue,
    .bus_factor = bus_factor,
    .count_wrong_ranks = nullptr,
};

}  // namespace

int main(int argc, char** argv) { return goss::perf::perf_main(argc, argv, kBroadcast); }
