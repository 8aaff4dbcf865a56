// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "transport/bootstrap/gate.h"

#include <algorithm>
#include <cerrno>
#include <iterator>

namespace goss::bootstrap {

namespace {

constexpr std::chrono::seconds kDeadline{5};
constexpr int kAcceptsPerCall = 64;  // so that a flood of strangers leaves time for the others

}  // namespace

void Gate::poll(Clock::time_point now, std::vector<Arrival>* arrivals) {
  if (!listener_.valid()) return;
  // First those who are here, then new ones, who may push some of them out.
  for (auto next = pending_.begin(); next != pending_.end();) settle(now, next++, arrivals);
  accept_all(now, arrivals);
}

// Advances a connection and drops it when it has become an arrival, failed, or taken too long.
void Gate::settle(Clock::time_point now, std::list<Pending>::iterator pending,
                  std::vector<Arrival>* arrivals) {
  Progress progress = advance(now, &*pending, arrivals);
  if (progress == Progress::kRunning && now >= pending->deadline) progress = Progress::kFailed;
  if (progress == Progress::kFailed) ++refused_;
  if (progress != Progress::kRunning) pending_.erase(pending);
}

void Gate::accept_all(Clock::time_point now, std::vector<Arrival>* arrivals) {
  starved_ = false;
  for (int i = 0; i < kAcceptsPerCall; ++i) {
    int error = 0;
    Socket socket = accept_one(listener_, &error);
    if (error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM) {
      starved_ = true;
      drop_one();
      return;
    }
    if (error != 0) return;
    pending_.push_back(
        {std::move(socket), ServerHandshake(secret_, expected_), now + kDeadline, nullptr});
    // A rank sends its hello at once: read it before others can push this connection out.
    settle(now, std::prev(pending_.end()), arrivals);
    if (pending_.size() > limit_) drop_one();
  }
}

// The oldest that has not named the job, which only its ranks can unless they were listened to;
// else the oldest without a proof; when all have one, none.
void Gate::drop_one() {
  auto victim = std::find_if(pending_.begin(), pending_.end(),
                             [](const Pending& p) { return !p.handshake.named_job(); });
  if (victim == pending_.end()) {
    victim = std::find_if(pending_.begin(), pending_.end(),
                          [](const Pending& p) { return p.channel == nullptr; });
  }
  if (victim == pending_.end()) return;
  pending_.erase(victim);
  ++refused_;
}

Progress Gate::advance(Clock::time_point now, Pending* pending, std::vector<Arrival>* arrivals) {
  if (pending->channel == nullptr) {
    const Progress progress = pending->handshake.advance(pending->socket);
    if (progress != Progress::kDone) return progress;
    pending->channel =
        std::make_unique<Channel>(std::move(pending->socket), pending->handshake.keys());
    pending->deadline = now + kDeadline;
  }
  std::vector<Frame> frames;
  const bool open = pending->channel->receive(&frames);
  if (frames.empty() && open) return Progress::kRunning;
  arrivals->push_back({pending->handshake.hello(), std::move(pending->channel), std::move(frames)});
  return Progress::kDone;
}

void Gate::pollfds(std::vector<pollfd>* fds) const {
  if (!listener_.valid()) return;
  if (!starved_) fds->push_back({listener_.get(), POLLIN, 0});
  for (const Pending& pending : pending_) {
    const bool write = pending.channel == nullptr && pending.handshake.wants_write();
    const Socket& socket = pending.channel == nullptr ? pending.socket : pending.channel->socket();
    fds->push_back({socket.get(), static_cast<short>(write ? POLLOUT : POLLIN), 0});
  }
}

void Gate::close() {
  listener_.reset();
  pending_.clear();
}

}  // namespace goss::bootstrap
