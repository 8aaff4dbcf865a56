// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Speed and correctness of gossAlltoAllv. Each rank sends and receives as much as in alltoall_perf,
// but in blocks of different sizes: its own is `count`, those of the ranks after it are from 3/2
// down to 1/2 of that. With two ranks all are `count`.
#include <utility>

#include "collective.h"

namespace {

using goss::perf::Call;
using goss::perf::Extent;
using goss::perf::Piece;
using goss::perf::Shape;

// Elements that rank `from` sends to rank `to`.
size_t block(size_t count, int from, int to, int nranks) {
  const int distance = (to - from + nranks) % nranks;
  if (distance == 0) return count;
  const auto unit = static_cast<ptrdiff_t>(count / (2 * static_cast<size_t>(nranks)));
  return static_cast<size_t>(static_cast<ptrdiff_t>(count) + unit * (nranks - 2 * distance));
}

gossResult_t issue(const Call& call) {
  static thread_local std::vector<size_t> counts;  // of sends and receives, then their places
  const auto n = static_cast<size_t>(call.nranks);
  counts.resize(4 * n);
  size_t sent = 0;
  size_t received = 0;
  for (size_t peer = 0; peer < n; ++peer) {
    const int rank = static_cast<int>(peer);
    counts[peer] = block(call.count, call.rank, rank, call.nranks);
    counts[n + peer] = block(call.count, rank, call.rank, call.nranks);
    counts[2 * n + peer] = std::exchange(sent, sent + counts[peer]);
    counts[3 * n + peer] = std::exchange(received, received + counts[n + peer]);
  }
  const size_t* list = counts.data();
  return gossAlltoAllv(call.send, list, list + 2 * n, call.recv, list + n, list + 3 * n, call.type,
                       call.comm, call.stream);
}

std::vector<Piece> expected(const Shape& shape) {
  std::vector<Piece> pieces;
  for (int source = 0; source < shape.nranks; ++source) {
    size_t from = 0;
    for (int to = 0; to < shape.rank; ++to) from += block(shape.count, source, to, shape.nranks);
    pieces.push_back({block(shape.count, source, shape.rank, shape.nranks), source, from});
  }
  return pieces;
}

constexpr goss::perf::Collective kAlltoallv = {
    .program = "alltoallv_perf",
    .description = "Measures and checks gossAlltoAllv, with the flags and tables of nccl-tests.",
    .function = "gossAlltoAllv",
    .has_in_place = false,
    .messages = true,
    .send = Extent::kBlocks,
    .recv = Extent::kBlocks,
    .issue = issue,
    .expected = expected,
    .bus_factor = goss::perf::all_but_own_block,
};

}  // namespace

int main(int argc, char** argv) { return goss::perf::perf_main(argc, argv, kAlltoallv); }
