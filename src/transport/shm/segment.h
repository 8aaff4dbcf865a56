// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Segment: the shared memory of one communicator on one host, and the layout of what is in it.
//
//   header      who it belongs to, who noticed the first failure, the count of sleepers
//   rank areas  flags, inline payloads, records and the failure of each rank, written by that rank
//               only
//   rings       staging cells of each rank, written by that rank, read by all
//   pairs       messages from each rank to each other rank
//   gossip      a board of each rank, letters from each rank to each other rank (gossip_area.h)
//
// Every counter only grows, so nothing is ever reset. The pages of header and areas are allocated
// when the segment is made, those of a ring cell when its owner first uses them (allocate_cell),
// those of a pair and of gossip likewise, so that an idle communicator costs a few pages and lack
// of memory is an error and not a SIGBUS.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "base/mapped_region.h"
#include "base/types.h"
#include "transport/shm/gossip_area.h"

namespace goss::shm {

constexpr size_t kCellBytes = 64 * 1024;
// 32 cells are 2 MiB, twice the L2 of current server cores: a cell has left the writer's L2 for the
// shared cache when its turn comes again, which measured fastest (docs/performance.md).
constexpr int kCells = 32;
constexpr size_t kRingBytes = kCellBytes * kCells;
constexpr int kPhases = 4;
constexpr int kRecords = 64;
constexpr size_t kLineBytes = 56;      // payload in the flag's own line
constexpr size_t kInlineBytes = 1016;  // and in the lines that follow it
constexpr int kBroadcastLines = 48;

// A line of 64 bytes that its owner writes and everybody polls.
struct alignas(kCacheLine) FlagLine {
  // Sequence number (high 32 bits) and hash of the signature (low) of the owner's current
  // operation; stored before the first flag of the operation.
  std::atomic<uint64_t> signature{0};
  // phase[k] = t: cells of all tickets < t are published in phase k.
  std::atomic<uint64_t> phase[kPhases]{};
  // Cells of all tickets < done have been read: their owners may write them again.
  std::atomic<uint64_t> done{0};
  // Direct operations (user memory read in place) that this rank has finished reading for.
  std::atomic<uint64_t> direct_done{0};
  // Broadcasts in lines that this rank has read.
  std::atomic<uint64_t> broadcast_done{0};
};
static_assert(sizeof(FlagLine) == kCacheLine);

// Payload behind its flag: an operation of <= kLineBytes is one line, stored once and loaded n-1
// times; up to kInlineBytes the lines that follow come with the first.
template <size_t kBytes>
struct alignas(kCacheLine) Payload {
  std::atomic<uint64_t> signature{0};  // as FlagLine::signature; stored after the payload
  std::byte payload[kBytes];
};
using PayloadLine = Payload<kLineBytes>;
static_assert(sizeof(PayloadLine) == kCacheLine);
// Larger than one line even when one is used: prefetchers fetch pairs, and a vector load may reach
// beyond it.
struct alignas(2 * kCacheLine) InlinePayload : Payload<kInlineBytes> {};
static_assert(sizeof(InlinePayload) == kInlineBytes + sizeof(uint64_t));

// One operation of the flight recorder, which is also its signature for the other ranks.
struct alignas(kCacheLine) Record {
  std::atomic<uint64_t> signature{0};  // as above; stored last
  std::atomic<uint64_t> what{0};  // packed kind, type, op, algorithm, root (engine/operation.h)
  std::atomic<uint64_t> count{0};
  // Where the owner's buffers are when peers may use them in place: id of the allocation (0: not
  // shared) and byte offset. kWritable in output_offset: peers store their results there.
  static constexpr uint64_t kWritable = uint64_t{1} << 63;
  std::atomic<uint64_t> input_id{0};
  std::atomic<uint64_t> input_offset{0};
  std::atomic<uint64_t> output_id{0};
  std::atomic<uint64_t> output_offset{0};
};
static_assert(sizeof(Record) == kCacheLine);

enum class RankState : uint32_t { kAbsent, kAttached, kLeft };

struct alignas(4096) RankArea {
  FlagLine flags;
  InlinePayload inlines[2];                                   // used in turn
  alignas(2 * kCacheLine) std::atomic<uint32_t> doorbell{0};  // futex word of the owner
  std::atomic<uint32_t> dozing{0};                            // 1 while the owner sleeps on it
  std::atomic<RankState> state{RankState::kAbsent};
  std::atomic<uint32_t> completed{0};  // operations completed, for messages about this rank
  std::atomic<uint32_t> writing{0};    // 1 while the owner may be storing into peers' buffers
  // What the owner has been waiting for since it last moved a message: 0 nothing, else 1 + 2 * rank
  // + (0: to send to it, 1: to receive from it).
  std::atomic<uint32_t> waiting{0};
  alignas(2 * kCacheLine) Record records[kRecords];
  PayloadLine broadcasts[kBroadcastLines];  // of this rank as root, used in turn
  // What the owner noticed first; written before Header::fault names this area, never after.
  int32_t fault_code{0};
  char fault_text[1024]{};
};

constexpr int kPairEntries = 4;
constexpr size_t kPairSlotBytes = 16 * 1024;
constexpr size_t kPairInlineBytes = 208;

// One piece of a message. All of a message that is not longer than kPairInlineBytes, else what is
// in the slot of the same index, or a reference to memory that the receiver reads in place.
struct alignas(kCacheLine) PairEntry {
  static constexpr uint64_t kInPlace = uint64_t{1} << 63;  // in `what`

  std::atomic<uint64_t> turn{0};  // entry number t is readable when this is t + 1
  uint64_t what;                  // type of the elements
  uint64_t count;                 // elements of the whole message
  uint64_t bytes;                 // of this piece
  uint64_t memory_id;             // kInPlace: allocation and byte offset
  uint64_t memory_offset;
  std::byte payload[kPairInlineBytes];
};
static_assert(sizeof(PairEntry) == 4 * kCacheLine);

// Kinds of signals of one-sided messages (engine/one_sided.h) from one rank to another.
constexpr int kPairSignals = GOSS_SIGNALS * GOSS_SIGNAL_CONTEXTS;

// Messages from one rank to another, in order. Entry number t lies in entries[t % kPairEntries].
struct alignas(4096) Pair {
  PairEntry entries[kPairEntries];                         // written by the sender
  alignas(2 * kCacheLine) std::atomic<uint64_t> taken{0};  // entries that the receiver has read
  alignas(2 * kCacheLine) std::atomic<uint64_t> signals[kPairSignals];  // counted by the sender
  alignas(4096) std::byte slots[kPairEntries][kPairSlotBytes];          // written by the sender
};
constexpr size_t kPairControlBytes = offsetof(Pair, slots);
static_assert(kPairControlBytes == 4096);  // one page

struct alignas(4096) Header {
  uint8_t nonce[16];
  uint32_t nranks;
  // The first failure: 0 none, else 1 + the area in which it is written. Set once.
  alignas(2 * kCacheLine) std::atomic<uint32_t> fault{0};
  alignas(2 * kCacheLine) std::atomic<uint32_t> dozing{0};  // number of ranks that sleep
};

class Segment;
using SegmentPtr = std::shared_ptr<Segment>;  // shared: ranks of this process

class Segment {
 public:
  using Nonce = std::string;  // 16 bytes

  static size_t bytes_for(int nranks);
  // Make it and remember it under its nonce for the other ranks of this process.
  static Result<SegmentPtr> create(int nranks, const Nonce& nonce);
  // Map what another process made, after checking size, seals and nonce; remembered as well.
  static Result<SegmentPtr> attach(UniqueFd fd, int nranks, const Nonce& nonce);
  // What a rank of this process has created or attached, or null.
  static SegmentPtr find(const Nonce& nonce);

  Header& header() const { return *reinterpret_cast<Header*>(region_.data()); }
  RankArea& area(int rank) const {
    return *reinterpret_cast<RankArea*>(region_.data() + sizeof(Header) +
                                        static_cast<size_t>(rank) * sizeof(RankArea));
  }
  std::byte* ring(int rank) const { return region_.data() + ring_offset(rank); }
  Pair& pair(int sender, int receiver) const {
    return *reinterpret_cast<Pair*>(region_.data() + pair_offset(sender, receiver));
  }
  // Pages for a pair: its entries, or its slots too.
  Status allocate_pair(int sender, int receiver, bool slots);
  GossipBoard& gossip_board(int rank) const {
    return *reinterpret_cast<GossipBoard*>(region_.data() + gossip_offset() +
                                           static_cast<size_t>(rank) * sizeof(GossipBoard));
  }
  GossipPair& gossip_pair(int sender, int receiver) const {
    return *reinterpret_cast<GossipPair*>(region_.data() + gossip_pair_offset(sender, receiver));
  }
  // Pages for the boards of all ranks; for the letters of a pair.
  Status allocate_gossip_boards();
  Status allocate_gossip_pair(int sender, int receiver);
  // Pages for the first `bytes` of a cell, whose first `before` bytes (0 or what an earlier call
  // returned) have theirs. Returns how many bytes now have pages.
  Result<size_t> allocate_cell(int rank, int cell, size_t before, size_t bytes);
  // Give the pages of a rank's cells back, or those of a pair's slots. What lies there is lost.
  void release_ring(int rank) const;
  void release_slots(int sender, int receiver) const;
  int fd() const { return fd_.get(); }
  int nranks() const { return nranks_; }
  size_t bytes() const { return region_.bytes(); }

 private:
  Segment(UniqueFd fd, MappedRegion region, int nranks)
      : fd_(std::move(fd)), region_(std::move(region)), nranks_(nranks) {}
  size_t ring_offset(int rank) const;
  size_t pair_offset(int sender, int receiver) const;
  size_t gossip_offset() const;
  size_t gossip_pair_offset(int sender, int receiver) const;

  UniqueFd fd_;
  MappedRegion region_;
  int nranks_;
};

}  // namespace goss::shm
