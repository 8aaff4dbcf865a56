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
// What a fresh TCP socket takes in any case: Linux starts with room for 20 segments, counted with
// what it needs to manage them.
constexpr uint64_t kRoom = 32 << 10;
constexpr uint64_t kPacketCost = 2 << 10;
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
  if (send_inline(peer, key, data, request)) return;
  p.queue.push_back(make_outgoing(peer, key, data, request));
  mark_busy(peer);
  if (started_) pump_peer(peer);
}

Outgoing* MessageProtocol::make_outgoing(int peer, const MessageKey& key,
                                         std::span<const std::byte> data,
                                         MessageRequest* request) {
  Outgoing* const message = outgoings_.take();
  *message = Outgoing{};
  message->sending = true;
  message->peer = peer;
  message->key = key;
  message->request = request;
  message->data = data;
  request->state = MessageRequest::State::kPosted;
  request->handle = message;
  return message;
}

// The common case of a short message: copied, handed over, done.
bool MessageProtocol::send_inline(int peer, const MessageKey& key, std::span<const std::byte> data,
                                  MessageRequest* request) {
  Peer& p = at(peer);
  const bool fits = data.size() <= std::min({Packet::kInlineBytes, fragment_bytes_, p.window});
  if (!fits || !started_ || !p.queue.empty() || p.pending.size() >= kMaxPending) return false;
  Packet* const packet = new_packet(peer, PacketKind::kFirst, p.next_message++);
  packet->header.unsolicited = 1;
  packet->header.total = data.size();
  packet->header.key = key;
  if (!data.empty()) std::memcpy(packet->inlined, data.data(), data.size());
  packet->bytes = data.size();
  p.window -= data.size();
  const uint64_t number = packet->header.message;
  const bool was_taken = transmit(packet);
  if (was_taken && p.cost - p.arrived_cost <= kRoom) {
    request->state = MessageRequest::State::kDone;
    return true;
  }
  Outgoing* const message = make_outgoing(peer, key, data, request);
  message->number = number;
  message->started = true;
  message->handed = data.size();
  p.outgoing.emplace(number, message);
  if (was_taken) {
    p.proving.push_back(message);
    mark_busy(peer);
  } else {
    message->pending = 1;
    packet->message = message;
  }
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
  for (const Control& control : std::exchange(p.controls, {})) {
    transmit(new_packet(peer, control.kind, control.message));
  }
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
  // Nothing else would tell.
  if (!p.proving.empty() && p.pending.empty()) {
    transmit(new_packet(peer, PacketKind::kHello, 0));
    return true;
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

Packet* MessageProtocol::new_packet(int peer, PacketKind kind, uint64_t message) {
  Packet* const packet = packets_.take();
  packet->header = PacketHeader{};
  packet->header.sender = static_cast<uint16_t>(rank_);
  packet->header.kind = kind;
  packet->header.message = message;
  packet->data = nullptr;
  packet->bytes = 0;
  packet->struck = false;
  packet->message = nullptr;
  packet->peer = peer;
  packet->owner = this;
  return packet;
}

// Put the next piece of `message` into a packet. The first one may be empty: an announcement.
void MessageProtocol::hand_piece(Outgoing* message) {
  Peer& p = at(message->peer);
  const PacketKind kind = message->started ? PacketKind::kMore : PacketKind::kFirst;
  Packet* const packet = new_packet(message->peer, kind, message->number);
  packet->header.total = message->started ? message->handed : message->data.size();
  packet->header.key = message->key;
  size_t bytes = std::min(fragment_bytes_, message->data.size() - message->handed);
  if (!message->granted) {
    bytes = std::min(bytes, p.window);
    p.window -= bytes;
    packet->header.unsolicited = 1;
  }
  packet->bytes = bytes;
  packet->message = message;
  const std::byte* const data = message->data.data() + message->handed;
  if (bytes > Packet::kInlineBytes) {
    packet->data = data;
  } else if (bytes > 0) {
    std::memcpy(packet->inlined, data, bytes);
  }
  message->started = true;
  message->handed += bytes;
  message->ready = message->handed < message->data.size() && (message->granted || p.window > 0);
  if (message->ready) p.ready.push_back(message);
  ++message->pending;
  transmit(packet);
}

// Whether the wire has done with it.
bool MessageProtocol::transmit(Packet* packet) {
  Peer& p = at(packet->peer);
  packet->header.sequence = p.next_sequence++;
  packet->header.received = p.awaited_sequence;
  packet->header.credit = static_cast<uint32_t>(std::exchange(p.returned, 0));
  if (packet->peer == rank_) {
    p.pending.push_back(packet);
    loopback_.push_back(packet);
    return false;
  }
  sent_bytes_ += packet->wire_bytes();
  if (wire_->transmit(packet->peer, packet)) {
    taken(packet);
    return true;
  }
  p.pending.push_back(packet);
  return false;
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

// The wire has taken the packet, and with it the end of all before it.
void MessageProtocol::taken(Packet* packet) {
  Peer& p = at(packet->peer);
  prove(&p);
  p.cost += packet->wire_bytes() + kPacketCost;
  Outgoing* const message = packet->message;
  packets_.give(packet);
  if (message == nullptr) return;
  --message->pending;
  if (message->pending > 0 || message->handed < message->data.size()) return;
  p.proving.push_back(message);
  if (message->peer == rank_ || p.cost - p.arrived_cost <= kRoom) {
    prove(&p);
  } else {
    mark_busy(message->peer);
  }
}

void MessageProtocol::prove(Peer* peer) {
  for (Outgoing* const message : peer->proving) {
    peer->outgoing.erase(message->number);
    finish(message, {}, message->data.size());
  }
  peer->proving.clear();
}

// The peer says how many packets have arrived there. One of them is watched at a time.
void MessageProtocol::hear_of_arrival(Peer* peer, uint32_t packets) {
  if (static_cast<int32_t>(packets - peer->probe_sequence) <= 0) return;
  peer->arrived_cost = peer->probe_cost;
  peer->probe_sequence = peer->next_sequence - 1;
  peer->probe_cost = peer->cost;
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
  std::erase(p.proving, message);
  const auto found = std::find(p.ready.begin(), p.ready.end(), message);
  if (found != p.ready.end()) p.ready.erase(found);
}

}  // namespace goss::transport
