// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Gate: a listening socket and the connections that have not proved anything yet. Hands out those
// that have: authenticated, with their first frame or their end. All others are closed after a
// deadline, when they say something wrong, or when there are too many, those first that have not
// even named the job; none of that is an error.
// Used by Root and by the mesh listener of each rank; non-blocking; one thread at a time.
#pragma once

#include <poll.h>

#include <chrono>
#include <list>
#include <memory>
#include <vector>

#include "transport/bootstrap/handshake.h"

namespace goss::bootstrap {

struct Arrival {
  Hello hello;
  std::unique_ptr<Channel> channel;
  std::vector<Frame> frames;  // none: it has ended since its proof, without a word
};

class Gate {
 public:
  using Clock = std::chrono::steady_clock;

  Gate(Socket listener, const Secret& secret, const Hello& expected)
      : listener_(std::move(listener)), secret_(secret), expected_(expected) {}

  void set_limit(size_t pending) { limit_ = pending; }
  // Connections from now on are measured by these.
  void expect(const Secret& secret, const Hello& expected) {
    secret_ = secret;
    expected_ = expected;
  }
  // At most one thing per connection and call; never blocks.
  void poll(Clock::time_point now, std::vector<Arrival>* arrivals);
  void pollfds(std::vector<pollfd>* fds) const;
  void close();

  uint64_t refused() const { return refused_; }  // closed unauthenticated, for whatever reason

 private:
  struct Pending {
    Socket socket;  // moves into the channel
    ServerHandshake handshake;
    Clock::time_point deadline;
    std::unique_ptr<Channel> channel;  // once authenticated
  };

  void settle(Clock::time_point now, std::list<Pending>::iterator pending,
              std::vector<Arrival>* arrivals);
  void accept_all(Clock::time_point now, std::vector<Arrival>* arrivals);
  void drop_one();
  Progress advance(Clock::time_point now, Pending* pending, std::vector<Arrival>* arrivals);

  Socket listener_;
  Secret secret_;
  Hello expected_;
  size_t limit_ = 64;
  std::list<Pending> pending_;  // oldest first
  bool starved_ = false;        // no descriptor left: do not wake up for the listener
  uint64_t refused_ = 0;
};

}  // namespace goss::bootstrap
