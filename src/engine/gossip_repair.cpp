// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// GossipExecution, modulo compression: blocks that could not be decoded are asked for in full
// precision within the step, because the partner has mixed its side already. Whoever has read a
// letter says in its end whether a letter that asks will follow.
#include <algorithm>
#include <utility>

#include "engine/gossip_execution.h"

namespace goss::engine {

void GossipExecution::begin_repair(Gossip& gossip, size_t refused) {
  stage_ = Stage::kRepair;
  began_ = Clock::now();
  asking_ = refused > 0;
  ask_posted_ = false;
  asked_ = nullptr;
  answering_ = !outgoing_.empty() && outgoing_.front().sent.peer >= 0;
  gossip.stats.repairs += refused;
}

Result<bool> GossipExecution::repair(Gossip& gossip) {
  if (asking_ && !ask_posted_) {
    GOSS_TRY_ASSIGN(ask_posted_, ask(gossip));
  }
  if (answering_) {
    GOSS_TRY_ASSIGN(const bool answered, answer(gossip));
    answering_ = !answered;
  }
  if (asking_ && ask_posted_) {
    GOSS_TRY_ASSIGN(const bool accepted, accept(gossip));
    asking_ = !accepted;
  }
  return !asking_ && !answering_;
}

// A letter beside those of the schedule. False: there is no room at the moment.
Result<bool> GossipExecution::send_beside(Gossip& gossip, int peer, Kind kind, size_t bytes,
                                          const std::function<void(std::byte*)>& fill) {
  GossipMail& mail = gossip.mail();
  GOSS_TRY_ASSIGN(const size_t payload, mail.new_payload(bytes));
  fill(mail.payload(payload));
  shm::GossipHeader header = expected(gossip, kind);
  header.bytes = bytes;
  Gossip::Pending pending{{}, header, {}};
  Result<bool> posted = mail.post(peer, header, payload, &pending.sent);
  mail.drop_payload(payload);
  if (!posted.ok() || !posted.value()) return posted;
  gossip.pending.push_back(pending);
  gossip.stats.messages += 1;
  gossip.stats.bytes += bytes;
  ++moved_;
  return true;
}

// True when it has been taken: *payload is to be read, then the letter released.
Result<bool> GossipExecution::find(Gossip& gossip, int peer, Kind kind, GossipMail::Letter* found,
                                   const std::byte** payload) {
  const shm::GossipHeader wanted = expected(gossip, kind);
  for (const GossipMail::Letter& letter : gossip.mail().letters(peer)) {
    const shm::GossipHeader& header = letter.header;
    if (header.kind != wanted.kind || header.step != wanted.step || header.part != wanted.part) {
      continue;
    }
    GOSS_TRY_ASSIGN(*payload, gossip.mail().find_payload(letter));
    if (*payload == nullptr) return false;
    *found = letter;
    return gossip.mail().take(letter);
  }
  return false;
}

Result<bool> GossipExecution::ask(Gossip& gossip) {
  return send_beside(gossip, incoming_.front().peer, Kind::kAsk,
                     GossipCompression::ask_bytes(*call_),
                     [&](std::byte* payload) { gossip.compression.ask(part_, payload); });
}

Result<bool> GossipExecution::answer(Gossip& gossip) {
  const Outgoing& out = outgoing_.front();
  if (asked_ == nullptr) {
    const LetterState fate = gossip.mail().fate(out.sent);
    if (fate == LetterState::kReady || fate == LetterState::kReading) return false;
    if (fate != LetterState::kAsked) return true;
    GOSS_TRY_ASSIGN(const bool found, find(gossip, out.peer, Kind::kAsk, &asked_letter_, &asked_));
    if (!found) {
      asked_ = nullptr;
      return false;
    }
  }
  const size_t bytes = GossipCompression::repair_bytes(*call_, asked_);
  GOSS_TRY_ASSIGN(const bool sent,
                  send_beside(gossip, out.peer, Kind::kRepair, bytes, [&](std::byte* payload) {
                    gossip.compression.answer(*call_, part_, asked_, payload);
                  }));
  if (!sent) return false;
  gossip.mail().release(asked_letter_, LetterState::kTaken);
  asked_ = nullptr;
  return true;
}

Result<bool> GossipExecution::accept(Gossip& gossip) {
  GossipMail::Letter letter;
  const std::byte* payload = nullptr;
  GOSS_TRY_ASSIGN(const bool found,
                  find(gossip, incoming_.front().peer, Kind::kRepair, &letter, &payload));
  if (!found) return false;
  gossip.compression.repair(*call_, part_, gossip.settings().options.bits, payload);
  gossip.stats.disagreement.store(gossip.compression.disagreement(), std::memory_order_relaxed);
  gossip.mail().release(letter, LetterState::kTaken);
  ++moved_;
  return true;
}

// Whether a partner that is still needed is gone or too late. Others may have left in good order.
Result<bool> GossipExecution::lost_in_repair(Gossip& gossip, std::chrono::milliseconds waited) {
  const auto lost = [&](int peer) -> Result<bool> {
    if (gossip.mail().place(peer).gone()) return true;
    if (!gossip.settings().deterministic) return waited > gossip.patience(peer);
    GOSS_TRY(gossip.check_patience(peer, waited));
    return false;
  };
  if (answering_) {
    GOSS_TRY_ASSIGN(const bool receiver, lost(outgoing_.front().peer));
    if (receiver) return true;
  }
  return asking_ ? lost(incoming_.front().peer) : Result<bool>(false);
}

// A partner has been lost in the middle.
void GossipExecution::stop_repair(Gossip& gossip) {
  if (asked_ != nullptr) gossip.mail().release(asked_letter_, LetterState::kTaken);
  for (const Outgoing& out : outgoing_) gossip.mail().withdraw(out.sent);
  gossip.stats.skipped += 1;
  asked_ = nullptr;
  asking_ = answering_ = false;
  ++moved_;
}

}  // namespace goss::engine
