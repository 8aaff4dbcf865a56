// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// What gossip has in a segment: a board for each rank, which its owner writes and everybody reads,
// and letters from each rank to each other rank.
//
// A letter is read where its sender keeps it; nobody writes into another's memory. So a late
// message can land nowhere: it is taken by its receiver or taken back by its sender, and one word
// decides which. A reader that stops in the middle keeps its letter in quarantine: the
// sender uses neither slot nor payload again before it has been read, or the reader is dead.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "base/types.h"

namespace goss::shm {

// What a letter is about. Alike in shared memory and on a network.
struct GossipHeader {
  uint64_t instance = 0;  // which gossip object of the communicator, counted from 1
  uint64_t step = 0;
  uint64_t alive = 0;  // hash of the set of ranks that the sender mixes among
  uint64_t seed = 0;
  uint64_t options = 0;  // fingerprint of the rest of the options
  uint64_t count = 0;    // elements, of all buffers
  uint64_t shape = 0;    // hash of the counts of the buffers
  uint64_t bytes = 0;    // of the payload
  double weight = 1;     // of push-sum
  uint32_t part = 0;     // the how-manieth call of its step
  uint32_t sequence = 0;  // per-edge difference: letters since the edge has begun
  uint16_t round = 0;
  uint8_t kind = 0;
  uint8_t type = 0;
  uint8_t topology = 0;
  uint8_t bits = 0;  // 0: full precision
  uint16_t reserved = 0;
};
static_assert(sizeof(GossipHeader) == 88);

// In the low bits of a state; the rest is the generation, which grows with every letter.
enum class LetterState : uint64_t {
  kFree,
  kReady,      // the sender's, who may take it back
  kReading,    // the receiver's
  kTaken,      // read
  kAsked,      // read, and the receiver wants it in full precision
  kRefused,    // read, and it does not fit: `answer` is what the receiver would have sent
  kWithdrawn,  // taken back
};
constexpr int kLetterStateBits = 3;

constexpr size_t kGossipHeaderWords = sizeof(GossipHeader) / sizeof(uint64_t);

struct alignas(kCacheLine) GossipSlot {
  // Atomic, because a receiver looks at a letter before it takes it; then it asks the state again.
  std::atomic<uint64_t> header[kGossipHeaderWords];
  std::atomic<uint64_t> memory_id;  // the payload: memory that the sender has announced; 0: none
  GossipHeader answer;              // written by the receiver before kRefused
};
static_assert(sizeof(GossipSlot) == 3 * kCacheLine);

constexpr int kGossipSlots = 16;

// Letters from one rank to another.
struct alignas(4096) GossipPair {
  std::atomic<uint64_t> states[kGossipSlots];  // of the slots: two lines to look at
  GossipSlot slots[kGossipSlots];              // written by the sender, but for the answers
};
static_assert(sizeof(GossipPair) == 4096);

struct alignas(4096) GossipBoard {
  std::atomic<uint64_t> instance{0};  // of the object that is there, or was there last
  std::atomic<uint64_t> closing{0};   // instances up to here make no more calls
  std::atomic<uint64_t> left{0};      // instances up to here have left
  std::atomic<uint64_t> steps{0};     // 1 + the owner's step; it posts nothing more for earlier ones
  std::atomic<uint64_t> alive{0};     // hash of the set that it mixes among
  std::atomic<uint64_t> beats{0};     // grows while it waits for somebody
  std::atomic<uint64_t> news{0};      // grows with every change of what follows
  // One for each rank: collectives/gossip_membership.h.
  alignas(2 * kCacheLine) std::atomic<uint32_t> versions[1024];
};
static_assert(sizeof(GossipBoard) == 8192);

}  // namespace goss::shm
