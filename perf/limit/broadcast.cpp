// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Broadcast from rank 0. Nothing flows back with the data, so that the root must be told before it
// writes a place again: the others count what they have taken, and the root looks when it runs out.
#include <algorithm>
#include <cstring>

#include "limit/collectives.h"

namespace goss::limit {
namespace {

constexpr uint64_t kPiecesInRing = 7;  // RingCursor: eight fit, one may be lost at the end

}  // namespace

Broadcast::Broadcast(Team* team, const Kernels& kernels)
    : team_(*team), kernels_(kernels), ring_(team->tuning().ring_bytes) {}

const char* Broadcast::variant(size_t bytes) const {
  return bytes <= kInlineBytes ? "inline" : "staged";
}

// Until piece number `piece` may be written, when at most `window` pieces have their own place.
void Broadcast::wait_for_room(uint64_t piece, uint64_t window) {
  if (piece <= received_by_all_ + window) return;
  uint64_t received = piece;
  for (int rank = 1; rank < team_.nranks(); ++rank) {
    const Flag& flag = team_.flags(rank).received;
    team_.wait(rank, flag.value, piece - window);
    // Paired, as in wait(), with the release in publish(): often more than was waited for.
    received = std::min(received, flag.value.load(std::memory_order_acquire));
  }
  received_by_all_ = received;
}

void Broadcast::run_inline(float* buffer, size_t count) {
  const uint64_t number = ++pieces_;
  InlineLine& line = team_.flags(0).broadcast_lines[number % kBroadcastLines];
  const size_t bytes = count * sizeof(float);
  uint64_t words[kInlineBytes / 8] = {};
  if (team_.rank() == 0) {
    wait_for_room(number, kBroadcastLines);
    std::memcpy(words, buffer, bytes);
    for (size_t w = 0; w * 8 < bytes; ++w) {
      // Ordered by the release of the sequence number below.
      line.words[w].store(words[w], std::memory_order_relaxed);
    }
    // Paired with the acquire in Team::wait: who sees the number sees the words.
    line.sequence.store(number, std::memory_order_release);
  } else {
    team_.wait(0, line.sequence, number);
    for (size_t w = 0; w * 8 < bytes; ++w) {
      // Ordered by the acquire of the sequence number in Team::wait.
      words[w] = line.words[w].load(std::memory_order_relaxed);
    }
    std::memcpy(buffer, words, bytes);
    team_.publish(&team_.my_flags().received, number, Stores::kRegular);
  }
}

void Broadcast::run(float* buffer, size_t count) {
  if (count * sizeof(float) <= kInlineBytes) return run_inline(buffer, count);
  const size_t bytes = count * sizeof(float);
  const size_t floats = team_.tuning().chunk_bytes / sizeof(float) / 2;
  const Stores stores =
      bytes >= team_.tuning().stream_bytes ? Stores::kStreaming : Stores::kRegular;
  for (size_t first = 0; first < count; first += floats) {
    const size_t n = std::min(floats, count - first);
    float* slot = team_.ring(0, RingName::kBroadcast, ring_.take(n * sizeof(float)));
    ++pieces_;
    if (team_.rank() == 0) {
      wait_for_room(pieces_, kPiecesInRing);
      kernels_.copy(slot, buffer + first, n, team_.staging_stores());
      team_.publish(&team_.my_flags().sent, pieces_, team_.staging_stores());
    } else {
      team_.wait(0, team_.flags(0).sent.value, pieces_);
      kernels_.copy(buffer + first, slot, n, stores);
      team_.publish(&team_.my_flags().received, pieces_, Stores::kRegular);
    }
  }
}

}  // namespace goss::limit
