// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "transport/messages/protocol.h"

namespace goss::transport {

MessageProtocol::MessageProtocol(int rank, int nranks, size_t fragment_bytes, Wire* wire)
    : rank_(rank), fragment_bytes_(fragment_bytes), wire_(wire), peers_(nranks) {}

void MessageProtocol::mark_busy(int peer) {
  if (std::exchange(at(peer).busy, true)) return;
  busy_.push_back(peer);
}

void MessageProtocol::control(int peer, PacketKind kind, uint64_t message) {
  if (!at(peer).fate.ok()) return;
  at(peer).controls.push_back({kind, message});
  mark_busy(peer);
}

void MessageProtocol::open(int peer) {
  if (!std::exchange(at(peer).opened, true)) control(peer, PacketKind::kHello, 0);
}

// Whoever waits for a peer's message must hear of its death, which only a connection tells.
void MessageProtocol::receive(int peer, const MessageKey& key, std::span<std::byte> buffer,
                              MessageRequest* request) {
  Receive* const receive = receives_.take();
  *receive = Receive{{false, peer, key, request}, buffer, nullptr, nullptr};
  request->state = MessageRequest::State::kPosted;
  request->handle = receive;
  if (Incoming* message = unexpected_.take(peer, key)) {
    bind(message, receive);
  } else if (!at(peer).fate.ok()) {
    finish(receive, at(peer).fate, 0);
  } else {
    posted_.insert(receive);
    open(peer);
  }
}

int MessageProtocol::cancel(MessageRequest* request) {
  auto* const posting = static_cast<Posting*>(request->handle);
  if (request->state != MessageRequest::State::kPosted || posting == nullptr) return -1;
  const int peer = posting->peer;
  if (posting->sending) {
    auto* const message = static_cast<Outgoing*>(posting);
    if (message->started) {
      strike_pending(message);
      control(message->peer, PacketKind::kAbandon, message->number);
    }
    end_sending(message);
  } else {
    auto* const receive = static_cast<Receive*>(posting);
    if (receive->message != nullptr) {
      reject(std::exchange(receive->message, nullptr));
    } else {
      posted_.remove(receive);
    }
  }
  request->state = MessageRequest::State::kIdle;
  release(posting);
  return peer;
}

void MessageProtocol::finish(Posting* posting, Status failure, size_t bytes) {
  MessageRequest* const request = posting->request;
  request->bytes = bytes;
  const bool done = failure.ok();
  request->failure = std::move(failure);
  request->state = done ? MessageRequest::State::kDone : MessageRequest::State::kFailed;
  ++ended_;
  release(posting);
}

void MessageProtocol::release(Posting* posting) {
  posting->request->handle = nullptr;
  if (posting->sending) {
    outgoings_.give(static_cast<Outgoing*>(posting));
  } else {
    receives_.give(static_cast<Receive*>(posting));
  }
}

void MessageProtocol::forget(uint64_t communicator) {
  forgotten_.insert(communicator);
  unexpected_.take_if(
      [communicator](const Incoming& message) { return message.key.communicator == communicator; },
      [this](Incoming* message) { reject(message); });
}

void MessageProtocol::lost(int peer, const Status& reason) {
  Peer& p = at(peer);
  if (!p.fate.ok()) return;
  p.fate = reason;
  p.controls.clear();
  p.ready.clear();
  std::vector<Outgoing*> sending(p.queue.begin(), p.queue.end());
  for (const auto& [number, message] : p.outgoing) sending.push_back(message);
  p.queue.clear();
  p.outgoing.clear();
  p.proving.clear();
  for (Outgoing* message : sending) {
    strike_pending(message);
    finish(message, reason, 0);
  }
  posted_.take_if([peer](const Receive& receive) { return receive.peer == peer; },
                  [&](Receive* receive) { finish(receive, reason, 0); });
  // What has arrived whole can still be received.
  std::vector<Incoming*> broken;
  for (const auto& [number, message] : p.incoming) {
    if (message->received < message->total) broken.push_back(message);
  }
  for (Incoming* message : broken) {
    if (message->receive != nullptr) {
      finish(std::exchange(message->receive, nullptr), reason, 0);
    } else if (!message->unwanted) {
      unexpected_.remove(message);
    }
    discard(message);
  }
}

void MessageProtocol::say_bye() {
  for (size_t peer = 0; peer < peers_.size(); ++peer) {
    if (peers_[peer].opened) control(static_cast<int>(peer), PacketKind::kBye, 0);
  }
}

}  // namespace goss::transport
