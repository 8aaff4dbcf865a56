// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "transport/messages/protocol.h"

#include <exception>
#include <utility>

namespace goss::transport {

MessageProtocol::MessageProtocol(int rank, int nranks, size_t fragment_bytes, Wire* wire)
    : rank_(rank),
      fragment_bytes_(fragment_bytes),
      wire_(wire),
      peers_(static_cast<size_t>(nranks)) {
  busy_.reserve(peers_.size());
  turn_.reserve(peers_.size());
}

void MessageProtocol::mark_busy(int peer) noexcept {
  if (std::exchange(at(peer).busy, true)) return;
  busy_.push_back(peer);  // room for all was made in the beginning
}

void MessageProtocol::tell(int peer, Control* control, PacketKind kind, uint64_t message) noexcept {
  Peer& p = at(peer);
  if (!p.fate.ok()) {
    if (control->ended != nullptr) outgoings_.give(control->ended);
    return;
  }
  control->kind = kind;
  control->message = message;
  if (!List<Control>::linked(control)) p.controls.push_back(control);
  mark_busy(peer);
}

void MessageProtocol::open(int peer) {
  Peer& p = at(peer);
  if (std::exchange(p.opened, true)) return;
  p.hello_due = true;
  mark_busy(peer);
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
    settle(message);
  } else if (!at(peer).fate.ok()) {
    finish(receive, at(peer).fate, 0);
  } else {
    posted_.insert(receive);
    open(peer);
  }
}

int MessageProtocol::cancel(MessageRequest* request) noexcept {
  auto* const posting = static_cast<Posting*>(request->handle);
  if (request->state != MessageRequest::State::kPosted || posting == nullptr) return -1;
  const int peer = posting->peer;
  request->handle = nullptr;
  if (posting->sending) {
    auto* const message = static_cast<Outgoing*>(posting);
    if (message->started) strike_pending(message);
    end_sending(message);
    if (message->started) {
      abandon(message);
    } else {
      outgoings_.give(message);
    }
  } else {
    auto* const receive = static_cast<Receive*>(posting);
    if (receive->message != nullptr) {
      reject(std::exchange(receive->message, nullptr));
    } else {
      posted_.remove(receive);
    }
    receives_.give(receive);
  }
  request->state = MessageRequest::State::kIdle;
  return peer;
}

void MessageProtocol::finish(Posting* posting, Status failure, size_t bytes) noexcept {
  MessageRequest* const request = posting->request;
  release(posting);
  conclude(request, std::move(failure), bytes);
}

void MessageProtocol::conclude(MessageRequest* request, Status failure, size_t bytes) noexcept {
  request->handle = nullptr;
  request->bytes = bytes;
  const bool ok = failure.ok();
  request->failure = std::move(failure);
  ++ended_;
  // Last: from here on the request is its owner's.
  request->state = ok ? MessageRequest::State::kDone : MessageRequest::State::kFailed;
}

void MessageProtocol::release(Posting* posting) noexcept {
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
      [this](Incoming* message) {
        reject(message);
        settle(message);
      });
}

void MessageProtocol::lost(int peer, const Status& reason) noexcept {
  Peer& p = at(peer);
  if (!p.fate.ok()) return;
  p.fate = reason;
  while (Control* const control = p.controls.pop_front()) {
    if (control->ended != nullptr) outgoings_.give(control->ended);
  }
  while (p.ready.pop_front() != nullptr) {
  }
  while (p.proving.pop_front() != nullptr) {
  }
  while (Outgoing* const message = p.queue.pop_front()) finish(message, reason, 0);
  using Sent = Numbered<Outgoing>;
  outgoing_.take_if([peer](const Sent& sent) { return sent.peer == peer; },
                    [&](Sent* sent) {
                      Outgoing* const message = sent->message;
                      strike_pending(message);
                      const bool there = has_arrived(*message);
                      finish(message, there ? Status() : reason, there ? message->data.size() : 0);
                    });
  posted_.take_if([peer](const Receive& receive) { return receive.peer == peer; },
                  [&](Receive* receive) { finish(receive, reason, 0); });
  // What has arrived whole can still be received.
  using Coming = Numbered<Incoming>;
  incoming_.take_if(
      [peer](const Coming& coming) {
        return coming.peer == peer && coming.message->received < coming.message->total;
      },
      [&](Coming* coming) {
        Incoming* const message = coming->message;
        if (message->receive != nullptr) {
          finish(std::exchange(message->receive, nullptr), reason, 0);
        } else if (!message->unwanted) {
          unexpected_.remove(message);
        }
        std::vector<std::byte>().swap(message->stash);
        incomings_.give(message);
      });
}

void MessageProtocol::say_bye() noexcept {
  for (size_t peer = 0; peer < peers_.size(); ++peer) {
    Peer& p = peers_[peer];
    if (!p.opened || !p.fate.ok() || static_cast<int>(peer) == rank_) continue;
    p.bye_due = true;
    mark_busy(static_cast<int>(peer));
  }
}

}  // namespace goss::transport
