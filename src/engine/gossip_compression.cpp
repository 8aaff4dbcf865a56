// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "engine/gossip_compression.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace goss::engine {

using mixing::blocks_of;
using mixing::kBlock;
using mixing::Verdict;

namespace {

constexpr float kHalf = 0.5f;
constexpr size_t kRepairBytes = kBlock * sizeof(float);  // of one block

size_t all_blocks(const GossipCall& call) {
  size_t blocks = 0;
  for (const GossipBuffer& buffer : call.buffers) blocks += blocks_of(buffer.count);
  return blocks;
}

const uint8_t* bytes_of(const std::byte* payload) {
  return reinterpret_cast<const uint8_t*>(payload);
}
uint8_t* bytes_of(std::byte* payload) { return reinterpret_cast<uint8_t*>(payload); }

// Of the largest differences of blocks: an upper estimate of the disagreement.
double mean_square(const std::vector<float>& largest) {
  double sum = 0;
  for (const float value : largest) sum += static_cast<double>(value) * static_cast<double>(value);
  return largest.empty() ? 0 : std::sqrt(sum / static_cast<double>(largest.size()));
}

}  // namespace

size_t GossipCompression::encoded_bytes(const GossipCall& call, int bits) {
  size_t bytes = 0;
  for (const GossipBuffer& b : call.buffers) bytes += mixing::message_bytes(b.count, bits);
  return bytes;
}

// fn(block, its element in the payload, its buffer, its element there, its length).
template <class Fn>
void GossipCompression::for_each_block(const GossipCall& call, Fn fn) {
  size_t block = 0;
  size_t before = 0;
  for (const GossipBuffer& buffer : call.buffers) {
    for (size_t first = 0; first < buffer.count; first += kBlock, ++block) {
      fn(block, before + first, buffer, first, std::min(kBlock, buffer.count - first));
    }
    before += buffer.count;
  }
}

GossipCompression::Part& GossipCompression::part(const GossipCall& call, uint32_t number) {
  Part& part = parts_[number];
  std::vector<size_t> counts;
  for (const GossipBuffer& buffer : call.buffers) counts.push_back(buffer.count);
  if (part.type == call.type && part.counts == counts) return part;
  const size_t blocks = all_blocks(call);
  part = {};
  part.type = call.type;
  part.counts = std::move(counts);
  part.bounds.assign(blocks, 0);  // nothing is known: the first mix is repaired block by block
  part.exponents.assign(blocks, 0);
  part.verdicts.assign(blocks, Verdict::kMixed);
  part.observed.assign(blocks, 0);
  part.model.resize(call.bytes());
  return part;
}

// ---- modulo -------------------------------------------------------------------------------------

void GossipCompression::modulo_encode(const GossipCall& call, uint32_t number, int bits,
                                      std::byte* payload) {
  Part& p = part(call, number);
  const mixing::Kernels kernels = mixing::kernels(call.type);
  size_t block = 0;
  size_t at = 0;
  call.for_each([&](const GossipBuffer& buffer, size_t from) {
    if (buffer.count == 0) return;
    std::memcpy(p.model.data() + from, buffer.input, buffer.count * type_size(call.type));
    kernels.modulo_encode({p.model.data() + from, buffer.count, bits, p.bounds.data() + block,
                           p.exponents.data() + block, bytes_of(payload) + at});
    block += blocks_of(buffer.count);
    at += mixing::message_bytes(buffer.count, bits);
  });
}

size_t GossipCompression::modulo_mix(const GossipCall& call, uint32_t number, int bits,
                                     const std::byte* payload) {
  Part& p = part(call, number);
  const mixing::Kernels kernels = mixing::kernels(call.type);
  size_t block = 0;
  size_t at = 0;
  size_t refused = 0;
  call.for_each([&](const GossipBuffer& buffer, size_t from) {
    if (buffer.count == 0) return;
    refused += kernels.modulo_mix({buffer.output, p.model.data() + from, buffer.count, bits,
                                   p.exponents.data() + block, bytes_of(payload) + at, kHalf,
                                   p.verdicts.data() + block, p.observed.data() + block});
    block += blocks_of(buffer.count);
    at += mixing::message_bytes(buffer.count, bits);
  });
  for (size_t b = 0; b < p.bounds.size(); ++b) {
    // Of a block that is to be repaired when it is: then its disagreement is known.
    if (p.verdicts[b] != Verdict::kMixed) continue;
    p.bounds[b] = mixing::next_bound(bits, p.bounds[b], p.observed[b], Verdict::kMixed);
  }
  disagreement_ = mean_square(p.observed);
  return refused;
}

size_t GossipCompression::ask_bytes(const GossipCall& call) { return all_blocks(call); }

void GossipCompression::ask(uint32_t number, std::byte* payload) const {
  const Part& p = parts_.at(number);
  for (size_t b = 0; b < p.verdicts.size(); ++b) {
    payload[b] = std::byte{p.verdicts[b] == Verdict::kMixed ? uint8_t{0} : uint8_t{1}};
  }
}

size_t GossipCompression::repair_bytes(const GossipCall& call, const std::byte* asked) {
  const size_t blocks = all_blocks(call);
  return kRepairBytes * (blocks - static_cast<size_t>(std::count(asked, asked + blocks,
                                                                 std::byte{0})));
}

void GossipCompression::answer(const GossipCall& call, uint32_t number, const std::byte* asked,
                               std::byte* payload) const {
  const Part& p = parts_.at(number);
  const size_t element = type_size(call.type);
  std::byte* out = payload;
  for_each_block(call, [&](size_t block, size_t at, const GossipBuffer&, size_t, size_t count) {
    if (asked[block] == std::byte{0}) return;
    float values[kBlock] = {};
    mixing::modulo_values(call.type, p.model.data() + at * element, count, p.exponents[block],
                          values);
    std::memcpy(out, values, kRepairBytes);
    out += kRepairBytes;
  });
}

void GossipCompression::repair(const GossipCall& call, uint32_t number, int bits,
                               const std::byte* payload) {
  Part& p = part(call, number);
  const size_t element = type_size(call.type);
  const std::byte* in = payload;
  for_each_block(call, [&](size_t block, size_t at, const GossipBuffer& buffer, size_t first,
                           size_t count) {
    if (p.verdicts[block] == Verdict::kMixed) return;
    float theirs[kBlock];
    float own[kBlock];
    std::memcpy(theirs, in, kRepairBytes);
    in += kRepairBytes;
    const std::byte* x = p.model.data() + at * element;
    mixing::modulo_repair(call.type, buffer.output + first * element, x, count, p.exponents[block],
                          theirs, kHalf);
    mixing::edge_begin(call.type, x, count, own);
    float largest = 0;
    for (size_t i = 0; i < count; ++i) largest = std::max(largest, std::abs(theirs[i] - own[i]));
    if (std::isfinite(largest)) {
      p.bounds[block] = mixing::next_bound(bits, p.bounds[block], largest, Verdict::kMixed);
      p.observed[block] = largest;
    }
  });
  disagreement_ = mean_square(p.observed);
}

// ---- per-edge difference ------------------------------------------------------------------------

bool GossipCompression::edge_begins(const GossipCall& call, EdgeKey key, int to) {
  Edge& edge = edges_[key];
  const bool goes_on = edge.to == to && !edge.broken && edge.own.size() == call.count();
  if (goes_on) return false;
  edge.to = to;
  edge.sent = 0;
  edge.own.assign(call.count(), 0);
  return true;
}

uint32_t GossipCompression::edge_encode(const GossipCall& call, EdgeKey key, int bits,
                                        std::byte* payload) {
  Edge& edge = edges_.at(key);
  const mixing::Kernels kernels = mixing::kernels(call.type);
  const size_t element = type_size(call.type);
  size_t at = 0;
  call.for_each([&](const GossipBuffer& buffer, size_t from) {
    if (buffer.count == 0) return;
    float* replica = edge.own.data() + from / element;
    if (edge.sent == 0) {
      mixing::edge_begin(call.type, buffer.input, buffer.count, replica);
      std::memcpy(payload + from, buffer.input, buffer.count * element);
      return;
    }
    kernels.edge_encode({buffer.input, replica, buffer.count, bits, bytes_of(payload) + at});
    at += mixing::message_bytes(buffer.count, bits);
  });
  edge.broken = false;
  return edge.sent++;
}

void GossipCompression::edge_broken(EdgeKey key) {
  const auto edge = edges_.find(key);
  if (edge != edges_.end()) edge->second.broken = true;
}

bool GossipCompression::edge_mix(const GossipCall& call, EdgeKey key, int from, int bits,
                                 uint32_t sequence, const std::byte* payload) {
  Edge& edge = edges_[key];
  const size_t count = call.count();
  const bool known = edge.from == from && edge.peer.size() == count && sequence == edge.received;
  if (sequence != 0 && !known) return false;
  edge.from = from;
  edge.received = sequence + 1;
  edge.peer.resize(count);
  const mixing::Kernels kernels = mixing::kernels(call.type);
  const size_t element = type_size(call.type);
  std::vector<Verdict> verdicts(all_blocks(call), Verdict::kMixed);
  std::vector<float> observed(verdicts.size(), 0);
  size_t at = 0;
  size_t block = 0;
  size_t refused = 0;
  call.for_each([&](const GossipBuffer& buffer, size_t begin) {
    if (buffer.count == 0) return;
    float* peer = edge.peer.data() + begin / element;
    const float* own = edge.own.data() + begin / element;
    if (sequence == 0) {
      mixing::edge_begin(call.type, payload + begin, buffer.count, peer);
      mixing::edge_replicas_mix(call.type, {buffer.output, buffer.input, own, peer, buffer.count,
                                            kHalf, observed.data() + block});
    } else {
      refused += kernels.edge_mix({buffer.output, buffer.input, own, peer, buffer.count, bits,
                                   bytes_of(payload) + at, kHalf, verdicts.data() + block,
                                   observed.data() + block});
    }
    at += mixing::message_bytes(buffer.count, bits);
    block += blocks_of(buffer.count);
  });
  disagreement_ = mean_square(observed);
  if (refused > 0) edge.from = -1;
  return refused == 0;
}

}  // namespace goss::engine
