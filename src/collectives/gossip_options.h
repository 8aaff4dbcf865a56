// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// What a gossip schedule is made from, and which combinations are refused. The engine fills it from
// the user's configuration; all ranks must hold the same (fingerprint() is what they compare).
#pragma once

#include <cstdint>
#include <vector>

#include "base/status.h"

namespace goss::collectives {

enum class Topology : uint8_t {
  kHypercube,      // partner = position xor 2^k: pairs, exact every log2 n steps for n = 2^a
  kDissemination,  // to position + 2^k, from position - 2^k: any n
  kRandomPair,     // a new random matching every step
  kRing,           // both neighbours, a third each: slow, for comparison
  kMixedRadix,     // n = p1 p2 ..: stage i averages groups of p_i ranks; exact for any n
  kFold,           // n = 2^a + r: an exact average in one step of a + 2 rounds, any n
  kCustom,         // the caller's list
};
constexpr int kNumTopologies = 7;
const char* topology_name(Topology topology);

enum class Compression : uint8_t {
  kNone,
  kModulo,          // the level modulo a bound on the disagreement; no memory
  kEdgeDifference,  // what has changed since the last message over this edge; replicas
};
constexpr int kNumCompressions = 3;
const char* compression_name(Compression compression);

constexpr int kMinGossipBits = 3;
constexpr int kMaxGossipBits = 8;

// One phase of a custom list: rank r sends to to[r]; to[r] == r is no exchange. Every rank is named
// once, so every rank receives once.
using CustomPhase = std::vector<int>;

struct GossipOptions {
  // When the living ranks are no power of two, hypercube means dissemination.
  Topology topology = Topology::kHypercube;
  bool hypercube_skips =
      false;             // instead: stay a hypercube, partners that do not exist are skipped
  uint64_t seed = 2403;  // of rotation and random pairs
  bool rotate = false;   // other partners every period
  int global_every = 0;  // every so many steps an exact all-reduce; 0: never
  std::vector<CustomPhase> custom;
  Compression compression = Compression::kNone;
  int bits = kMaxGossipBits;  // of compressed messages
  bool push_sum = false;      // weights travel; for asynchrony, skips and losses
  int staleness = 0;          // what is sent in step t is collected in step t + staleness
};

// Whether this can work with so many ranks; if not, why.
Status check_gossip_options(const GossipOptions& options, int nranks);

// Hash of everything above.
uint64_t fingerprint(const GossipOptions& options);

}  // namespace goss::collectives
