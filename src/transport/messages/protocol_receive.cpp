// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Nothing here trusts a packet: whoever breaks the rules is lost.
#include "transport/messages/protocol.h"

namespace goss::transport {

namespace {

using ull = unsigned long long;

Status broken(const char* what, const PacketHeader& header) {
  return fail(gossInternalError,
              "rank %u broke the rules of messages: %s (kind %d, message %llu, packet %u)",
              header.sender, what, static_cast<int>(header.kind),
              static_cast<ull>(header.message), header.sequence);
}

}  // namespace

void MessageProtocol::arrived(const PacketHeader& header, std::span<const std::byte> payload) {
  // A packet of nobody's cannot be held against anybody.
  if (header.sender >= peers_.size()) return;
  const int sender = static_cast<int>(header.sender);
  if (!at(sender).fate.ok()) return;
  if (Status status = accept(header, payload); !status.ok()) lost(sender, status);
}

Status MessageProtocol::accept(const PacketHeader& header, std::span<const std::byte> payload) {
  const int sender = static_cast<int>(header.sender);
  Peer& p = at(sender);
  if (header.sequence != p.awaited_sequence) return broken("a packet is missing", header);
  ++p.awaited_sequence;
  if (header.credit > kWindowBytes - p.window) return broken("too much credit", header);
  p.window += header.credit;
  if (static_cast<int32_t>(header.received - p.next_sequence) > 0) {
    return broken("what was not sent has arrived", header);
  }
  hear_of_arrival(&p, header.received);
  if (header.kind >= PacketKind::kCount) return broken("no such kind", header);
  const auto out = p.outgoing.find(header.message);
  Outgoing* const outgoing = out == p.outgoing.end() ? nullptr : out->second;
  switch (header.kind) {
    case PacketKind::kHello:
      break;
    case PacketKind::kFirst:
      return first(header, payload);
    case PacketKind::kMore:
      return more(header, payload);
    case PacketKind::kGrant:
      if (outgoing != nullptr) granted(outgoing);
      break;
    case PacketKind::kStop:  // to its sender it is as good as sent
      if (outgoing != nullptr) {
        strike_pending(outgoing);
        end_sending(outgoing);
        control(sender, PacketKind::kAbandon, outgoing->number);
        finish(outgoing, {}, outgoing->data.size());
      }
      break;
    case PacketKind::kAbandon:
      abandoned(sender, header.message);
      break;
    case PacketKind::kCredit:
      if (header.total > kWindowBytes) return broken("struck bytes beyond the window", header);
      gone(sender, header.total);
      break;
    case PacketKind::kBye:
      return fail(gossRemoteError, "rank %d has left", sender);
    case PacketKind::kCount:
      break;
  }
  return {};
}

void MessageProtocol::granted(Outgoing* message) {
  message->granted = true;
  if (message->ready || message->handed == message->data.size()) return;
  message->ready = true;
  at(message->peer).ready.push_back(message);
  mark_busy(message->peer);
}

Status MessageProtocol::first(const PacketHeader& header, std::span<const std::byte> payload) {
  const int sender = static_cast<int>(header.sender);
  Peer& p = at(sender);
  if (payload.size() > header.total) return broken("more bytes than announced", header);
  if (p.incoming.count(header.message) != 0) return broken("a message begins twice", header);
  if (header.unsolicited == 0) return broken("sent before it was granted", header);

  Receive* const receive = posted_.take(sender, header.key);
  if (receive != nullptr && payload.size() == header.total &&
      payload.size() <= receive->buffer.size()) {
    if (!payload.empty()) std::memcpy(receive->buffer.data(), payload.data(), payload.size());
    gone(sender, payload.size());
    finish(receive, {}, payload.size());
    return {};
  }
  Incoming* const message = incomings_.take();
  *message = Incoming{};
  message->peer = sender;
  message->key = header.key;
  message->number = header.message;
  message->total = header.total;
  p.incoming.emplace(header.message, message);
  if (Status status = keep(message, payload); !status.ok()) {
    discard(message);
    if (receive != nullptr) posted_.insert(receive);  // it fails with the others
    return status;
  }
  if (receive != nullptr) {
    bind(message, receive);
  } else if (forgotten_.count(header.key.communicator) != 0) {
    reject(message);
  } else {
    unexpected_.insert(message);
  }
  return {};
}

// Bytes that nobody has asked for yet. What a peer may make this rank keep is its window.
Status MessageProtocol::keep(Incoming* message, std::span<const std::byte> payload) {
  Peer& p = at(message->peer);
  if (payload.size() > kWindowBytes - p.held) {
    return fail(gossInternalError, "rank %d broke the rules of messages: %zu bytes beyond its window",
                message->peer, payload.size() - (kWindowBytes - p.held));
  }
  p.held += payload.size();
  message->stash.insert(message->stash.end(), payload.begin(), payload.end());
  message->received += payload.size();
  return {};
}

Status MessageProtocol::more(const PacketHeader& header, std::span<const std::byte> payload) {
  const int sender = static_cast<int>(header.sender);
  Peer& p = at(sender);
  const auto found = p.incoming.find(header.message);
  if (found == p.incoming.end()) return broken("a piece of no message", header);
  Incoming* const message = found->second;
  if (header.total != message->received) return broken("a piece out of order", header);
  if (payload.size() > message->total - message->received) {
    return broken("more bytes than announced", header);
  }
  const bool wanted = message->receive != nullptr;
  if (!wanted && !message->unwanted) {
    if (header.unsolicited == 0) return broken("sent before it was granted", header);
    return keep(message, payload);
  }
  if (wanted && !payload.empty()) {
    std::memcpy(message->receive->buffer.data() + message->received, payload.data(),
                payload.size());
  }
  message->received += payload.size();
  if (header.unsolicited != 0) gone(sender, payload.size());
  settle(message);
  return {};
}

// `message` has found its receive.
void MessageProtocol::bind(Incoming* message, Receive* receive) {
  if (message->total > receive->buffer.size()) {
    finish(receive,
           fail(gossInvalidUsage, "a message of %zu bytes from rank %d for a buffer of %zu bytes",
                message->total, message->peer, receive->buffer.size()),
           message->total);
    reject(message);
    return;
  }
  if (!message->stash.empty()) {
    std::memcpy(receive->buffer.data(), message->stash.data(), message->stash.size());
  }
  drop_stash(message);
  message->receive = receive;
  receive->message = message;
  if (message->received < message->total) {
    control(message->peer, PacketKind::kGrant, message->number);
  }
  settle(message);
}

// Nobody wants `message`, which is in no table of matches.
void MessageProtocol::reject(Incoming* message) {
  drop_stash(message);
  message->unwanted = true;
  message->receive = nullptr;
  if (message->received < message->total) {
    control(message->peer, PacketKind::kStop, message->number);
  }
  settle(message);
}

// End what is complete and has somewhere to go.
void MessageProtocol::settle(Incoming* message) {
  if (message->received < message->total) return;
  if (Receive* const receive = std::exchange(message->receive, nullptr)) {
    finish(receive, {}, message->total);
  }
  discard(message);
}

void MessageProtocol::abandoned(int sender, uint64_t number) {
  const auto found = at(sender).incoming.find(number);
  if (found == at(sender).incoming.end()) return;
  Incoming* const message = found->second;
  if (message->received == message->total) return;  // whole, and kept until somebody takes it
  if (Receive* const receive = std::exchange(message->receive, nullptr)) {
    finish(receive, fail(gossRemoteError, "rank %d cancelled the message", sender), 0);
  } else if (!message->unwanted) {
    unexpected_.remove(message);
  }
  discard(message);
}

void MessageProtocol::drop_stash(Incoming* message) {
  Peer& p = at(message->peer);
  p.held -= message->stash.size();
  gone(message->peer, message->stash.size());
  std::vector<std::byte>().swap(message->stash);
}

void MessageProtocol::discard(Incoming* message) {
  drop_stash(message);
  at(message->peer).incoming.erase(message->number);
  incomings_.give(message);
}

void MessageProtocol::gone(int peer, size_t unsolicited_bytes) {
  Peer& p = at(peer);
  p.returned += unsolicited_bytes;
  if (p.returned >= kWindowBytes / 2) control(peer, PacketKind::kCredit, 0);
}

}  // namespace goss::transport
