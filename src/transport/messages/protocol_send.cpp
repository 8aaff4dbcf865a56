// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include <algorithm>

#include "transport/messages/protocol.h"

namespace goss::transport {

namespace {
// Packets of a peer that the wire may have at once: a few, so that it never pauses, and what waits
// is ordered here.
constexpr size_t kMaxPending = 4;
// Packets for one peer before the next one's turn.
constexpr int kPacketsPerTurn = 16;
}  // namespace

void MessageProtocol::send(int peer, const MessageKey& key, std::span<const std::byte> data,
                           MessageRequest* request) {
  Peer& p = at(peer);
  request->bytes = data.size();
  request->handle = nullptr;
  if (!p.fate.ok()) {
    request->failure = p.fate;
    request->state = MessageRequest::State::kFailed;
    return;
  }
  p.opened = true;
  if (send_inline(peer, key, data)) {
    request->state = MessageRequest::State::kDone;
    return;
  }
  Outgoing* const message = outgoings_.take();
  *message = Outgoing{};
  message->sending = true;
  message->peer = peer;
  message->key = key;
  message->request = request;
  message->data = data;
  request->state = MessageRequest::State::kPosted;
  request->handle = message;
  p.queue.push_back(message);
  mark_busy(peer);
  if (started_) pump_peer(peer);
}

// The common case of a short message: copied, handed over, done.
bool MessageProtocol::send_inline(int peer, const MessageKey& key,
                                  std::span<const std::byte> data) {
  Peer& p = at(peer);
  const bool fits = data.size() <= std::min({Packet::kInlineBytes, fragment_bytes_, p.window});
  if (!fits || !started_ || !p.queue.empty() || p.pending.size() >= kMaxPending) return false;
  Packet* const packet = packets_.take();
  packet->header = PacketHeader{};
  packet->header.kind = PacketKind::kFirst;
  packet->header.unsolicited = 1;
  packet->header.message = p.next_message++;
  packet->header.total = data.size();
  packet->header.key = key;
  if (!data.empty()) std::memcpy(packet->inlined, data.data(), data.size());
  packet->data = nullptr;
  packet->bytes = data.size();
  packet->struck = false;
  packet->message = nullptr;
  packet->peer = peer;
  p.window -= data.size();
  transmit(packet);
  return true;
}

bool MessageProtocol::pump() {
  if (!started_) return false;
  bool moved = run_loopback();
  turn_.swap(busy_);
  for (const int peer : turn_) {
    Peer& p = at(peer);
    p.busy = false;
    if (!p.fate.ok()) continue;
    if (pump_peer(peer)) moved = true;
    if (!p.queue.empty() || !p.ready.empty()) {
      if (p.pending.size() < kMaxPending) mark_busy(peer);
    }
  }
  turn_.clear();
  return moved;
}

bool MessageProtocol::pump_peer(int peer) {
  Peer& p = at(peer);
  const bool moved_controls = !p.controls.empty();
  for (const Control& control : std::exchange(p.controls, {})) hand_control(peer, control);
  int turn = 0;
  for (; turn < kPacketsPerTurn && p.pending.size() < kMaxPending; ++turn) {
    if (!p.queue.empty()) {
      Outgoing* const message = p.queue.front();
      p.queue.pop_front();
      message->number = p.next_message++;
      p.outgoing.emplace(message->number, message);
      hand_piece(message);
    } else if (!p.ready.empty()) {
      Outgoing* const message = p.ready.front();
      p.ready.pop_front();
      message->ready = message->granted || p.window > 0;
      if (message->ready) hand_piece(message);
    } else {
      break;
    }
  }
  return turn > 0 || moved_controls;
}

// What was sent to this rank itself arrives as from others.
bool MessageProtocol::run_loopback() {
  const size_t count = loopback_.size();
  for (size_t i = 0; i < count; ++i) {
    Packet* const packet = loopback_.front();
    loopback_.pop_front();
    const std::byte* const payload = packet->data != nullptr ? packet->data : packet->inlined;
    arrived(packet->header, {payload, packet->struck ? 0 : packet->bytes});
    transmitted(packet);
  }
  return count > 0;
}

void MessageProtocol::hand_control(int peer, const Control& control) {
  Packet* const packet = packets_.take();
  packet->header = PacketHeader{};
  packet->header.kind = control.kind;
  packet->header.message = control.message;
  packet->data = nullptr;
  packet->bytes = 0;
  packet->struck = false;
  packet->message = nullptr;
  packet->peer = peer;
  transmit(packet);
}

// Put the next piece of `message` into a packet. The first one may be empty: an announcement.
void MessageProtocol::hand_piece(Outgoing* message) {
  Peer& p = at(message->peer);
  Packet* const packet = packets_.take();
  packet->header = PacketHeader{};
  packet->header.kind = message->started ? PacketKind::kMore : PacketKind::kFirst;
  packet->header.message = message->number;
  packet->header.total = message->started ? message->handed : message->data.size();
  packet->header.key = message->key;
  size_t bytes = std::min(fragment_bytes_, message->data.size() - message->handed);
  if (!message->granted) {
    bytes = std::min(bytes, p.window);
    p.window -= bytes;
    packet->header.unsolicited = 1;
  }
  packet->data = message->data.data() + message->handed;
  packet->bytes = bytes;
  packet->struck = false;
  packet->message = message;
  packet->peer = message->peer;
  if (bytes <= Packet::kInlineBytes) {
    if (bytes > 0) std::memcpy(packet->inlined, packet->data, bytes);
    packet->data = nullptr;
  }
  message->started = true;
  message->handed += bytes;
  message->ready = message->handed < message->data.size() && (message->granted || p.window > 0);
  if (message->ready) p.ready.push_back(message);
  ++message->pending;
  transmit(packet);
}

void MessageProtocol::transmit(Packet* packet) {
  Peer& p = at(packet->peer);
  packet->owner = this;
  packet->header.sender = static_cast<uint32_t>(rank_);
  packet->header.sequence = p.next_sequence++;
  packet->header.credit = static_cast<uint32_t>(std::exchange(p.returned, 0));
  if (packet->peer == rank_) {
    p.pending.push_back(packet);
    loopback_.push_back(packet);
    return;
  }
  sent_bytes_ += packet->wire_bytes();
  if (wire_->transmit(packet->peer, packet)) {
    taken(packet);
  } else {
    p.pending.push_back(packet);
  }
}

void MessageProtocol::transmitted(Packet* packet) {
  Peer& p = at(packet->peer);
  const auto found = std::find(p.pending.begin(), p.pending.end(), packet);
  *found = p.pending.back();
  p.pending.pop_back();
  const int peer = packet->peer;
  taken(packet);
  if (!p.queue.empty() || !p.ready.empty() || !p.controls.empty()) mark_busy(peer);
}

// The wire has all of the packet.
void MessageProtocol::taken(Packet* packet) {
  Outgoing* const message = packet->message;
  packets_.give(packet);
  if (message == nullptr) return;
  --message->pending;
  if (message->pending > 0 || message->handed < message->data.size()) return;
  const size_t bytes = message->data.size();
  end_sending(message);
  finish(message, {}, bytes);
}

// The wire may still have packets of `message`: they must not read its memory any more.
void MessageProtocol::strike_pending(Outgoing* message) {
  for (Packet* packet : at(message->peer).pending) {
    if (packet->message == message) packet->strike();
  }
}

// Forget a message to send; its request is somebody else's matter.
void MessageProtocol::end_sending(Outgoing* message) {
  Peer& p = at(message->peer);
  if (!message->started) {
    p.queue.erase(std::find(p.queue.begin(), p.queue.end(), message));
    return;
  }
  p.outgoing.erase(message->number);
  const auto found = std::find(p.ready.begin(), p.ready.end(), message);
  if (found != p.ready.end()) p.ready.erase(found);
}

}  // namespace goss::transport
