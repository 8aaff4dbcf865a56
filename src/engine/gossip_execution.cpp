// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "engine/gossip_execution.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <tuple>
#include <utility>

#include "base/log.h"
#include "collectives/gossip_permutation.h"

namespace goss::engine {

using collectives::Compression;
using collectives::mix_bits;
using shm::GossipHeader;
using std::chrono::milliseconds;

namespace {

uint64_t shape_of(const GossipCall& call) {
  uint64_t hash = mix_bits(call.buffers.size());
  for (const GossipBuffer& buffer : call.buffers) hash = mix_bits(hash ^ buffer.count);
  return hash;
}

std::string describe(const GossipHeader& header) {
  const bool compressed = header.bits != 0;
  return format("%llu of %s in call %u of step %llu, %s with seed %llu%s",
                static_cast<unsigned long long>(header.count),
                valid_type(header.type) ? type_name(static_cast<DataType>(header.type)) : "?",
                header.part, static_cast<unsigned long long>(header.step),
                collectives::topology_name(static_cast<collectives::Topology>(header.topology)),
                static_cast<unsigned long long>(header.seed),
                compressed ? format(" and %d bits", header.bits).c_str() : "");
}

// Whether a rank that has posted `header` is past what is awaited.
bool is_past(const GossipHeader& header, const GossipHeader& awaited) {
  const auto place = [](const GossipHeader& h) { return std::make_tuple(h.step, h.part, h.round); };
  return place(header) > place(awaited);
}

}  // namespace

bool GossipExecution::agree(const GossipHeader& a, const GossipHeader& b) {
  return a.kind == b.kind && a.count == b.count && a.shape == b.shape && a.type == b.type &&
         a.bits == b.bits && a.topology == b.topology && a.seed == b.seed && a.options == b.options;
}

collectives::GossipAt GossipExecution::at(const Gossip& gossip) const {
  return {call_->step, gossip.rank(), round_};
}

bool GossipExecution::compressed(const Gossip& gossip) const {
  return !global_ && gossip.settings().options.compression != Compression::kNone;
}

GossipHeader GossipExecution::expected(const Gossip& gossip, Kind kind) const {
  GossipHeader header = gossip.header(call_->step, part_);
  header.kind = static_cast<uint8_t>(kind);
  header.round = static_cast<uint16_t>(round_);
  header.count = call_->count();
  header.shape = shape_;
  header.type = static_cast<uint8_t>(call_->type);
  const auto& options = gossip.settings().options;
  header.bits = static_cast<uint8_t>(options.compression == Compression::kNone ? 0 : options.bits);
  return header;
}

Status GossipExecution::mismatch(Gossip& gossip, int peer, const GossipHeader& own,
                                 const GossipHeader& theirs) const {
  const bool lower = gossip.rank() < peer;  // the same text on both sides
  const GossipHeader& first = lower ? own : theirs;
  const GossipHeader& second = lower ? theirs : own;
  const bool other_options = describe(first) == describe(second);
  return goss::fail(
      gossInvalidUsage,
      "gossip of communicator '%s' differs between ranks: %s mixes %s, %s mixes %s%s. All ranks "
      "give the same options, and make the same calls in a step",
      gossip.parts().settings.name.c_str(), gossip.name_of(std::min(gossip.rank(), peer)).c_str(),
      describe(first).c_str(), gossip.name_of(std::max(gossip.rank(), peer)).c_str(),
      describe(second).c_str(),
      other_options ? " (with other options, or buffers of other counts)" : "");
}

Progress GossipExecution::fail(Gossip& gossip, Status failure) {
  failure_ = std::move(failure);
  for (const Incoming& incoming : incoming_) {
    if (incoming.arrival == Arrival::kHere && incoming.payload != nullptr) {
      gossip.mail().release(incoming.letter, LetterState::kTaken);
    }
  }
  for (const Share& share : shares_) gossip.mail().release(share.letter, LetterState::kTaken);
  if (std::exchange(has_payload_, false)) gossip.mail().drop_payload(payload_);
  active_ = false;
  return Progress::kFailed;
}

// What became of earlier letters. Those that their receiver has left behind are taken back: they
// would fill the pair.
Status GossipExecution::review(Gossip& gossip) {
  Status refused;
  const bool late = gossip.settings().options.push_sum;
  std::erase_if(gossip.pending, [&](const Gossip::Pending& pending) {
    LetterState fate = gossip.mail().fate(pending.sent);
    if (fate == LetterState::kReady && !late) {
      const GossipMail::Place there = gossip.mail().place(pending.sent.peer);
      const bool behind = there.gone() || there.steps > pending.header.step + 1;
      if (behind) fate = gossip.mail().withdraw(pending.sent);
    }
    if (fate == LetterState::kReady || fate == LetterState::kReading) return false;
    if (fate == LetterState::kRefused && refused.ok()) {
      refused =
          mismatch(gossip, pending.sent.peer, pending.header, gossip.mail().answer(pending.sent));
    }
    if (pending.edge && fate != LetterState::kTaken) {
      gossip.compression.edge_broken(*pending.edge);
    }
    return true;
  });
  return refused;
}

void GossipExecution::enter(const GossipCall& call, uint32_t part) {
  call_ = &call;
  part_ = part;
  shape_ = shape_of(call);
  failure_ = {};
  active_ = true;
  from_output_ = false;
  round_ = 0;
  stage_ = Stage::kExchange;
  outgoing_.clear();
  incoming_.clear();
  shares_.clear();
  has_payload_ = false;
}

Progress GossipExecution::start(Gossip& gossip, const GossipCall& call) {
  enter(call, 0);
  Status status = review(gossip);
  if (!status.ok()) return fail(gossip, std::move(status));
  Result<uint32_t> entered = gossip.enter(call.step);
  if (!entered.ok()) return fail(gossip, entered.take_status());
  part_ = entered.value();
  global_ = gossip.plan(false).is_global(call.step);
  push_sum_ = gossip.settings().options.push_sum;
  status = push_sum_ ? begin_push(gossip) : begin_round(gossip);
  if (!status.ok()) return fail(gossip, std::move(status));
  return advance(gossip);
}

Progress GossipExecution::finish(Gossip& gossip) {
  gossip.stats.mixes += 1;
  active_ = false;
  ++moved_;
  return Progress::kDone;
}

// ---- a round ------------------------------------------------------------------------------------

Status GossipExecution::begin_round(Gossip& gossip) {
  const collectives::GossipSchedule& plan = gossip.plan(global_);
  began_ = Clock::now();
  waited_ = false;
  outgoing_.clear();
  incoming_.clear();
  exchange_ = plan.exchange(at(gossip));
  for (int i = 0; i < exchange_.sends; ++i) {
    const int peer = plan.send_peer(at(gossip), i);
    if (gossip.believes_alive(peer)) outgoing_.push_back({peer, false, {}});
  }
  for (int i = 0; i < exchange_.receives; ++i) {
    const collectives::Incoming from = plan.receive(at(gossip), i);
    Incoming incoming{from.peer, from.parts, Arrival::kWaiting, 0, {}, nullptr};
    incoming.beats = gossip.mail().place(from.peer).beats;
    // Compressed mixing is a correction of what this rank has sent.
    const bool alone = compressed(gossip) && outgoing_.empty();
    if (!gossip.believes_alive(from.peer) || alone) {
      incoming.arrival = Arrival::kSkipped;
      gossip.stats.skipped += 1;
    }
    incoming_.push_back(incoming);
  }
  return outgoing_.empty() ? Status() : begin_payload(gossip);
}

Status GossipExecution::begin_payload(Gossip& gossip) {
  const int bits = gossip.settings().options.bits;
  const size_t bytes =
      compressed(gossip) ? std::max(call_->bytes(), GossipCompression::encoded_bytes(*call_, bits))
                         : call_->bytes();
  GOSS_TRY_ASSIGN(payload_, gossip.mail().new_payload(bytes));
  has_payload_ = true;
  return encode(gossip, gossip.mail().payload(payload_));
}

Status GossipExecution::encode(Gossip& gossip, std::byte* payload) {
  const auto& options = gossip.settings().options;
  sequence_ = 0;
  if (!compressed(gossip)) {
    call_->for_each([&](const GossipBuffer& buffer, size_t from) {
      if (buffer.count == 0) return;
      std::memcpy(payload + from, own(buffer), buffer.count * type_size(call_->type));
    });
  } else if (options.compression == Compression::kModulo) {
    gossip.compression.modulo_encode(*call_, part_, options.bits, payload);
    sequence_ = 1;
  } else {
    const auto key = gossip.edge_key(call_->step, part_);
    if (gossip.compression.edge_begins(*call_, key, outgoing_.front().peer)) {
      gossip.stats.repairs += 1;
    }
    sequence_ = gossip.compression.edge_encode(*call_, key, options.bits, payload);
  }
  return {};
}

Status GossipExecution::post(Gossip& gossip) {
  for (Outgoing& out : outgoing_) {
    if (out.done) continue;
    GossipHeader header = expected(gossip, global_ ? Kind::kGlobal : Kind::kMix);
    header.sequence = sequence_;
    header.bytes = sequence_ == 0
                       ? call_->bytes()
                       : GossipCompression::encoded_bytes(*call_, gossip.settings().options.bits);
    GOSS_TRY_ASSIGN(out.done, gossip.mail().post(out.peer, header, payload_, &out.sent));
    if (!out.done) continue;
    ++moved_;
    gossip.stats.messages += 1;
    gossip.stats.bytes += header.bytes;
    Gossip::Pending pending{out.sent, header, {}};
    if (compressed(gossip) &&
        gossip.settings().options.compression == Compression::kEdgeDifference) {
      pending.edge = gossip.edge_key(call_->step, part_);
    }
    gossip.pending.push_back(pending);
  }
  const bool all =
      std::all_of(outgoing_.begin(), outgoing_.end(), [](const Outgoing& out) { return out.done; });
  if (all && std::exchange(has_payload_, false)) gossip.mail().drop_payload(payload_);
  return {};
}

// Whether the letter is there. A peer that is past it will not send it any more; but it was posted
// before what says so, and may have been passed over.
Status GossipExecution::look(Gossip& gossip, Incoming* incoming) {
  bool past = false;
  GOSS_TRY(look_once(gossip, incoming, &past));
  if (!past || incoming->arrival != Arrival::kWaiting) return {};
  GOSS_TRY(look_once(gossip, incoming, &past));
  if (past && incoming->arrival == Arrival::kWaiting) miss(gossip, incoming, false);
  return {};
}

Status GossipExecution::look_once(Gossip& gossip, Incoming* incoming, bool* past) {
  const GossipHeader wanted = expected(gossip, global_ ? Kind::kGlobal : Kind::kMix);
  *past = false;
  for (const GossipMail::Letter& letter : gossip.mail().letters(incoming->peer)) {
    const GossipHeader& header = letter.header;
    const bool small = header.kind == static_cast<uint8_t>(Kind::kAsk) ||
                       header.kind == static_cast<uint8_t>(Kind::kRepair);
    if (small) continue;
    *past = *past || is_past(header, wanted);
    if (header.step != wanted.step || header.part != wanted.part || header.round != wanted.round) {
      continue;
    }
    if (!agree(header, wanted)) {
      Status failure = mismatch(gossip, incoming->peer, wanted, header);
      if (gossip.mail().take(letter)) gossip.mail().refuse(letter, wanted);
      return failure;
    }
    // It mixes among other ranks, and may not be a partner there.
    if (header.alive != wanted.alive) {
      miss(gossip, incoming, false);
      return {};
    }
    GOSS_TRY_ASSIGN(incoming->payload, gossip.mail().find_payload(letter));
    if (incoming->payload == nullptr) {
      *past = false;  // it is on the way
      return {};
    }
    if (!gossip.mail().take(letter)) continue;
    incoming->letter = letter;
    incoming->arrival = Arrival::kHere;
    const auto waited = std::chrono::duration_cast<milliseconds>(Clock::now() - began_);
    gossip.history(incoming->peer).add(waited_ ? waited : milliseconds(0));
    ++moved_;
    return {};
  }
  return {};
}

// Go on without this partner, unless it has taken what this rank has sent: then its own letter is
// there.
void GossipExecution::miss(Gossip& gossip, Incoming* incoming, bool suspect) {
  for (Outgoing& out : outgoing_) {
    if (out.peer != incoming->peer) continue;
    const bool back = !out.done || gossip.mail().withdraw(out.sent) == LetterState::kWithdrawn;
    out.done = true;
    if (!back && !gossip.mail().place(out.peer).gone()) return;
  }
  incoming->arrival = Arrival::kSkipped;
  gossip.stats.skipped += 1;
  ++moved_;
  if (suspect) gossip.suspect(incoming->peer);
}

bool GossipExecution::arrived() const {
  return std::all_of(outgoing_.begin(), outgoing_.end(), [](auto& out) { return out.done; }) &&
         std::none_of(incoming_.begin(), incoming_.end(),
                      [](auto& in) { return in.arrival == Arrival::kWaiting; });
}

Progress GossipExecution::advance(Gossip& gossip) {
  for (;;) {
    if (stage_ == Stage::kRepair) {
      Result<bool> repaired = repair(gossip);
      if (!repaired.ok()) return fail(gossip, repaired.take_status());
      if (!repaired.value()) return Progress::kBlocked;
    } else {
      Status status = push_sum_ ? collect(gossip) : post(gossip);
      for (Incoming& incoming : incoming_) {
        if (push_sum_ || !status.ok() || incoming.arrival != Arrival::kWaiting) continue;
        status = look(gossip, &incoming);
      }
      if (!status.ok()) return fail(gossip, std::move(status));
      if (!arrived()) {
        waited_ = true;
        return Progress::kBlocked;
      }
      status = mix(gossip);
      if (!status.ok()) return fail(gossip, std::move(status));
      if (stage_ == Stage::kRepair) continue;
    }
    Result<bool> more = next_round(gossip);
    if (!more.ok()) return fail(gossip, more.take_status());
    if (!more.value()) return finish(gossip);
  }
}

Result<bool> GossipExecution::next_round(Gossip& gossip) {
  stage_ = Stage::kExchange;
  from_output_ = true;
  if (push_sum_ || ++round_ >= gossip.plan(global_).rounds()) return false;
  GOSS_TRY(begin_round(gossip));
  return true;
}

// ---- mixing -------------------------------------------------------------------------------------

Status GossipExecution::mix(Gossip& gossip) {
  if (push_sum_) {
    add_shares(gossip);
    return {};
  }
  if (!compressed(gossip)) {
    mix_exact(gossip);
    for (Incoming& incoming : incoming_) {
      if (incoming.arrival != Arrival::kHere) continue;
      gossip.mail().release(incoming.letter, LetterState::kTaken);
      incoming.payload = nullptr;
    }
    return {};
  }
  if (incoming_.empty() || incoming_.front().arrival != Arrival::kHere) {
    keep_own();
    if (gossip.settings().options.compression == Compression::kModulo) begin_repair(gossip, 0);
    return {};
  }
  mix_compressed(gossip, &incoming_.front());
  return {};
}

void GossipExecution::keep_own() {
  for (const GossipBuffer& buffer : call_->buffers) {
    if (buffer.count == 0 || own(buffer) == buffer.output) continue;
    std::memcpy(buffer.output, own(buffer), buffer.count * type_size(call_->type));
  }
}

// Weighted mean in the order of the ranks. The parts of partners that have not come stay here.
void GossipExecution::mix_exact(Gossip& gossip) {
  struct Source {
    int rank;
    const std::byte* payload;  // null: the own model
    int parts;
  };
  int own_parts = exchange_.own_parts;
  std::vector<Source> sources;
  for (const Incoming& incoming : incoming_) {
    if (incoming.arrival == Arrival::kHere) {
      sources.push_back({incoming.peer, incoming.payload, incoming.parts});
    } else {
      own_parts += incoming.parts;
    }
  }
  if (sources.empty()) return keep_own();
  if (own_parts > 0) sources.push_back({gossip.rank(), nullptr, own_parts});
  std::sort(sources.begin(), sources.end(),
            [](const Source& a, const Source& b) { return a.rank < b.rank; });
  std::vector<double> factors;
  for (const Source& source : sources) factors.push_back(source.parts);
  const mixing::Kernels kernels = mixing::kernels(call_->type);
  std::vector<const void*> places(sources.size());
  mixing::Difference difference;
  double squares = 0;
  call_->for_each([&](const GossipBuffer& buffer, size_t from) {
    if (buffer.count == 0) return;
    for (size_t i = 0; i < sources.size(); ++i) {
      places[i] = sources[i].payload == nullptr ? own(buffer) : sources[i].payload + from;
    }
    kernels.mix({buffer.output, nullptr, places.data(), factors.data(), sources.size(),
                 buffer.count, static_cast<double>(exchange_.total_parts),
                 sources.size() == 2 ? &difference : nullptr});
    squares += difference.sum_of_squares;
  });
  if (sources.size() == 2 && call_->count() > 0) {
    gossip.stats.disagreement.store(std::sqrt(squares / static_cast<double>(call_->count())),
                                    std::memory_order_relaxed);
  }
}

void GossipExecution::mix_compressed(Gossip& gossip, Incoming* incoming) {
  const auto& options = gossip.settings().options;
  GossipCompression& compression = gossip.compression;
  const std::byte* payload = std::exchange(incoming->payload, nullptr);
  if (options.compression == Compression::kModulo) {
    const size_t refused = compression.modulo_mix(*call_, part_, options.bits, payload);
    gossip.mail().release(incoming->letter,
                          refused > 0 ? LetterState::kAsked : LetterState::kTaken);
    begin_repair(gossip, refused);
  } else {
    const bool whole =
        compression.edge_mix(*call_, gossip.edge_key(call_->step, part_), incoming->peer,
                             options.bits, incoming->letter.header.sequence, payload);
    gossip.mail().release(incoming->letter, whole ? LetterState::kTaken : LetterState::kAsked);
  }
  gossip.stats.disagreement.store(compression.disagreement(), std::memory_order_relaxed);
}

// ---- waiting ------------------------------------------------------------------------------------

Progress GossipExecution::check(Gossip& gossip) {
  if (gossip.aborted()) {
    return fail(gossip,
                goss::fail(gossInvalidUsage, "the communicator was aborted during this call"));
  }
  gossip.mail().publish_beat();
  gossip.hear(call_->step);
  const auto waited = std::chrono::duration_cast<milliseconds>(Clock::now() - began_);
  for (Outgoing& out : outgoing_) {
    if (out.done) continue;
    if (gossip.mail().place(out.peer).gone())
      out.done = true;
    else if (waited > gossip.patience(out.peer))
      gossip.mail().make_room(out.peer);
  }
  if (stage_ == Stage::kRepair) {
    Result<bool> lost = lost_in_repair(gossip, waited);
    if (!lost.ok()) return fail(gossip, lost.take_status());
    if (lost.value()) {
      Result<bool> done = repair(gossip);  // it may have done its part just before
      if (!done.ok()) return fail(gossip, done.take_status());
      if (!done.value()) stop_repair(gossip);
    }
    return advance(gossip);
  }
  for (Incoming& incoming : incoming_) {
    if (incoming.arrival != Arrival::kWaiting) continue;
    Status status = examine(gossip, &incoming);
    if (!status.ok()) return fail(gossip, std::move(status));
  }
  return advance(gossip);
}

// Whether to go on waiting for one letter.
Status GossipExecution::examine(Gossip& gossip, Incoming* incoming) {
  const GossipMail::Place place = gossip.mail().place(incoming->peer);
  const bool gone = place.gone() || !gossip.believes_alive(incoming->peer);
  const bool past = place.here && place.steps > call_->step + 1;
  const bool apart =
      place.here && place.steps == call_->step + 1 && place.alive != gossip.alive_hash();
  if (gone || past || apart) {
    if (!push_sum_) GOSS_TRY(look(gossip, incoming));  // it may have posted just before
    if (incoming->arrival == Arrival::kWaiting) miss(gossip, incoming, place.gone_in(call_->step));
    return {};
  }
  const auto waited = std::chrono::duration_cast<milliseconds>(Clock::now() - began_);
  if (gossip.settings().deterministic) return gossip.check_patience(incoming->peer, waited);
  if (waited < gossip.patience(incoming->peer)) return {};
  // A rank that is itself waiting is alive: who holds it up will be found by others.
  miss(gossip, incoming, place.beats == incoming->beats);
  return {};
}

}  // namespace goss::engine
