// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Team: one rank's view of the shared memory in which limit works. It is laid out as one Area for
// each rank, written by that rank only and read by all: flags on lines of their own, lines that
// carry a payload beside their flag, and rings of staging memory. All ranks take the same pieces
// of their rings in the same order, so that a place is known without being sent.
#pragma once

#include <sched.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "common/distance.h"
#include "limit/kernels.h"

namespace goss::limit {

inline constexpr size_t kInlineBytes = 48;
inline constexpr size_t kInlineLines = 4;  // more than the two that correctness needs
inline constexpr size_t kBroadcastLines = 32;

// Found by measurement, on two CPUs near and far. --tune NAME=VALUE overrides for experiments.
struct Tuning {
  size_t ring_bytes;                  // a ring, per rank; twice the L2, so that lines have left
                                      // the writer's L2 when they are written again
  size_t one_shot_bytes = 32 << 10;   // at most this: everyone reads everything
  size_t one_shot_chunk = 16 << 10;   // pipelining unit of one-shot
  size_t chunk_bytes = 256 << 10;     // pipelining unit of two-shot
  size_t stream_bytes = 4 << 20;      // from here on results are written past the caches
  size_t direct_one_shot = 64 << 10;  // as one_shot_bytes, buffers in shared memory
  int spins = 0;                      // oversubscribed: polls before the CPU is given up
  int far_streams = 1;                // 1: streaming stores into the rings when far
  int vector_bits = 512;              // at most; what the CPU has decides
};

struct alignas(128) Flag {
  std::atomic<uint64_t> value{0};
};

struct alignas(128) InlineLine {
  std::atomic<uint64_t> words[kInlineBytes / 8];
  std::atomic<uint64_t> sequence{0};
};

struct Flags {
  InlineLine broadcast_lines[kBroadcastLines];
  InlineLine inline_lines[kInlineLines];
  Flag barrier;
  Flag shared_once;  // one-shot: chunks of input published
  Flag contributed;  // two-shot: chunks of input published
  Flag reduced;      // two-shot: chunks of result published
  Flag sent;         // broadcast: pieces published by the root
  Flag received;     // broadcast: pieces taken by the others
  Flag arrived;      // direct: operations begun
  Flag done;         // direct: operations ended
};

enum class RingName { kOneShot, kContributions, kResults, kBroadcast };
inline constexpr size_t kRings = 4;

class Team {
 public:
  static size_t area_bytes(const Tuning& tuning) {
    return (sizeof(Flags) + 4095) / 4096 * 4096 + kRings * tuning.ring_bytes;
  }

  // `memory` holds nranks areas and is zero. Ranks sit on CPU rank % ncpus.
  Team(std::byte* memory, int rank, int nranks, int ncpus, const Tuning& tuning)
      : memory_(memory), rank_(rank), nranks_(nranks), ncpus_(ncpus), tuning_(tuning) {}

  int rank() const { return rank_; }
  int nranks() const { return nranks_; }
  const Tuning& tuning() const { return tuning_; }
  Flags& flags(int rank) const { return *reinterpret_cast<Flags*>(area(rank)); }
  Flags& my_flags() const { return flags(rank_); }
  float* ring(int rank, RingName name, size_t offset) const {
    const size_t begin = (sizeof(Flags) + 4095) / 4096 * 4096;
    return reinterpret_cast<float*>(area(rank) + begin +
                                    static_cast<size_t>(name) * tuning_.ring_bytes + offset);
  }

  // How staging memory is written: with the CPUs far apart a line that the other CPU has just
  // written is dearer to fetch than one in memory.
  Stores staging_stores() const { return staging_; }
  void set_far(bool far) {
    staging_ = far && tuning_.far_streams != 0 ? Stores::kStreaming : Stores::kRegular;
  }

  void publish(Flag* flag, uint64_t value, Stores stores_before) const {
    if (stores_before == Stores::kStreaming) streaming_fence();
    // Paired with the acquire in wait(): who sees the value sees what was written before.
    flag->value.store(value, std::memory_order_release);
  }

  // Until `flag`, which rank `peer` sets, is at least `value`.
  void wait(int peer, const std::atomic<uint64_t>& flag, uint64_t value) const {
    // Paired with the release in publish() and in the inline path of AllReduce.
    if (flag.load(std::memory_order_acquire) >= value) return;
    // With a CPU for each rank spin, but not so long that a CPU lost to others stops everything.
    // Otherwise a peer on this CPU can do nothing before this rank gives it up.
    const int spins = nranks_ <= ncpus_ ? 100000 : same_cpu(peer) ? 0 : tuning_.spins;
    for (int polls = 0;; ++polls) {
      if (polls < spins) {
        perf::cpu_relax();
      } else {
        sched_yield();
      }
      if (flag.load(std::memory_order_acquire) >= value) return;  // paired as above
    }
  }

  // Until the flag of every other rank is at least `value`.
  void wait_all(Flag Flags::*flag, uint64_t value) const {
    for (int step = 1; step < nranks_; ++step) {
      const int peer = (rank_ + step) % nranks_;
      wait(peer, (flags(peer).*flag).value, value);
    }
  }

 private:
  std::byte* area(int rank) const {
    return memory_ + static_cast<size_t>(rank) * area_bytes(tuning_);
  }
  bool same_cpu(int peer) const { return peer % ncpus_ == rank_ % ncpus_; }

  std::byte* memory_;
  int rank_, nranks_, ncpus_;
  Tuning tuning_;
  Stores staging_ = Stores::kRegular;
};

// Hands out pieces of a ring, the same on all ranks.
class RingCursor {
 public:
  explicit RingCursor(size_t ring_bytes) : ring_bytes_(ring_bytes) {}

  // The offset of the next piece. A piece is at most an eighth of the ring, so that the four pieces
  // that readers may still hold and the piece lost at the end of the ring fit beside it.
  size_t take(size_t bytes) {
    bytes = (bytes + 127) / 128 * 128;
    if (next_ + bytes > ring_bytes_) next_ = 0;
    const size_t offset = next_;
    next_ += bytes;
    return offset;
  }

 private:
  size_t ring_bytes_;
  size_t next_ = 0;
};

}  // namespace goss::limit
