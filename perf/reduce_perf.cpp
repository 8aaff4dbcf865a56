// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Speed and correctness of gossReduce.
#include "collective.h"

namespace {

using goss::perf::Call;
using goss::perf::Piece;
using goss::perf::Shape;

gossResult_t issue(const Call& call) {
  return gossReduce(call.send, call.recv, call.count, call.type, static_cast<gossRedOp_t>(call.op),
                    call.root, call.comm, call.stream);
}

std::vector<Piece> expected(const Shape& shape) {
  const bool is_root = shape.rank == shape.root;
  return {{shape.count, is_root ? Piece::kReduced : Piece::kUntouched, 0}};
}

constexpr goss::perf::Collective kReduce = {
    .program = "reduce_perf",
    .description = "Measures and checks gossReduce, with the flags and tables of nccl-tests.",
    .function = "gossReduce",
    .reduces = true,
    .has_root = true,
    .issue = issue,
    .expected = expected,
    .bus_factor = goss::perf::one,  // every rank but the root must send the data once
};

}  // namespace

int main(int argc, char** argv) { return goss::perf::perf_main(argc, argv, kReduce); }
