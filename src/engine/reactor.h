// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Reactor: the library's one thread. It runs host streams and non-blocking communicators, serves
// rendezvous, and watches the other processes. Started when first needed, blocks all signals,
// never joined: a process may end at any moment. A forked child has none.
#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <vector>

#include "base/unique_fd.h"
#include "engine/stream.h"
#include "engine/waiter.h"
#include "engine/watched.h"

namespace goss::engine {

class Reactor {
 public:
  static Reactor& get();
  // Number of forks between the start of the program and this process; handles made under another
  // number belong to the parent.
  static unsigned generation();

  // For as long as its owner keeps it.
  void watch(const WatchedPtr& watched);
  // Until finished().
  void serve(std::unique_ptr<Watched> watched);
  // Nobody will come to the rendezvous of this job any more, if this process serves it.
  static void end_serving(const JobName& job);
  // Needs no memory, so that what has been queued is run.
  void run_stream(StreamPtr stream) noexcept;
  void wake();
  // Waits until what its thread was doing is over, at most for `patience`. Not for that thread.
  static void finish_turn(std::chrono::milliseconds patience);

 private:
  // Throws std::system_error where there are no descriptors or threads left.
  Reactor();
  void loop();
  void turn(Waiter::Clock::time_point* next_poll);
  bool advance_streams();
  void poll_watched(int timeout_ms);

  std::mutex mutex_;  // guards the lists
  std::vector<std::weak_ptr<Watched>> watched_;
  std::vector<std::unique_ptr<Watched>> new_served_;
  std::vector<JobName> over_;  // no longer to be served
  StreamPtr arriving_;         // linked by next_, as the next; the last to arrive first
  StreamPtr running_;          // reactor thread only
  std::vector<std::unique_ptr<Watched>> served_;  // reactor thread only
  UniqueFd event_fd_;
  std::atomic<uint32_t> word_{0};
  std::atomic<bool> sleeping_{false};
  std::atomic<uint64_t> turns_{0};  // that are over
  Waiter waiter_{true};
};

}  // namespace goss::engine
