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

std::vector<goss::perf::Piece> expected(const goss::perf::Shape& shape) {
  return {{shape.count, shape.root, 0}};
}

constexpr goss::perf::Collective kBroadcast = {
    .program = "broadcast_perf",
    .description = "Measures and checks gossBroadcast, with the flags and tables of nccl-tests.",
    .function = "gossBroadcast",
    .has_root = true,
    .issue = issue,
    .expected = expected,
    .bus_factor = goss::perf::one,  // every rank but the root must receive the data once
};

}  // namespace

int main(int argc, char** argv) { return goss::perf::perf_main(argc, argv, kBroadcast); }
