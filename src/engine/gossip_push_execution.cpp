// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// GossipExecution, push-sum. The buffers hold z = x / w, and a letter carries z and the weight that
// it is worth: z' = (w z + sum of w_j z_j) / (w + sum of w_j). So nothing of the model is scaled,
// and a letter that comes late, or is taken back, is just one more term.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "engine/gossip_execution.h"

namespace goss::engine {

namespace {

// Letters to one rank that may wait for it at once. The one before them is taken back.
constexpr size_t kMostWaiting = shm::kGossipSlots / 2;

}  // namespace

Status GossipExecution::begin_push(Gossip& gossip) {
  began_ = Clock::now();
  waited_ = false;
  keep_own();
  from_output_ = true;
  GOSS_TRY(take_back(gossip, false));
  GOSS_TRY(share(gossip));
  const auto stale = static_cast<uint64_t>(gossip.settings().options.staleness);
  if (call_->step < stale) return {};
  // What was sent in that step is awaited; what has come since is welcome.
  const collectives::GossipAt then{call_->step - stale, gossip.rank(), 0};
  const collectives::GossipSchedule& plan = gossip.plan(false);
  const int receives = plan.exchange(then).receives;
  for (int i = 0; i < receives; ++i) {
    const int peer = plan.receive(then, i).peer;
    if (!gossip.believes_alive(peer)) continue;
    Incoming incoming{peer, 0, Arrival::kWaiting, gossip.mail().place(peer).beats, {}, nullptr};
    incoming_.push_back(incoming);
  }
  return {};
}

Status GossipExecution::flush(Gossip& gossip, const GossipCall& call, uint32_t part) {
  enter(call, part);
  keep_own();
  from_output_ = true;
  Status status = review(gossip);
  if (status.ok()) status = take_back(gossip, true);
  gossip.note_weight();
  active_ = false;
  return status;
}

// Shares that will not be read: of the dead, and of ranks that are too far behind; or all.
Status GossipExecution::take_back(Gossip& gossip, bool all) {
  std::vector<size_t> waiting(static_cast<size_t>(gossip.parts().nranks), 0);
  const shm::GossipHeader own = expected(gossip, Kind::kPushSum);
  for (size_t i = gossip.pending.size(); i-- > 0;) {
    const Gossip::Pending& pending = gossip.pending[i];
    const int peer = pending.sent.peer;
    if (pending.header.part != part_ || pending.header.shape != own.shape) continue;
    const bool many = ++waiting[static_cast<size_t>(peer)] > kMostWaiting;
    if (!all && !many && gossip.believes_alive(peer)) continue;
    const std::byte* payload = gossip.mail().sent_payload(pending.sent);
    if (payload == nullptr) continue;
    if (gossip.mail().withdraw(pending.sent) != LetterState::kWithdrawn) continue;
    add(gossip, payload, gossip.push_sum.weight(), pending.header.weight);
    gossip.push_sum.take_back(pending.header.weight);
    gossip.stats.skipped += 1;
    gossip.pending.erase(gossip.pending.begin() + static_cast<std::ptrdiff_t>(i));
  }
  return {};
}

// z <- (own z + share payload) / (own + share).
void GossipExecution::add(Gossip&, const std::byte* payload, double own, double share) {
  const mixing::Kernels kernels = mixing::kernels(call_->type);
  const double factors[] = {own, share};
  call_->for_each([&](const GossipBuffer& buffer, size_t from) {
    if (buffer.count == 0) return;
    const void* sources[] = {buffer.output, payload + from};
    kernels.mix({buffer.output, nullptr, sources, factors, 2, buffer.count, own + share, nullptr});
  });
}

Status GossipExecution::share(Gossip& gossip) {
  const collectives::GossipSchedule& plan = gossip.plan(false);
  exchange_ = plan.exchange(at(gossip));
  if (exchange_.sends == 0) return {};
  GOSS_TRY_ASSIGN(const size_t payload, gossip.mail().new_payload(call_->bytes()));
  call_->for_each([&](const GossipBuffer& buffer, size_t from) {
    if (buffer.count == 0) return;
    std::memcpy(gossip.mail().payload(payload) + from, buffer.output,
                buffer.count * type_size(call_->type));
  });
  const int parts = (exchange_.total_parts - exchange_.own_parts) / exchange_.sends;
  Status status;
  int left = exchange_.total_parts;
  for (int i = 0; i < exchange_.sends && status.ok(); ++i, left -= parts) {
    const int peer = plan.send_peer(at(gossip), i);
    if (!gossip.believes_alive(peer)) {
      gossip.stats.skipped += 1;
      continue;
    }
    shm::GossipHeader header = expected(gossip, Kind::kPushSum);
    header.bytes = call_->bytes();
    header.weight = gossip.push_sum.send(parts, left);
    Gossip::Pending pending{{}, header, {}};
    Result<bool> posted = gossip.mail().post(peer, header, payload, &pending.sent);
    if (posted.ok() && posted.value()) {
      gossip.pending.push_back(pending);
      gossip.stats.messages += 1;
      gossip.stats.bytes += header.bytes;
      continue;
    }
    gossip.push_sum.take_back(header.weight);
    gossip.stats.skipped += 1;
    if (!posted.ok()) status = posted.take_status();
  }
  gossip.mail().drop_payload(payload);
  return status;
}

// Takes what has arrived, from whomever and of whichever step; in deterministic mode what is due.
Status GossipExecution::collect(Gossip& gossip) {
  const shm::GossipHeader wanted = expected(gossip, Kind::kPushSum);
  const auto stale = static_cast<uint64_t>(gossip.settings().options.staleness);
  for (int peer = 0; peer < gossip.parts().nranks; ++peer) {
    if (peer == gossip.rank()) continue;
    for (const GossipMail::Letter& letter : gossip.mail().letters(peer)) {
      const shm::GossipHeader& header = letter.header;
      if (header.part != wanted.part) continue;
      if (gossip.settings().deterministic && header.step + stale > call_->step) continue;
      if (!agree(header, wanted)) {
        Status failure = mismatch(gossip, peer, wanted, header);
        if (gossip.mail().take(letter)) gossip.mail().refuse(letter, wanted);
        return failure;
      }
      GOSS_TRY_ASSIGN(const std::byte* payload, gossip.mail().find_payload(letter));
      if (payload == nullptr || !gossip.mail().take(letter)) continue;
      shares_.push_back({letter, payload});
      uint64_t& latest = gossip.collected[{peer, part_}];
      latest = std::max(latest, header.step + 1);
      ++moved_;
    }
  }
  for (Incoming& incoming : incoming_) {
    if (incoming.arrival != Arrival::kWaiting) continue;
    const bool due = gossip.collected[{incoming.peer, part_}] > call_->step - stale;
    if (due) incoming.arrival = Arrival::kHere;
  }
  return {};
}

void GossipExecution::add_shares(Gossip& gossip) {
  std::sort(shares_.begin(), shares_.end(), [](const Share& a, const Share& b) {
    return std::make_pair(a.letter.header.step, a.letter.peer) <
           std::make_pair(b.letter.header.step, b.letter.peer);
  });
  for (const Share& share : shares_) {
    const shm::GossipHeader& header = share.letter.header;
    const double own = gossip.push_sum.weight();
    // Refuses a weight that nobody can have sent.
    if (gossip.push_sum.receive(header.weight)) add(gossip, share.payload, own, header.weight);
    gossip.mail().release(share.letter, LetterState::kTaken);
    if (header.step >= call_->step) continue;
    gossip.stats.late += 1;
    const uint64_t stale = call_->step - header.step;
    if (stale > gossip.stats.most_stale.load(std::memory_order_relaxed)) {
      gossip.stats.most_stale.store(stale, std::memory_order_relaxed);
    }
  }
  shares_.clear();
  gossip.note_weight();
}

}  // namespace goss::engine
