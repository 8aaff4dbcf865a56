// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Speed and correctness of gossScatter.
#include "collective.h"

namespace {

using goss::perf::Call;
using goss::perf::Extent;
using goss::perf::Piece;
using goss::perf::Shape;

gossResult_t issue(const Call& call) {
  return gossScatter(call.send, call.recv, call.count, call.type, call.root, call.comm,
                     call.stream);
}

std::vector<Piece> expected(const Shape& shape) {
  return {{shape.count, shape.root, static_cast<size_t>(shape.rank) * shape.count}};
}

constexpr goss::perf::Collective kScatter = {
    .program = "scatter_perf",
    .description = "Measures and checks gossScatter, with the flags and tables of nccl-tests.",
    .function = "gossScatter",
    .has_root = true,
    .send = Extent::kBlocks,
    .recv = Extent::kBlock,
    .issue = issue,
    .expected = expected,
    .bus_factor = goss::perf::all_but_own_block,
};

}  // namespace

int main(int argc, char** argv) { return goss::perf::perf_main(argc, argv, kScatter); }
