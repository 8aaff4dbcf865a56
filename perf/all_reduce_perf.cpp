// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Speed and correctness of gossAllReduce.
#include "collective.h"

namespace {

using goss::perf::Call;

gossResult_t issue(const Call& call) {
  return gossAllReduce(call.send, call.recv, call.count, call.type,
                       static_cast<gossRedOp_t>(call.op), call.comm, call.stream);
}

std::vector<goss::perf::Piece> expected(const goss::perf::Shape& shape) {
  return {{shape.count, goss::perf::Piece::kReduced, 0}};
}

// Every rank must send and receive at least (n-1)/n of the data twice: once to be reduced, once as
// the result.
double bus_factor(int nranks) { return 2.0 * (nranks - 1) / nranks; }

constexpr goss::perf::Collective kAllReduce = {
    .program = "all_reduce_perf",
    .description = "Measures and checks gossAllReduce, with the flags and tables of nccl-tests.",
    .function = "gossAllReduce",
    .reduces = true,
    .issue = issue,
    .expected = expected,
    .bus_factor = bus_factor,
};

}  // namespace

int main(int argc, char** argv) { return goss::perf::perf_main(argc, argv, kAllReduce); }
