// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Speed and correctness of gossAllGather.
#include "collective.h"

namespace {

using goss::perf::Call;
using goss::perf::Extent;
using goss::perf::Piece;
using goss::perf::Shape;

gossResult_t issue(const Call& call) {
  return gossAllGather(call.send, call.recv, call.count, call.type, call.comm, call.stream);
}

std::vector<Piece> expected(const Shape& shape) { return goss::perf::block_of_each(shape, 0); }

constexpr goss::perf::Collective kAllGather = {
    .program = "all_gather_perf",
    .description = "Measures and checks gossAllGather, with the flags and tables of nccl-tests.",
    .function = "gossAllGather",
    .send = Extent::kBlock,
    .recv = Extent::kBlocks,
    .issue = issue,
    .expected = expected,
    .bus_factor = goss::perf::all_but_own_block,
};

}  // namespace

int main(int argc, char** argv) { return goss::perf::perf_main(argc, argv, kAllGather); }
