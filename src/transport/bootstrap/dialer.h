// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Dialer: an outgoing connection that is tried again until it stands. A refused, broken, silent or
// wrong answer is followed by another attempt after a short pause; the caller owns the time limit.
// Used by Bootstrap towards the root and its neighbours; non-blocking; one thread at a time.
#pragma once

#include <poll.h>

#include <chrono>
#include <memory>
#include <optional>

#include "transport/bootstrap/handshake.h"

namespace goss::bootstrap {

class Dialer {
 public:
  using Clock = std::chrono::steady_clock;

  // The hello's nonce is drawn anew for each attempt.
  Dialer(const Address& target, const Secret& secret, const Hello& hello)
      : target_(target), secret_(secret), hello_(hello) {}

  // The channel when both sides have proved themselves, else nullptr.
  std::unique_ptr<Channel> advance(Clock::time_point now);
  void pollfds(std::vector<pollfd>* fds) const;
  // Drops the attempt, or notes that its channel was of no use, and pauses before the next.
  void retry(Clock::time_point now, const std::string& problem);

  // What went wrong last, with the number of attempts: "connection refused (attempt 12)".
  std::string problem() const;
  // Since when nobody has listened there, if that is so.
  std::optional<Clock::time_point> refused_since() const { return refused_since_; }
  int rejected_proofs() const { return rejected_proofs_; }
  const Address& target() const { return target_; }

 private:
  bool start(Clock::time_point now);
  bool connected(Clock::time_point now, int error);

  Address target_;
  Secret secret_;
  Hello hello_;
  Socket socket_;
  bool connected_ = false;
  std::optional<ClientHandshake> handshake_;
  Clock::time_point deadline_{};
  Clock::time_point next_attempt_{};
  std::chrono::milliseconds pause_{5};
  int attempts_ = 0;
  int rejected_proofs_ = 0;
  std::string problem_ = "not tried yet";
  std::optional<Clock::time_point> refused_since_;
};

}  // namespace goss::bootstrap
