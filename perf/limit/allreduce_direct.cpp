// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// All-reduce of buffers in shared memory. Two meetings per operation: nobody reads a buffer before
// its owner has called, and nobody returns while a peer still uses his buffers.
#include <algorithm>

#include "limit/collectives.h"

namespace goss::limit {

DirectAllReduce::DirectAllReduce(Team* team, const Kernels& kernels)
    : team_(*team), kernels_(kernels), sources_(team->nranks()) {}

const char* DirectAllReduce::variant(size_t bytes) const {
  return bytes <= team_.tuning().direct_one_shot ? "direct-1" : "direct-2";
}

void DirectAllReduce::run(const float* const* sends, float* const* recvs, size_t count) {
  ++operations_;
  team_.publish(&team_.my_flags().arrived, operations_, Stores::kRegular);
  team_.wait_all(&Flags::arrived, operations_);
  Stores used = Stores::kRegular;
  if (count * sizeof(float) <= team_.tuning().direct_one_shot) {
    run_one_shot(sends, recvs[team_.rank()], count);
  } else {
    run_two_shot(sends, recvs, count);
    used = Stores::kStreaming;
  }
  team_.publish(&team_.my_flags().done, operations_, used);
  team_.wait_all(&Flags::done, operations_);
}

void DirectAllReduce::run_one_shot(const float* const* sends, float* recv, size_t count) {
  kernels_.sum(recv, sends, team_.nranks(), count, Stores::kRegular);
}

// Each rank sums its slice of the buffers and writes it into every rank's result.
void DirectAllReduce::run_two_shot(const float* const* sends, float* const* recvs, size_t count) {
  const size_t n = team_.nranks();
  const size_t me = team_.rank();
  const size_t floats = (count + n * 16 - 1) / (n * 16) * 16;
  const size_t begin = std::min(floats * me, count);
  const size_t end = std::min(begin + floats, count);
  const Stores stores =
      count * sizeof(float) >= team_.tuning().stream_bytes ? Stores::kStreaming : Stores::kRegular;
  // Pieces that stay in the L1 while the results beyond the second are copied from the first.
  constexpr size_t kPiece = 2048;
  for (size_t first = begin; first < end; first += kPiece) {
    const size_t length = std::min(kPiece, end - first);
    for (size_t rank = 0; rank < n; ++rank) sources_[rank] = sends[rank] + first;
    float* mine = recvs[me] + first;
    if (n == 1) {
      kernels_.copy(mine, sources_[0], length, stores);
      continue;
    }
    float* other = recvs[(me + 1) % n] + first;
    const Stores first_stores = n == 2 ? stores : Stores::kRegular;
    kernels_.sum_to_two(mine, other, sources_.data(), static_cast<int>(n), length, first_stores,
                        stores);
    for (size_t step = 2; step < n; ++step) {
      kernels_.copy(recvs[(me + step) % n] + first, mine, length, stores);
    }
  }
}

}  // namespace goss::limit
