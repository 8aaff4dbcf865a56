// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Speed and correctness of gossReduceScatter.
#include "collective.h"

namespace {

using goss::perf::Call;
using goss::perf::Extent;
using goss::perf::Piece;
using goss::perf::Shape;

gossResult_t issue(const Call& call) {
  return gossReduceScatter(call.send, call.recv, call.count, call.type,
                           static_cast<gossRedOp_t>(call.op), call.comm, call.stream);
}

std::vector<Piece> expected(const Shape& shape) {
  return {{shape.count, Piece::kReduced, static_cast<size_t>(shape.rank) * shape.count}};
}

constexpr goss::perf::Collective kReduceScatter = {
    .program = "reduce_scatter_perf",
    .description =
        "Measures and checks gossReduceScatter, with the flags and tables of nccl-tests.",
    .function = "gossReduceScatter",
    .reduces = true,
    .send = Extent::kBlocks,
    .recv = Extent::kBlock,
    .issue = issue,
    .expected = expected,
    .bus_factor = goss::perf::all_but_own_block,
};

}  // namespace

int main(int argc, char** argv) { return goss::perf::perf_main(argc, argv, kReduceScatter); }
