// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// GossipCompression: what compressed mixing remembers between steps, and its payloads. A pure state:
// it sees payloads, not letters. Everything is kept for each *part*, the how-manieth call of its
// step, and begins anew when type or counts of a part change.
//
// modulo           a bound per block; a copy of the model until the partner has decoded it
// edge difference  two replicas per phase of the schedule
#pragma once

#include <map>
#include <vector>

#include "engine/gossip_call.h"
#include "mixing/mixing.h"

namespace goss::engine {

class GossipCompression {
 public:
  // ---- modulo
  // Sizes in bytes of a payload of `bits`.
  static size_t encoded_bytes(const GossipCall& call, int bits);
  void modulo_encode(const GossipCall& call, uint32_t part, int bits, std::byte* payload);
  // Mixes what is decoded, into the outputs; returns how many blocks need full precision.
  size_t modulo_mix(const GossipCall& call, uint32_t part, int bits, const std::byte* payload);
  // Which blocks, as a payload of ask_bytes(): 1 for each that is wanted.
  static size_t ask_bytes(const GossipCall& call);
  void ask(uint32_t part, std::byte* payload) const;
  // What a partner has asked for, and the mix with what this rank has asked for.
  static size_t repair_bytes(const GossipCall& call, const std::byte* asked);
  void answer(const GossipCall& call, uint32_t part, const std::byte* asked,
              std::byte* payload) const;
  void repair(const GossipCall& call, uint32_t part, int bits, const std::byte* payload);

  // ---- per-edge difference
  struct EdgeKey {
    uint32_t part;
    int phase;
    auto operator<=>(const EdgeKey&) const = default;
  };
  // Whether the next payload of this edge begins it anew, in full precision.
  bool edge_begins(const GossipCall& call, EdgeKey key, int to);
  // Its number since the edge has begun: 0 in full precision.
  uint32_t edge_encode(const GossipCall& call, EdgeKey key, int bits, std::byte* payload);
  // A payload was not read, or could not be decoded: the edge begins anew.
  void edge_broken(EdgeKey key);
  // False: cannot be decoded, or some blocks not; the partner has to begin the edge anew. What can
  // be mixed has been.
  bool edge_mix(const GossipCall& call, EdgeKey key, int from, int bits, uint32_t sequence,
                const std::byte* payload);
  // The partners have changed.
  void forget_edges() { edges_.clear(); }

  // Root mean square of partner - own, as far as the last mix has shown it.
  double disagreement() const { return disagreement_; }

 private:
  struct Part {
    DataType type = gossFloat32;
    std::vector<size_t> counts;
    std::vector<float> bounds;  // one per block, as what follows
    std::vector<int32_t> exponents;
    std::vector<mixing::Verdict> verdicts;
    std::vector<float> observed;
    std::vector<std::byte> model;  // as it was encoded
  };
  struct Edge {
    int to = -1;
    int from = -1;
    uint32_t sent = 0;      // next number
    uint32_t received = 0;  // number that is expected
    bool broken = false;
    std::vector<float> own;  // what the partner holds of this rank, and the other way round
    std::vector<float> peer;
  };

  Part& part(const GossipCall& call, uint32_t number);
  template <class Fn>
  static void for_each_block(const GossipCall& call, Fn fn);

  std::map<uint32_t, Part> parts_;
  std::map<EdgeKey, Edge> edges_;
  double disagreement_ = 0;
};

}  // namespace goss::engine
