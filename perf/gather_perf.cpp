// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Speed and correctness of gossGather.
#include "collective.h"

namespace {

using goss::perf::Call;
using goss::perf::Extent;
using goss::perf::Piece;
using goss::perf::Shape;

gossResult_t issue(const Call& call) {
  return gossGather(call.send, call.recv, call.count, call.type, call.root, call.comm, call.stream);
}

std::vector<Piece> expected(const Shape& shape) {
  if (shape.rank == shape.root) return goss::perf::block_of_each(shape, 0);
  return {{static_cast<size_t>(shape.nranks) * shape.count, Piece::kUntouched, 0}};
}

constexpr goss::perf::Collective kGather = {
    .program = "gather_perf",
    .description = "Measures and checks gossGather, with the flags and tables of nccl-tests.",
    .function = "gossGather",
    .has_root = true,
    .send = Extent::kBlock,
    .recv = Extent::kBlocks,
    .issue = issue,
    .expected = expected,
    .bus_factor = goss::perf::all_but_own_block,
};

}  // namespace

int main(int argc, char** argv) { return goss::perf::perf_main(argc, argv, kGather); }
