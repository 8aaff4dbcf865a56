// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Watched: something with file descriptors that the library's thread looks after (reactor.h).
#pragma once

#include <poll.h>

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

namespace goss::engine {

using JobName = std::array<uint8_t, 16>;

class Watched {
 public:
  virtual ~Watched() = default;
  virtual void pollfds(std::vector<pollfd>* fds) = 0;
  // Called when one of the descriptors is ready and at least every 250 ms. Never blocks.
  virtual void poll() = 0;
  // True: forget it.
  virtual bool finished() { return false; }
  // True: it is the rendezvous of this job.
  virtual bool serves(const JobName&) const { return false; }
};

using WatchedPtr = std::shared_ptr<Watched>;  // shared: its owner, during a poll the library

}  // namespace goss::engine
