// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// The collectives of limit: all-reduce (float32, sum), broadcast and barrier for the processes of
// one host. No types, no errors, no progress of anything else: only the data and the flags.
#pragma once

#include <sched.h>
#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <new>

#include "../common/bench.h"
#include "kernels.h"

namespace limit {

constexpr int kMaxRanks = 64;
constexpr size_t kLines = 16;
constexpr size_t kSlots = 32;
constexpr size_t kLineBytes = 48;           // payload that travels with its flag
constexpr size_t kOneShotBytes = 16 << 10;  // beyond: reduce-scatter, then all-gather
constexpr size_t kChunkBytes = 64 << 10;    // times kSlots: about twice an L2
constexpr size_t kStreamBytes = 4 << 20;    // outputs of this size will not stay in a cache

// Two lines apart: processors fetch lines in pairs.
struct alignas(128) Line {
  std::atomic<uint64_t> sequence;
  float payload[kLineBytes / sizeof(float)];
};
struct alignas(128) Flag {
  std::atomic<uint64_t> value;
};
struct Shared {
  Line lines[kMaxRanks][kLines];
  Line board[kLines];       // of rank 0, for small broadcasts
  Flag wrote[kMaxRanks];    // chunks that a rank has put into its slots
  Flag reduced[kMaxRanks];  // chunks of which a rank has reduced its part, or that it has read
  alignas(128) size_t agreed;
  goss::perf::Times times;
};

template <class T>
T* map_shared(size_t bytes) {
  void* at = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (at == MAP_FAILED) throw std::bad_alloc();
  (void)madvise(at, bytes, MADV_HUGEPAGE);
  return static_cast<T*>(at);
}

// What the ranks of one point share, mapped before they are forked.
struct World {
  int n = 0;
  bool crowded = false;  // more ranks than CPUs
  bool far = false;
  bool direct = false;
  Shared* shared = nullptr;
  float* slots = nullptr;
  float* users = nullptr;  // --direct: in and out of each rank
  size_t user_floats = 0;

  float* slot(int rank, uint64_t chunk) const {
    return slots + (rank * kSlots + chunk % kSlots) * (kChunkBytes / sizeof(float));
  }
  float* user_in(int rank) const { return users + 2 * rank * user_floats; }
  float* user_out(int rank) const { return user_in(rank) + user_floats; }
};

class Rank {
 public:
  Rank(const World& world, int rank) : w_(world), me_(rank), kernels_(best_kernels()) {}

  int rank() const { return me_; }
  int ranks() const { return w_.n; }
  void barrier() { exchange_lines(nullptr, nullptr, 0); }

  size_t agree(size_t value) {
    if (me_ == 0) w_.shared->agreed = value;
    barrier();
    value = w_.shared->agreed;
    barrier();
    return value;
  }

  void all_reduce(const float* in, float* out, size_t count) {
    const size_t bytes = count * sizeof(float);
    if (bytes <= kLineBytes) return exchange_lines(in, out, count);
    if (bytes <= kOneShotBytes) return one_shot(in, out, count);
    w_.direct ? two_shot_direct(count) : two_shot(in, out, count);
  }

  // From `in` of rank 0 to `out` of the others.
  void broadcast(const float* in, float* out, size_t count) {
    const bool small = count * sizeof(float) <= kLineBytes;
    const bool stream = count * sizeof(float) >= kStreamBytes;
    const size_t step = kChunkBytes / sizeof(float);
    for (size_t at = 0; at < count; at += step) {
      const size_t part = std::min(step, count - at);
      const uint64_t chunk = ++chunk_;
      Line& line = w_.shared->board[chunk % kLines];
      float* slot = small ? line.payload : w_.slot(0, chunk);
      std::atomic<uint64_t>& flag = small ? line.sequence : w_.shared->wrote[0].value;
      if (me_ == 0) {
        await_readers(chunk, small ? kLines : kSlots);
        small ? void(std::memcpy(slot, in, part * sizeof(float)))
              : kernels_.copy(slot, in + at, part, w_.far);
        publish(flag, chunk);
      } else {
        wait(flag, chunk);
        small ? void(std::memcpy(out, slot, part * sizeof(float)))
              : kernels_.copy(out + at, slot, part, stream);
        publish(w_.shared->reduced[me_].value, chunk);
      }
    }
  }

 private:
  void wait(const std::atomic<uint64_t>& flag, uint64_t value) const {
    while (flag.load(std::memory_order_acquire) < value) {
      w_.crowded ? void(sched_yield()) : spin_pause();
    }
  }

  void publish(std::atomic<uint64_t>& flag, uint64_t value) const {
    if (w_.far || w_.direct) stream_fence();
    flag.store(value, std::memory_order_release);
  }

  void wait_all(const Flag* flags, uint64_t value) const {
    for (int r = 0; r < w_.n; ++r) {
      if (r != me_) wait(flags[r].value, value);
    }
  }

  // A slot may be written again when everybody has read what was there.
  void await_readers(uint64_t chunk, uint64_t slots) {
    if (chunk <= all_read_ + slots) return;
    wait_all(w_.shared->reduced, chunk - slots);
    all_read_ = chunk - slots;
  }

  // The payload in the line of the flag. Whoever sees line s of a peer knows that it has finished
  // s - 1, so two lines would do; more keep the reader's polling away from the line that the
  // writer fetches ahead.
  void exchange_lines(const float* in, float* out, size_t count) {
    const uint64_t sequence = ++line_;
    Line& mine = w_.shared->lines[me_][sequence % kLines];
    if (count > 0) std::memcpy(mine.payload, in, count * sizeof(float));
    mine.sequence.store(sequence, std::memory_order_release);
    float total[kLineBytes / sizeof(float)] = {};
    for (int r = 0; r < w_.n; ++r) {
      const Line& line = w_.shared->lines[r][sequence % kLines];
      if (r != me_) wait(line.sequence, sequence);
      for (size_t i = 0; i < count; ++i) total[i] += line.payload[i];
    }
    if (count > 0) std::memcpy(out, total, count * sizeof(float));
    __builtin_prefetch(&w_.shared->lines[me_][(sequence + 2) % kLines], 1);
  }

  // Everybody shows its input and sums all.
  void one_shot(const float* in, float* out, size_t count) {
    const uint64_t chunk = ++chunk_;
    const float* inputs[kMaxRanks];
    kernels_.copy(w_.slot(me_, chunk), in, count, w_.far);
    publish(w_.shared->wrote[me_].value, chunk);
    for (int r = 0; r < w_.n; ++r) inputs[r] = r == me_ ? in : w_.slot(r, chunk);
    wait_all(w_.shared->wrote, chunk);
    kernels_.sum(out, nullptr, inputs, w_.n, count, false, false);
  }

  struct Part {
    size_t begin, count;
  };
  Part part_of(int rank, size_t count) const {
    const size_t each = (count / w_.n + 15) & ~size_t{15};  // parts begin at whole lines
    const size_t begin = std::min(rank * each, count);
    return {begin, rank == w_.n - 1 ? count - begin : std::min(each, count - begin)};
  }

  // Chunk by chunk through the slots: each rank shows its input (1), reduces its part of
  // everybody's (2) and fetches the others' results (3). A step follows the one before it by some
  // chunks, so that the flags waited for are mostly there. The result goes where the rank's own
  // input would be in the slot. Slots need no flags to be free: 2 * lag < kSlots.
  void two_shot(const float* in, float* out, size_t count) {
    const uint64_t lag = w_.crowded ? 7 : 2;
    const size_t step = kChunkBytes / sizeof(float);
    const uint64_t chunks = (count + step - 1) / step;
    const bool stream = count * sizeof(float) >= kStreamBytes;
    for (uint64_t i = 0; i < chunks + 2 * lag; ++i) {
      if (i < chunks) show(in, count, i);
      if (i >= lag && i - lag < chunks) reduce_part(in, out, count, i - lag, stream);
      if (i >= 2 * lag) fetch(out, count, i - 2 * lag, stream);
    }
    chunk_ += chunks;
  }

  static Part chunk_of(size_t count, uint64_t index) {
    const size_t step = kChunkBytes / sizeof(float);
    return {index * step, std::min(step, count - index * step)};
  }

  void show(const float* in, size_t count, uint64_t index) {
    const Part chunk = chunk_of(count, index);
    float* slot = w_.slot(me_, chunk_ + index + 1);
    for (int r = 0; r < w_.n; ++r) {
      const Part part = part_of(r, chunk.count);
      if (r == me_) continue;
      kernels_.copy(slot + part.begin, in + chunk.begin + part.begin, part.count, w_.far);
    }
    publish(w_.shared->wrote[me_].value, chunk_ + index + 1);
  }

  void reduce_part(const float* in, float* out, size_t count, uint64_t index, bool stream) {
    const Part chunk = chunk_of(count, index);
    const uint64_t number = chunk_ + index + 1;
    const Part part = part_of(me_, chunk.count);
    const float* inputs[kMaxRanks];
    for (int r = 0; r < w_.n; ++r) {
      inputs[r] = (r == me_ ? in + chunk.begin : w_.slot(r, number)) + part.begin;
    }
    wait_all(w_.shared->wrote, number);
    kernels_.sum(out + chunk.begin + part.begin, w_.slot(me_, number) + part.begin, inputs, w_.n,
                 part.count, stream, w_.far);
    publish(w_.shared->reduced[me_].value, number);
  }

  void fetch(float* out, size_t count, uint64_t index, bool stream) {
    const Part chunk = chunk_of(count, index);
    const uint64_t number = chunk_ + index + 1;
    for (int k = 1; k < w_.n; ++k) {
      const int r = (me_ + k) % w_.n;
      const Part part = part_of(r, chunk.count);
      wait(w_.shared->reduced[r].value, number);
      kernels_.copy(out + chunk.begin + part.begin, w_.slot(r, number) + part.begin, part.count,
                    stream);
    }
  }

  // The users' buffers are shared: each rank sums its part and writes it to everybody.
  void two_shot_direct(size_t count) {
    const bool stream = w_.far || count * sizeof(float) >= kStreamBytes;
    const Part part = part_of(me_, count);
    barrier();
    const float* inputs[kMaxRanks];
    for (int r = 0; r < w_.n; ++r) inputs[r] = w_.user_in(r) + part.begin;
    float* mine = w_.user_out(me_) + part.begin;
    float* peer = w_.n == 1 ? nullptr : w_.user_out((me_ + 1) % w_.n) + part.begin;
    kernels_.sum(mine, peer, inputs, w_.n, part.count, stream, stream);
    for (int k = 2; k < w_.n; ++k) {
      kernels_.copy(w_.user_out((me_ + k) % w_.n) + part.begin, mine, part.count, stream);
    }
    stream_fence();
    barrier();
  }

  const World& w_;
  const int me_;
  const Kernels kernels_;
  uint64_t line_ = 0, chunk_ = 0, all_read_ = 0;
};

}  // namespace limit
