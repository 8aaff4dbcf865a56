// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Speed and correctness of gossSend and gossRecv in a hypercube: in step k each rank and the one
// whose number differs in bit k exchange all blocks that they have. In the end all have all.
#include "collective.h"

namespace {

using goss::perf::Call;
using goss::perf::Extent;
using goss::perf::Piece;
using goss::perf::Shape;

// One rank alone moves its block.
int steps(int nranks) {
  int steps = 0;
  while (1 << steps < nranks) ++steps;
  return nranks == 1 ? 1 : steps;
}

// Blocks [from, from + nblocks) of this rank for as many of the peer.
gossResult_t exchange(const Call& call, const void* send, int into, int nblocks, int peer) {
  const size_t block_bytes = call.count * goss::perf::type_size(call.type);
  const size_t count = call.count * static_cast<size_t>(nblocks);
  auto* recv = static_cast<std::byte*>(call.recv) + static_cast<size_t>(into) * block_bytes;
  const gossResult_t sent = gossSend(send, count, call.type, peer, call.comm, call.stream);
  if (sent != gossSuccess) return sent;
  return gossRecv(recv, count, call.type, peer, call.comm, call.stream);
}

gossResult_t issue(const Call& call) {
  const size_t block_bytes = call.count * goss::perf::type_size(call.type);
  auto* recv = static_cast<std::byte*>(call.recv);
  const int nblocks = 1 << call.step;
  const int own = call.rank & ~(nblocks - 1);  // first block that this rank has
  return goss::perf::in_group([&] {
    const std::byte* have = recv + static_cast<size_t>(own) * block_bytes;
    if (call.step > 0) return exchange(call, have, own ^ nblocks, nblocks, call.rank ^ nblocks);
    if (call.send != have) {
      const gossResult_t moved = exchange(call, call.send, call.rank, 1, call.rank);
      if (moved != gossSuccess) return moved;
    }
    if (call.nranks == 1) return gossSuccess;
    return exchange(call, call.send, own ^ 1, 1, call.rank ^ 1);
  });
}

std::vector<Piece> expected(const Shape& shape) { return goss::perf::block_of_each(shape, 0); }

// A rank has its own block; the others come to it.
double alg_factor(int nranks) { return goss::perf::all_but_own_block(nranks); }

constexpr goss::perf::Collective kHypercube = {
    .program = "hypercube_perf",
    .description =
        "Measures and checks gossSend and gossRecv in a hypercube, with the flags and tables of "
        "nccl-tests.",
    .function = "gossSend/gossRecv",
    .messages = true,
    .power_of_two = true,
    .send = Extent::kBlock,
    .recv = Extent::kBlocks,
    .steps = steps,
    .issue = issue,
    .expected = expected,
    .alg_factor = alg_factor,
    .bus_factor = goss::perf::one,
};

}  // namespace

int main(int argc, char** argv) { return goss::perf::perf_main(argc, argv, kHypercube); }
