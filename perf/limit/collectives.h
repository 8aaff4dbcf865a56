// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// The operations of limit, hand-written for one host, floats and sums: what the hardware allows a
// library to reach. One object per rank and kind; ranks call in the same order.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "limit/team.h"

namespace goss::limit {

// All-reduce of private buffers. At most 48 B travel in the line of the flag (inline); a little
// more goes once through staging memory and everyone sums everything (one-shot); more is cut into
// slices, each summed by one rank and fetched by the others (two-shot), in overlapping chunks.
class AllReduce {
 public:
  AllReduce(Team* team, const Kernels& kernels);
  void run(const float* send, float* recv, size_t count);
  const char* variant(size_t bytes) const;

 private:
  struct Chunk {
    size_t first, count;  // elements of the buffer
    size_t offset;        // of the chunk in each rank's ring of contributions
    size_t result_offset;
    uint64_t number;
  };
  struct Slice {
    size_t first, count;  // elements, relative to the chunk
  };

  void run_inline(const float* send, float* recv, size_t count);
  void run_one_shot(const float* send, float* recv, size_t count);
  void run_two_shot(const float* send, float* recv, size_t count);
  Slice slice_of(const Chunk& chunk, int rank) const;
  void contribute(const Chunk& chunk, const float* send);
  void reduce(const Chunk& chunk, const float* send, float* recv, Stores stores);
  void collect(const Chunk& chunk, float* recv, Stores stores);

  Team& team_;
  const Kernels& kernels_;
  uint64_t inline_operations_ = 0;
  uint64_t one_shot_chunks_ = 0;
  uint64_t two_shot_chunks_ = 0;
  RingCursor one_shot_ring_, contribution_ring_, result_ring_;
  std::vector<const float*> sources_;
};

// All-reduce of buffers that are themselves in shared memory: nothing is staged.
class DirectAllReduce {
 public:
  DirectAllReduce(Team* team, const Kernels& kernels);
  // sends[r] and recvs[r] are the buffers of rank r.
  void run(const float* const* sends, float* const* recvs, size_t count);
  const char* variant(size_t bytes) const;

 private:
  void run_one_shot(const float* const* sends, float* recv, size_t count);
  void run_two_shot(const float* const* sends, float* const* recvs, size_t count);

  Team& team_;
  const Kernels& kernels_;
  uint64_t operations_ = 0;
  std::vector<const float*> sources_;
};

// Rank 0's buffer to all others' buffers, in chunks through rank 0's ring.
class Broadcast {
 public:
  Broadcast(Team* team, const Kernels& kernels);
  void run(float* buffer, size_t count);
  const char* variant(size_t bytes) const;

 private:
  void run_inline(float* buffer, size_t count);
  void wait_for_room(uint64_t piece, uint64_t window);

  Team& team_;
  const Kernels& kernels_;
  uint64_t pieces_ = 0;
  uint64_t received_by_all_ = 0;  // as far as rank 0 has looked
  RingCursor ring_;
};

class Barrier {
 public:
  explicit Barrier(Team* team) : team_(*team) {}
  void run() {
    ++rounds_;
    team_.publish(&team_.my_flags().barrier, rounds_, Stores::kRegular);
    team_.wait_all(&Flags::barrier, rounds_);
  }

 private:
  Team& team_;
  uint64_t rounds_ = 0;
};

}  // namespace goss::limit
