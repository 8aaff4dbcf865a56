// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "transport/bootstrap/gate.h"

#include <algorithm>
#include <cerrno>

namespace goss::bootstrap {

namespace {

constexpr std::chrono::seconds kDeadline{5};
constexpr int kAcceptsPerCall = 64;  // so that a flood of strangers leaves time for the others

}  // namespace

void Gate::poll(Clock::time_point now, std::vector<Arrival>* arrivals) {
  if (!listener_.valid()) return;
  // First those who are here, then new ones, who may push out the oldest.
  for (int pass = 0; pass < 2; ++pass) {
    for (auto next = pending_.begin(); next != pending_.end();) {
      const auto current = next++;
      Progress progress = advance(now, &*current, arrivals);
      if (progress == Progress::kRunning && now >= current->deadline) progress = Progress::kFailed;
      if (progress == Progress::kFailed) ++refused_;
      if (progress != Progress::kRunning) pending_.erase(current);
    }
    if (pass == 0) accept_all(now);
  }
}

void Gate::accept_all(Clock::time_point now) {
  starved_ = false;
  for (int i = 0; i < kAcceptsPerCall; ++i) {
    int error = 0;
    Socket socket = accept_one(listener_, &error);
    if (error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM) {
      starved_ = true;
      drop_oldest();
      return;
    }
    if (error != 0) return;
    pending_.push_back(
        {std::move(socket), ServerHandshake(secret_, expected_), now + kDeadline, nullptr});
    if (pending_.size() > limit_) drop_oldest();
  }
}

// The oldest without a proof; when all have one, none.
void Gate::drop_oldest() {
  const auto oldest = std::find_if(pending_.begin(), pending_.end(),
                                   [](const Pending& p) { return p.channel == nullptr; });
  if (oldest == pending_.end()) return;
  pending_.erase(oldest);
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
  if (frames.empty()) return open ? Progress::kRunning : Progress::kFailed;
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
