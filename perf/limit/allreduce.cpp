// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// All-reduce through staging memory. Why nothing is overwritten too early, without flags that say
// "I have read": a rank that has seen all peers publish piece t knows that they have finished with
// every piece that precedes t in their own order of work. Inline: line t has been read by all when
// all have published t + 1, so two lines would do. One-shot: before P(t) a rank has ended R(t - 2),
// so all peers have published t - 2 and ended R(t - 4): four pieces are in use. Two-shot, in the
// same way: three contributions and four results. A ring holds at least eight (RingCursor).
#include <algorithm>
#include <cstring>

#include "limit/collectives.h"

namespace goss::limit {
namespace {

constexpr size_t kLineFloats = 16;

size_t chunk_count(size_t count, size_t floats) { return (count + floats - 1) / floats; }

}  // namespace

AllReduce::AllReduce(Team* team, const Kernels& kernels)
    : team_(*team),
      kernels_(kernels),
      one_shot_ring_(team->tuning().ring_bytes),
      contribution_ring_(team->tuning().ring_bytes),
      result_ring_(team->tuning().ring_bytes),
      sources_(team->nranks()) {}

const char* AllReduce::variant(size_t bytes) const {
  if (bytes <= kInlineBytes) return "inline";
  return bytes <= team_.tuning().one_shot_bytes ? "one-shot" : "two-shot";
}

void AllReduce::run(const float* send, float* recv, size_t count) {
  const size_t bytes = count * sizeof(float);
  if (bytes <= kInlineBytes) {
    run_inline(send, recv, count);
  } else if (bytes <= team_.tuning().one_shot_bytes) {
    run_one_shot(send, recv, count);
  } else {
    run_two_shot(send, recv, count);
  }
}

void AllReduce::run_inline(const float* send, float* recv, size_t count) {
  const uint64_t number = ++inline_operations_;
  const size_t line = number % kInlineLines;
  const size_t words = (count + 1) / 2;
  InlineLine& mine = team_.my_flags().inline_lines[line];
  for (size_t w = 0; w < words; ++w) {
    float pair[2] = {send[2 * w], 2 * w + 1 < count ? send[2 * w + 1] : 0};
    uint64_t word;
    std::memcpy(&word, pair, sizeof(word));
    // Ordered by the release of the sequence number below.
    mine.words[w].store(word, std::memory_order_relaxed);
  }
  // Paired with the acquire in Team::wait: who sees the number sees the words.
  mine.sequence.store(number, std::memory_order_release);

  float sum[kInlineBytes / sizeof(float)];
  for (int rank = 0; rank < team_.nranks(); ++rank) {
    InlineLine& theirs = team_.flags(rank).inline_lines[line];
    if (rank != team_.rank()) team_.wait(rank, theirs.sequence, number);
    for (size_t w = 0; w < words; ++w) {
      float pair[2];
      // Ordered by the acquire of the sequence number in Team::wait.
      const uint64_t word = theirs.words[w].load(std::memory_order_relaxed);
      std::memcpy(pair, &word, sizeof(word));
      sum[2 * w] = rank == 0 ? pair[0] : sum[2 * w] + pair[0];
      sum[2 * w + 1] = rank == 0 ? pair[1] : sum[2 * w + 1] + pair[1];
    }
  }
  std::memcpy(recv, sum, count * sizeof(float));
}

void AllReduce::run_one_shot(const float* send, float* recv, size_t count) {
  const size_t floats = team_.tuning().one_shot_chunk / sizeof(float);
  const size_t chunks = chunk_count(count, floats);
  const Stores staging = team_.staging_stores();
  size_t offsets[2];
  // P(0) P(1) R(0) P(2) R(1) ...: the peers' next chunk is on its way while one is summed.
  for (size_t step = 0; step <= chunks; ++step) {
    if (step < chunks) {
      const size_t first = step * floats;
      const size_t n = std::min(floats, count - first);
      const size_t offset = one_shot_ring_.take(n * sizeof(float));
      offsets[step % 2] = offset;
      kernels_.copy(team_.ring(team_.rank(), RingName::kOneShot, offset), send + first, n, staging);
      team_.publish(&team_.my_flags().shared_once, one_shot_chunks_ + step + 1, staging);
    }
    if (step == 0) continue;
    const size_t first = (step - 1) * floats;
    const size_t n = std::min(floats, count - first);
    for (int rank = 0; rank < team_.nranks(); ++rank) {
      sources_[rank] = rank == team_.rank()
                           ? send + first
                           : team_.ring(rank, RingName::kOneShot, offsets[(step - 1) % 2]);
    }
    team_.wait_all(&Flags::shared_once, one_shot_chunks_ + step);
    kernels_.sum(recv + first, sources_.data(), team_.nranks(), n, Stores::kRegular);
  }
  one_shot_chunks_ += chunks;
}

void AllReduce::run_two_shot(const float* send, float* recv, size_t count) {
  const size_t bytes = count * sizeof(float);
  const size_t floats = team_.tuning().chunk_bytes / sizeof(float);
  const size_t chunks = chunk_count(count, floats);
  const Stores stores =
      bytes >= team_.tuning().stream_bytes ? Stores::kStreaming : Stores::kRegular;
  Chunk in_flight[3];
  // A(0) A(1) B(0) A(2) B(1) C(0) ...: contribute, reduce, collect, each one chunk behind.
  for (size_t step = 0; step < chunks + 2; ++step) {
    if (step < chunks) {
      Chunk& chunk = in_flight[step % 3];
      chunk.first = step * floats;
      chunk.count = std::min(floats, count - chunk.first);
      chunk.offset = contribution_ring_.take(chunk.count * sizeof(float));
      chunk.result_offset = result_ring_.take(slice_of(chunk, 0).count * sizeof(float));
      chunk.number = ++two_shot_chunks_;
      contribute(chunk, send);
    }
    if (step >= 1 && step <= chunks) reduce(in_flight[(step - 1) % 3], send, recv, stores);
    if (step >= 2) collect(in_flight[(step - 2) % 3], recv, stores);
  }
}

// The first rank's slice is the longest; all begin at a cache line.
AllReduce::Slice AllReduce::slice_of(const Chunk& chunk, int rank) const {
  const size_t n = team_.nranks();
  const size_t floats = (chunk.count + n * kLineFloats - 1) / (n * kLineFloats) * kLineFloats;
  const size_t first = std::min(floats * rank, chunk.count);
  return {first, std::min(floats, chunk.count - first)};
}

void AllReduce::contribute(const Chunk& chunk, const float* send) {
  float* slot = team_.ring(team_.rank(), RingName::kContributions, chunk.offset);
  for (int step = 1; step < team_.nranks(); ++step) {
    const Slice slice = slice_of(chunk, (team_.rank() + step) % team_.nranks());
    kernels_.copy(slot + slice.first, send + chunk.first + slice.first, slice.count,
                  team_.staging_stores());
  }
  team_.publish(&team_.my_flags().contributed, chunk.number, team_.staging_stores());
}

void AllReduce::reduce(const Chunk& chunk, const float* send, float* recv, Stores stores) {
  const Slice slice = slice_of(chunk, team_.rank());
  for (int rank = 0; rank < team_.nranks(); ++rank) {
    sources_[rank] = rank == team_.rank()
                         ? send + chunk.first + slice.first
                         : team_.ring(rank, RingName::kContributions, chunk.offset) + slice.first;
  }
  team_.wait_all(&Flags::contributed, chunk.number);
  kernels_.sum_to_two(recv + chunk.first + slice.first,
                      team_.ring(team_.rank(), RingName::kResults, chunk.result_offset),
                      sources_.data(), team_.nranks(), slice.count, stores, team_.staging_stores());
  team_.publish(&team_.my_flags().reduced, chunk.number, team_.staging_stores());
}

void AllReduce::collect(const Chunk& chunk, float* recv, Stores stores) {
  for (int step = 1; step < team_.nranks(); ++step) {
    const int rank = (team_.rank() + step) % team_.nranks();
    const Slice slice = slice_of(chunk, rank);
    team_.wait(rank, team_.flags(rank).reduced.value, chunk.number);
    kernels_.copy(recv + chunk.first + slice.first,
                  team_.ring(rank, RingName::kResults, chunk.result_offset), slice.count, stores);
  }
}

}  // namespace goss::limit
