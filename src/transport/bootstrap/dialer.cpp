// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "transport/bootstrap/dialer.h"

#include <algorithm>
#include <cerrno>

namespace goss::bootstrap {

namespace {

constexpr std::chrono::seconds kAttempt{5};  // as long as a Gate waits
constexpr std::chrono::milliseconds kLongestPause{200};

}  // namespace

std::unique_ptr<Channel> Dialer::advance(Clock::time_point now) {
  if (!socket_.valid() && !start(now)) return nullptr;
  if (now >= deadline_) {
    retry(now, format("no answer for %d s", static_cast<int>(kAttempt.count())));
    return nullptr;
  }
  if (!connected_ && !connected(now, connect_error(socket_))) return nullptr;
  const Progress progress = handshake_->advance(socket_);
  if (progress == Progress::kRunning) return nullptr;
  if (progress == Progress::kFailed) {
    if (handshake_->proof_sent()) ++rejected_proofs_;
    retry(now, handshake_->proof_sent()
                   ? "the other side ended the handshake: it may have another secret, or be "
                     "another program"
                   : "the connection ended in the handshake");
    return nullptr;
  }
  return std::make_unique<Channel>(std::move(socket_), handshake_->keys());
}

bool Dialer::start(Clock::time_point now) {
  if (now < next_attempt_) return false;
  ++attempts_;
  if (const Status random = fill_random(hello_.nonce.data(), hello_.nonce.size()); !random.ok()) {
    retry(now, random.message());
    return false;
  }
  int error = 0;
  socket_ = start_connect(target_, &error);
  connected_ = false;
  handshake_.emplace(secret_, hello_);
  deadline_ = now + kAttempt;
  return connected(now, error) || error == EINPROGRESS;
}

bool Dialer::connected(Clock::time_point now, int error) {
  if (error == EINPROGRESS) return false;
  if (error == ECONNREFUSED && !refused_since_) refused_since_ = now;
  if (error != ECONNREFUSED) refused_since_.reset();
  if (error != 0) retry(now, error_text(error));
  connected_ = error == 0;
  return connected_;
}

void Dialer::retry(Clock::time_point now, const std::string& problem) {
  socket_.reset();
  handshake_.reset();
  problem_ = problem;
  next_attempt_ = now + pause_;
  pause_ = std::min(pause_ * 2, kLongestPause);
}

std::string Dialer::problem() const {
  return format("%s (attempt %d)", problem_.c_str(), attempts_);
}

void Dialer::pollfds(std::vector<pollfd>* fds) const {
  if (!socket_.valid()) return;
  const bool write = !connected_ || handshake_->wants_write();
  fds->push_back({socket_.get(), static_cast<short>(write ? POLLOUT : POLLIN), 0});
}

}  // namespace goss::bootstrap
