// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Operation: one collective call as a value, and its signature: what all ranks must agree on.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "base/types.h"
#include "collectives/registry.h"
#include "engine/codec_wish.h"
#include "gossamer/compression.h"

struct gossWindow;

namespace goss::engine {

// A stretch of the caller's buffers. Aggregated operations have several.
struct Extent {
  const std::byte* input;
  std::byte* output;
  size_t count;
};

// The counts of calls that were aggregated, in order, as one number: a polynomial, so that two runs
// of calls can be joined; in 5, so that adding a call is quick.
struct CallCounts {
  uint64_t hash = 0;

  void add(size_t count) {
    const uint64_t mixed = count * 0x9e3779b97f4a7c15ULL;
    hash = hash * 5 + (mixed ^ mixed >> 29);  // not linear: 5 a + b must not stand for (a, b)
  }
  // `calls` of them followed.
  void join(const CallCounts& later, uint32_t calls) {
    for (uint64_t power = 5; calls > 0; calls /= 2, power *= power) {
      if (calls % 2 == 1) hash *= power;
    }
    hash += later.hash;
  }
};

// A message to or from one rank, or a one-sided one.
struct Transfer {
  // kPut copies into a window, where there is something to copy, and signals.
  enum class Way : unsigned char { kSend, kReceive, kPut, kWaitSignal };
  Way way = Way::kSend;
  DataType type = gossInt8;
  int peer = 0;
  size_t count = 0;              // elements
  std::byte* buffer = nullptr;   // kSend, kPut: only read
  gossWindow* window = nullptr;  // kPut, of count > 0; outlives the transfer
  size_t offset = 0;             // kPut: byte in the peer's window
  int signal = 0;                // kPut, kWaitSignal: its place in shm::Pair
  uint64_t times = 1;            // kWaitSignal: so many
  // Of a message; both sides give the same wish.
  std::optional<CodecWish> wish = {};   // nothing: the rules of the communicator
  uint64_t seed = 0;                    // of stochastic rounding
  std::optional<uint64_t> step = {};    // likewise; nothing: the number of the message
  gossErrorReport_t* report = nullptr;  // the caller's, until the operation is complete

  bool is_message() const { return way == Way::kSend || way == Way::kReceive; }
  bool to_peer() const { return way == Way::kSend || way == Way::kPut; }
  size_t bytes() const { return count * type_size(type); }
};

const char* way_name(Transfer::Way way);
// "send(count 5, float, to rank 1)".
std::string describe(const Transfer& transfer);

struct CallOptions;

// What a rank multiplies its input by before it is summed (gossRedOpCreatePreMulSum).
struct PreMultiplier {
  bool used = false;         // still to be done
  bool done = false;         // the input is the product
  const void* at = nullptr;  // read when the operation begins; null: the scalar is in `bits`
  uint64_t bits = 0;         // its first bytes
};

// A collective, or messages that are on their way at once: then nothing before `transfers` counts.
struct Operation {
  collectives::Kind kind = collectives::Kind::kBarrier;
  DataType type = gossInt8;
  RedOp op = gossSum;
  int root = 0;
  size_t count = 0;  // elements, of all extents together
  Extent buffer{nullptr, nullptr, 0};
  const Extent* extents = nullptr;  // instead of `buffer` when aggregated; outlives the operation
  size_t nextents = 0;
  PreMultiplier scale;    // `op` is then gossSum
  bool suspends = false;  // a barrier: staging memory is given back with it
  uint32_t calls = 1;     // how many calls of the user were aggregated
  CallCounts counts;      // of each of them
  // A count for each rank's block, of which `count` is the largest, and where the blocks begin in
  // the buffer that has one for each rank. Null: blocks of `count`, one after the other.
  const size_t* block_counts = nullptr;  // outlive the operation
  const size_t* block_places = nullptr;
  const Transfer* transfers = nullptr;  // outlive the operation
  size_t ntransfers = 0;
  const CallOptions* options = nullptr;  // outlives the operation

  size_t bytes() const { return count * type_size(type); }
};

// What a record of the flight recorder says about an operation; the ranks compare it. Inline: every
// call makes one.
struct Signature {
  // In `what`: several calls of a group that move as one. They are never read in place, so a rank
  // whose call is not grouped would wait for others.
  static constexpr uint64_t kGrouped = uint64_t{1} << 63;
  // Likewise: a count for each rank, the largest of which is `count`.
  static constexpr uint64_t kVaried = uint64_t{1} << 62;
  // The root takes 16 bits; behind it are 12 for how it is compressed, 0 for not.
  static constexpr int kRootShift = 32;
  static constexpr int kCodecShift = 48;
  // In place of an op: a sum whose inputs are multiplied first, each by its rank's own scalar.
  static constexpr int kPreMulSum = gossNumOps;

  uint64_t what = 0;  // kind, type, op, algorithm, root, codecs and whether grouped, packed
  uint64_t count = 0;

  // `codecs`: CodecChoice::packed(), or 0.
  static Signature of(const Operation& operation, int algorithm, uint32_t codecs = 0) {
    const auto field = [](auto value, int shift) {
      return static_cast<uint64_t>(static_cast<uint32_t>(value)) << shift;
    };
    const bool scaled = operation.scale.used || operation.scale.done;
    const int op = scaled ? kPreMulSum : static_cast<int>(operation.op);
    return {field(operation.kind, 0) | field(operation.type, 8) | field(op, 16) |
                field(algorithm, 24) | field(operation.root, kRootShift) |
                (static_cast<uint64_t>(codecs) << kCodecShift) |
                (operation.calls > 1 ? kGrouped : 0) |
                (operation.block_counts != nullptr ? kVaried : 0),
            operation.count};
  }

  uint32_t hash() const {
    // The mixing step of wyhash: both halves of one 128-bit product.
    const unsigned __int128 product = static_cast<unsigned __int128>(what ^ 0xa0761d6478bd642fULL) *
                                      (count ^ 0xe7037ed1a0b428dbULL);
    const uint64_t folded = static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
    return static_cast<uint32_t>(folded ^ (folded >> 32));
  }
};

// What ranks tell each other about the operation that a message belongs to.
struct MessageFrame {
  uint64_t signature = 0;
  uint64_t what = 0;
  uint64_t count = 0;
};

// "all_reduce(count 1024, float, sum, twoshot)".
std::string describe(const Signature& signature);

}  // namespace goss::engine
