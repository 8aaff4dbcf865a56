// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Compressed mixing (fp32, fp16, bf16) goes through a message of levels of 3 to 8 bits. Both kinds
// have the form
//   x_i <- x_i + weight * (xhat_j - xhat_i)
// where xhat_i is exactly what the partner decodes of x_i: the two corrections of a pair are the
// same number with opposite signs, so the mean stays.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/types.h"

namespace goss::mixing {

constexpr size_t kBlock = 256;  // elements that share a header in a message
constexpr size_t kBlockHeaderBytes = 8;
constexpr int kMinBits = 3;
constexpr int kMaxBits = 8;

constexpr size_t blocks_of(size_t count) { return (count + kBlock - 1) / kBlock; }
// Bytes of the message about `count` elements: per block a header and `bits` bit planes.
constexpr size_t message_bytes(size_t count, int bits) {
  const size_t rest = count % kBlock;
  const size_t planes = count / kBlock * (kBlock / 8) + (rest + 7) / 8;
  return blocks_of(count) * kBlockHeaderBytes + planes * static_cast<size_t>(bits);
}

enum class Verdict : uint8_t {
  kMixed,
  kMismatch,   // the checksum differs: bound too small, replicas apart, or message damaged
  kNotFinite,  // an Inf or NaN on either side
};
// A block that is not kMixed has been copied from x to dst unchanged; it wants full precision.

// ---- modulo ------------------------------------------------------------------------------------
// Needs a bound on |x_i - x_j| and no memory: the sender rounds to a grid of step 2^e and sends the
// low bits of the grid number; the receiver picks the number with these low bits that is next to
// its own x. A checksum over the high bits tells whether it picked right.

constexpr int32_t kNoExponent = INT32_MIN;  // of a block with an Inf or NaN

struct ModuloEncode {
  const void* x;
  size_t count;
  int bits;
  const float* bounds;  // one per block; anything that is no number > 0 counts as 0
  int32_t* exponents;   // out, one per block; ModuloMix of the same step needs them
  uint8_t* message;     // out, message_bytes(count, bits)
};

struct ModuloMix {
  void* dst;      // may equal x; keep x until the partner has not asked for a repair
  const void* x;  // as it was encoded
  size_t count;
  int bits;
  const int32_t* exponents;  // of the own encoding
  const uint8_t* message;    // the partner's
  float weight = 0.5f;
  Verdict* verdicts;  // out, one per block
  float* observed =
      nullptr;  // optional, out, one per block: largest |xhat_j - x_i|; 0 where not mixed
};

// What a block's bound should be next time: twice what was observed (1.5 times with 4 bits, 1.25
// with 3), but not below half the old bound; twice the old bound where the last one was too small.
float next_bound(int bits, float bound, float observed, Verdict verdict);

// Repair of one block in full precision, count <= kBlock: the partner's xhat as numbers, made of
// its x and exponent by modulo_values, and the mix with them. Blocks with an Inf or NaN are
// repaired with x itself.
void modulo_values(DataType type, const void* x, size_t count, int32_t exponent, float* values);
void modulo_repair(DataType type, void* dst, const void* x, size_t count, int32_t exponent,
                   const float* peer_values, float weight);

// ---- per-edge difference ------------------------------------------------------------------------
// Both ends of an edge keep replicas of both models; what is sent is the change since the last
// message over this edge. Needs no bound, but every message, in order. The checksum over the new
// replica tells whether the replicas of the two ends are still the same.

// What an edge begins with, and begins anew with after a mismatch or a change of partners: x in
// full precision, sent, and taken as the replica by both ends.
void edge_begin(DataType type, const void* x, size_t count, float* replica);

struct EdgeEncode {
  const void* x;
  float* replica;  // in, out: the own replica that the partner holds too
  size_t count;
  int bits;
  uint8_t* message;  // out
};

struct EdgeMix {
  void* dst;      // may equal x
  const void* x;  // as it was encoded
  const float* own_replica;
  float* peer_replica;  // in, out; unchanged where a block is not mixed
  size_t count;
  int bits;
  const uint8_t* message;
  float weight = 0.5f;
  Verdict* verdicts;
  float* observed = nullptr;  // largest |peer replica - own replica|
};

// The mix of a message in full precision, which begins an edge: with replicas that both ends have
// already. No verdicts: an Inf or NaN goes where it goes in any mix.
struct EdgeReplicasMix {
  void* dst;      // may equal x
  const void* x;
  const float* own_replica;
  const float* peer_replica;
  size_t count;
  float weight;
  float* observed;  // out, one per block: largest |peer replica - own replica|
};
void edge_replicas_mix(DataType type, const EdgeReplicasMix& arguments);

}  // namespace goss::mixing
