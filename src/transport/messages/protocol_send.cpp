// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include <algorithm>
#include <exception>
#include <utility>

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
  if (started_) pump_turn(peer);
}

Outgoing* MessageProtocol::make_outgoing(int peer, const MessageKey& key,
                                         std::span<const std::byte> data, MessageRequest* request) {
  Outgoing* const message = outgoings_.take();
  *message = Outgoing{};
  message->sending = true;
  message->peer = peer;
  message->key = key;
  message->request = request;
  message->data = data;
  message->abandon.ended = message;
  request->state = MessageRequest::State::kPosted;
  request->handle = message;
  return message;
}

void MessageProtocol::begin(Outgoing* message, uint64_t number) noexcept {
  message->number = number;
  message->started = true;
  message->numbered = {message->peer, {0, number}, message, nullptr};
  outgoing_.insert(&message->numbered);
}

Outgoing* MessageProtocol::find_outgoing(int peer, uint64_t number) const {
  const Numbered<Outgoing>* const found = outgoing_.find(peer, {0, number});
  return found == nullptr ? nullptr : found->message;
}

// The common case of a short message: copied, handed over, done.
bool MessageProtocol::send_inline(int peer, const MessageKey& key, std::span<const std::byte> data,
                                  MessageRequest* request) {
  Peer& p = at(peer);
  const bool fits = data.size() <= std::min({Packet::kInlineBytes, fragment_bytes_, p.window});
  if (!fits || !started_ || p.window_messages == 0) return false;
  if (!p.queue.empty() || p.pending.size() >= kMaxPending) return false;
  Packet* const packet = new_packet(peer, PacketKind::kFirst, p.next_message);
  // In case that the wire does not take it at once.
  Outgoing* const message = make_outgoing(peer, key, data, request);
  packet->header.unsolicited = 1;
  packet->header.total = data.size();
  packet->header.key = key;
  if (!data.empty()) std::memcpy(packet->inlined, data.data(), data.size());
  packet->bytes = data.size();
  p.window -= data.size();
  --p.window_messages;
  ++p.next_message;
  const uint64_t number = packet->header.message;
  message->last_sequence = p.next_sequence;
  if (transmit(packet)) {
    if (p.cost - p.arrived_cost <= kRoom) {
      release(message);
      request->state = MessageRequest::State::kDone;
      return true;
    }
    begin(message, number);
    message->handed = data.size();
    p.proving.push_back(message);
    mark_busy(peer);
  } else {
    begin(message, number);
    message->handed = data.size();
    message->pending = 1;
    packet->message = message;
  }
  return true;
}

bool MessageProtocol::pump() noexcept {
  if (!started_) return false;
  bool moved = run_loopback();
  turn_.swap(busy_);
  for (const int peer : turn_) {
    at(peer).busy = false;
    if (pump_turn(peer)) moved = true;
  }
  turn_.clear();
  return moved;
}

bool MessageProtocol::pump_turn(int peer) noexcept {
  Peer& p = at(peer);
  try {
    if (std::exchange(p.farewell_due, false)) {
      transmit(new_packet(peer, PacketKind::kFarewell, 0));
    }
    if (!p.fate.ok()) return false;
    const bool moved = pump_peer(peer);
    if ((p.may_begin() || !p.ready.empty()) && p.pending.size() < kMaxPending) mark_busy(peer);
    return moved;
  } catch (const std::exception&) {
    lost(peer, out_of_memory());
    return true;
  }
}

bool MessageProtocol::pump_peer(int peer) {
  Peer& p = at(peer);
  bool moved = send_controls(peer);
  int turn = 0;
  for (; turn < kPacketsPerTurn && p.pending.size() < kMaxPending; ++turn) {
    if (p.may_begin()) {
      hand_piece(p.queue.front());
    } else if (!p.ready.empty()) {
      Outgoing* const message = p.ready.front();
      if (message->granted || p.window > 0) {
        hand_piece(message);
      } else {
        p.ready.remove(message);  // the grant brings it back
      }
    } else {
      break;
    }
    moved = true;
  }
  // Nothing else would tell.
  if (!p.proving.empty() && p.pending.empty()) {
    transmit(new_packet(peer, PacketKind::kHello, 0));
    return true;
  }
  return moved;
}

bool MessageProtocol::send_controls(int peer) {
  Peer& p = at(peer);
  bool moved = false;
  const auto send_one = [&](PacketKind kind, uint64_t message) {
    transmit(new_packet(peer, kind, message));
    moved = true;
  };
  if (p.hello_due) send_one(PacketKind::kHello, 0);
  p.hello_due = false;
  while (Control* const control = p.controls.front()) {
    send_one(control->kind, control->message);
    p.controls.remove(control);
    if (control->ended != nullptr) outgoings_.give(control->ended);
  }
  // Unless one of those before had it with it.
  if (p.credit_due && (p.returned > 0 || p.returned_messages > 0)) {
    send_one(PacketKind::kCredit, 0);
  }
  p.credit_due = false;
  if (p.bye_due) send_one(PacketKind::kBye, 0);
  p.bye_due = false;
  return moved;
}

// What was sent to this rank itself arrives as from others.
bool MessageProtocol::run_loopback() noexcept {
  List<Packet>& packets = at(rank_).pending;
  const size_t count = packets.size();
  for (size_t i = 0; i < count; ++i) {
    Packet* const packet = packets.front();
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

// Put the next piece of `message`, the first of its list, into a packet. The first piece may be
// empty: an announcement.
void MessageProtocol::hand_piece(Outgoing* message) {
  Peer& p = at(message->peer);
  const PacketKind kind = message->started ? PacketKind::kMore : PacketKind::kFirst;
  Packet* const packet = new_packet(message->peer, kind, message->number);
  packet->header.total = message->started ? message->handed : message->data.size();
  packet->header.key = message->key;
  if (message->started) {
    p.ready.remove(message);
  } else {
    p.queue.remove(message);
    begin(message, p.next_message++);
    packet->header.message = message->number;
    --p.window_messages;
  }
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
  message->handed += bytes;
  if (message->handed < message->data.size() && (message->granted || p.window > 0)) {
    p.ready.push_back(message);
  }
  ++message->pending;
  transmit(packet);
}

// Whether the wire has done with it.
bool MessageProtocol::transmit(Packet* packet) noexcept {
  Peer& p = at(packet->peer);
  packet->header.sequence = p.next_sequence++;
  if (packet->message != nullptr) packet->message->last_sequence = packet->header.sequence;
  packet->header.received = p.awaited_sequence;
  // Within the window, which fits.
  packet->header.credit_bytes = std::exchange(p.returned, 0) & 0xfffff;
  packet->header.credit_messages = std::exchange(p.returned_messages, 0) & 0xfff;
  if (packet->peer == rank_) {
    p.pending.push_back(packet);
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

void MessageProtocol::transmitted(Packet* packet) noexcept {
  const int peer = packet->peer;
  Peer& p = at(peer);
  p.pending.remove(packet);
  taken(packet);
  if (p.may_begin() || !p.ready.empty() || !p.controls.empty()) mark_busy(peer);
}

// The wire has taken the packet, and with it the end of all before it.
void MessageProtocol::taken(Packet* packet) noexcept {
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

void MessageProtocol::prove(Peer* peer) noexcept {
  while (Outgoing* const message = peer->proving.pop_front()) {
    outgoing_.remove(&message->numbered);
    finish(message, {}, message->data.size());
  }
}

bool MessageProtocol::has_arrived(const Outgoing& message) const noexcept {
  const Peer& p = peers_[static_cast<size_t>(message.peer)];
  return message.handed == message.data.size() &&
         static_cast<int32_t>(p.heard_sequence - message.last_sequence) > 0;
}

// The peer says how many packets have arrived there. One of them is watched at a time.
void MessageProtocol::hear_of_arrival(Peer* peer, uint32_t packets) noexcept {
  if (static_cast<int32_t>(packets - peer->heard_sequence) > 0) peer->heard_sequence = packets;
  if (static_cast<int32_t>(packets - peer->probe_sequence) <= 0) return;
  peer->arrived_cost = peer->probe_cost;
  peer->probe_sequence = peer->next_sequence - 1;
  peer->probe_cost = peer->cost;
}

// The wire may still have packets of `message`: they must not read its memory any more.
void MessageProtocol::strike_pending(Outgoing* message) noexcept {
  for (Packet* packet = at(message->peer).pending.front(); packet != nullptr;
       packet = List<Packet>::after(packet)) {
    if (packet->message == message) packet->strike();
  }
}

// Forget a message to send; its request is somebody else's matter.
void MessageProtocol::end_sending(Outgoing* message) noexcept {
  Peer& p = at(message->peer);
  if (!message->started) {
    p.queue.remove(message);
    return;
  }
  outgoing_.remove(&message->numbered);
  if (!List<Outgoing>::linked(message)) return;
  const bool all = message->handed == message->data.size();
  (all ? p.proving : p.ready).remove(message);
}

// Tell the peer that a message which had begun ends here. It is given back when that is sent.
void MessageProtocol::abandon(Outgoing* message) noexcept {
  tell(message->peer, &message->abandon, PacketKind::kAbandon, message->number);
}

}  // namespace goss::transport
