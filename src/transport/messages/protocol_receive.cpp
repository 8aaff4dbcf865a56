// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Nothing here trusts a packet: whoever breaks the rules is lost.
#include "transport/messages/protocol.h"

#include <exception>
#include <utility>

namespace goss::transport {

namespace {

using ull = unsigned long long;

Status broken(const char* what, const PacketHeader& header) {
  return fail(gossInternalError,
              "rank %u broke the rules of messages: %s (kind %d, message %llu, packet %u)",
              header.sender, what, static_cast<int>(header.kind), static_cast<ull>(header.message),
              header.sequence);
}

// What `make` makes, or that there is no memory for it.
template <class Make>
Status failure_from(Make make) noexcept {
  try {
    return make();
  } catch (const std::exception&) {
    return out_of_memory();
  }
}

}  // namespace

void MessageProtocol::arrived(const PacketHeader& header,
                              std::span<const std::byte> payload) noexcept {
  // A packet of nobody's cannot be held against anybody.
  if (header.sender >= peers_.size()) return;
  const int sender = static_cast<int>(header.sender);
  if (!at(sender).fate.ok()) return;
  // For want of memory it cannot be said which packet is missing now: all that follow are.
  const Status status = failure_from([&] { return accept(header, payload); });
  if (!status.ok()) lost(sender, status);
}

Status MessageProtocol::accept(const PacketHeader& header, std::span<const std::byte> payload) {
  const int sender = static_cast<int>(header.sender);
  Peer& p = at(sender);
  if (header.sequence != p.awaited_sequence) return broken("a packet is missing", header);
  ++p.awaited_sequence;
  GOSS_TRY(take_credit(header));
  if (static_cast<int32_t>(header.received - p.next_sequence) > 0) {
    return broken("what was not sent has arrived", header);
  }
  hear_of_arrival(&p, header.received);
  switch (header.kind) {
    case PacketKind::kHello: return {};
    case PacketKind::kFirst: return first(header, payload);
    case PacketKind::kMore: return more(header, payload);
    case PacketKind::kGrant:
      if (Outgoing* const message = find_outgoing(sender, header.message)) granted(message);
      return {};
    case PacketKind::kStop:  // to its sender it is as good as sent
      if (Outgoing* const message = find_outgoing(sender, header.message)) {
        strike_pending(message);
        end_sending(message);
        conclude(message->request, {}, message->data.size());
        abandon(message);
      }
      return {};
    case PacketKind::kAbandon: abandoned(sender, header.message); return {};
    case PacketKind::kCredit:
      if (header.total > kWindowBytes - p.held - p.returned ||
          header.message > kWindowMessages - p.held_messages - p.returned_messages) {
        return broken("struck out what was beyond its window", header);
      }
      gone(sender, header.total, header.message);
      return {};
    case PacketKind::kBye:
      p.farewell_due = true;
      mark_busy(sender);
      return fail(gossRemoteError, "rank %d has left", sender);
    case PacketKind::kFarewell: p.answered = true; return {};
    case PacketKind::kCount: break;
  }
  return broken("no such kind", header);
}

Status MessageProtocol::take_credit(const PacketHeader& header) {
  Peer& p = at(header.sender);
  if (header.credit_bytes > kWindowBytes - p.window ||
      header.credit_messages > kWindowMessages - p.window_messages) {
    return broken("too much credit", header);
  }
  p.window += header.credit_bytes;
  p.window_messages += header.credit_messages;
  if (header.credit_messages > 0 && p.may_begin()) mark_busy(header.sender);
  return {};
}

void MessageProtocol::granted(Outgoing* message) noexcept {
  message->granted = true;
  if (List<Outgoing>::linked(message) || message->handed == message->data.size()) return;
  at(message->peer).ready.push_back(message);
  mark_busy(message->peer);
}

Incoming* MessageProtocol::find_incoming(int peer, uint64_t number) const {
  const Numbered<Incoming>* const found = incoming_.find(peer, {0, number});
  return found == nullptr ? nullptr : found->message;
}

Status MessageProtocol::first(const PacketHeader& header, std::span<const std::byte> payload) {
  const int sender = static_cast<int>(header.sender);
  Peer& p = at(sender);
  if (payload.size() > header.total) return broken("more bytes than announced", header);
  if (find_incoming(sender, header.message) != nullptr) {
    return broken("a message begins twice", header);
  }
  if (header.unsolicited == 0) return broken("sent before it was granted", header);
  if (payload.size() > kWindowBytes - p.held - p.returned ||
      p.held_messages + p.returned_messages >= kWindowMessages) {
    return broken("a message beyond its window", header);
  }
  Receive* const receive = posted_.find(sender, header.key);
  if (receive != nullptr && payload.size() == header.total &&
      payload.size() <= receive->buffer.size()) {
    posted_.take(sender, header.key);
    if (!payload.empty()) std::memcpy(receive->buffer.data(), payload.data(), payload.size());
    gone(sender, payload.size(), 1);
    finish(receive, {}, payload.size());
    return {};
  }
  Incoming* const message = incomings_.take();
  *message = Incoming{};
  message->peer = sender;
  message->key = header.key;
  message->number = header.message;
  message->total = header.total;
  message->numbered = {sender, {0, header.message}, message, nullptr};
  incoming_.insert(&message->numbered);
  ++p.held_messages;
  if (receive != nullptr) {
    posted_.take(sender, header.key);
    bind(message, receive);
    return pour(message, header, payload);
  }
  if (forgotten_.contains(header.key.communicator)) {
    reject(message);
    return pour(message, header, payload);
  }
  unexpected_.insert(message);
  return keep(message, payload);
}

// Bytes that nobody has asked for yet.
Status MessageProtocol::keep(Incoming* message, std::span<const std::byte> payload) {
  Peer& p = at(message->peer);
  message->stash.insert(message->stash.end(), payload.begin(), payload.end());
  p.held += payload.size();
  message->received += payload.size();
  offer_credit(message->peer);
  return {};
}

Status MessageProtocol::more(const PacketHeader& header, std::span<const std::byte> payload) {
  const int sender = static_cast<int>(header.sender);
  Peer& p = at(sender);
  Incoming* const message = find_incoming(sender, header.message);
  if (message == nullptr) return broken("a piece of no message", header);
  if (header.total != message->received) return broken("a piece out of order", header);
  if (payload.size() > message->total - message->received) {
    return broken("more bytes than announced", header);
  }
  if (header.unsolicited != 0 && payload.size() > kWindowBytes - p.held - p.returned) {
    return broken("bytes beyond its window", header);
  }
  if (message->receive != nullptr || message->unwanted) return pour(message, header, payload);
  if (header.unsolicited == 0) return broken("sent before it was granted", header);
  return keep(message, payload);
}

// Bytes of a message that has found its receive, or that nobody wants.
Status MessageProtocol::pour(Incoming* message, const PacketHeader& header,
                             std::span<const std::byte> payload) noexcept {
  if (message->receive != nullptr && !payload.empty()) {
    std::memcpy(message->receive->buffer.data() + message->received, payload.data(),
                payload.size());
  }
  message->received += payload.size();
  if (header.unsolicited != 0) gone(message->peer, payload.size(), 0);
  settle(message);
  return {};
}

// `message` has found its receive.
void MessageProtocol::bind(Incoming* message, Receive* receive) noexcept {
  if (message->total > receive->buffer.size()) {
    Status failure = failure_from([&] {
      return fail(gossInvalidUsage, "a message of %zu bytes from rank %d for a buffer of %zu bytes",
                  message->total, message->peer, receive->buffer.size());
    });
    finish(receive, std::move(failure), message->total);
    reject(message);
    return;
  }
  if (!message->stash.empty()) {
    std::memcpy(receive->buffer.data(), message->stash.data(), message->stash.size());
  }
  drop_stash(message);
  asked_for(message);
  message->receive = receive;
  receive->message = message;
  if (message->received < message->total) {
    tell(message->peer, &message->answer, PacketKind::kGrant, message->number);
  }
}

// Nobody wants `message`, which is in no table of matches.
void MessageProtocol::reject(Incoming* message) noexcept {
  drop_stash(message);
  message->unwanted = true;
  message->receive = nullptr;
  if (message->received < message->total) {
    tell(message->peer, &message->answer, PacketKind::kStop, message->number);
  }
}

// End what is complete and has somewhere to go.
void MessageProtocol::settle(Incoming* message) noexcept {
  if (message->received < message->total) return;
  if (Receive* const receive = std::exchange(message->receive, nullptr)) {
    finish(receive, {}, message->total);
  }
  discard(message);
}

void MessageProtocol::abandoned(int sender, uint64_t number) noexcept {
  Incoming* const message = find_incoming(sender, number);
  if (message == nullptr) return;
  if (message->received == message->total) return;  // whole, and kept until somebody takes it
  if (Receive* const receive = std::exchange(message->receive, nullptr)) {
    finish(receive, failure_from([&] {
             return fail(gossRemoteError, "rank %d cancelled the message", sender);
           }),
           0);
  } else if (!message->unwanted) {
    unexpected_.remove(message);
  }
  discard(message);
}

void MessageProtocol::drop_stash(Incoming* message) noexcept {
  const size_t bytes = message->stash.size();
  at(message->peer).held -= bytes;
  gone(message->peer, bytes, 0);
  std::vector<std::byte>().swap(message->stash);
}

// `message` does not count against the window any more.
void MessageProtocol::asked_for(Incoming* message) noexcept {
  if (!std::exchange(message->unasked, false)) return;
  --at(message->peer).held_messages;
  gone(message->peer, 0, 1);
}

void MessageProtocol::discard(Incoming* message) noexcept {
  drop_stash(message);
  asked_for(message);
  if (List<Control>::linked(&message->answer)) at(message->peer).controls.remove(&message->answer);
  incoming_.remove(&message->numbered);
  incomings_.give(message);
}

void MessageProtocol::gone(int peer, size_t bytes, size_t messages) noexcept {
  Peer& p = at(peer);
  p.returned += bytes;
  p.returned_messages += messages;
  offer_credit(peer);
}

// Where a window may be used up, there may be no other packet that takes the credit with it.
void MessageProtocol::offer_credit(int peer) noexcept {
  Peer& p = at(peer);
  const bool bytes = p.returned >= kWindowBytes / 2;
  const bool messages =
      p.returned_messages > 0 && p.held_messages + p.returned_messages >= kWindowMessages / 2;
  if (!bytes && !messages) return;
  p.credit_due = true;
  mark_busy(peer);
}

}  // namespace goss::transport
