// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Stream: a queue of work on host memory that runs in order on the library's thread. The user's
// side (push, wait, query) may be called from any thread, advance() from the library's only.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "base/status.h"
#include "engine/waiter.h"

namespace goss::engine {

// A point in a stream, or none yet.
class Event {
 public:
  void record();  // a new point, not reached yet; returns at once
  void reach(uint64_t point);
  uint64_t recorded() const {
    return recorded_.load(std::memory_order_acquire);
  }  // pairs with record()
  bool reached(uint64_t point) const {
    return reached_.load(std::memory_order_acquire) >= point;  // pairs with reach()
  }
  void wait();  // for the point recorded last

 private:
  std::atomic<uint64_t> recorded_{0};
  std::atomic<uint64_t> reached_{0};
  std::mutex mutex_;
  std::condition_variable changed_;
};

using EventPtr = std::shared_ptr<Event>;  // shared: its handle and work in streams

// One entry of a stream, as a state machine.
class Work {
 public:
  enum class State { kDone, kMoved, kBlocked };
  virtual ~Work() = default;
  // Never blocks.
  virtual State advance() = 0;
  // Now and then while it is blocked, whatever other streams do: time to look at clocks and faults.
  virtual State examine(std::chrono::milliseconds /*waited*/) { return State::kBlocked; }
  virtual void add_bells(Waiter*) {}
  // After kDone: how it ended.
  virtual Status take_status() { return {}; }
};

class Stream {
 public:
  void push(std::unique_ptr<Work> work);
  // The error of the first operation that failed since the stream was made.
  Status wait();
  // Whether all work is done; *first_failure as wait().
  bool idle(Status* first_failure);

  // Library thread. True when something moved; *empty when the queue has run dry.
  bool advance(bool* empty);
  void examine(Waiter::Clock::time_point now);
  void add_bells(Waiter* waiter);

 private:
  bool finish_front();

  std::mutex mutex_;
  std::condition_variable drained_;
  std::deque<std::unique_ptr<Work>> queue_;
  std::unique_ptr<Work> front_;  // library thread only, as the next two
  bool moved_ = true;            // since the last examine()
  Waiter::Clock::time_point blocked_since_{};
  uint64_t pushed_ = 0;
  std::atomic<uint64_t> done_{0};
  Status failure_;
  bool scheduled_ = false;  // the library's thread knows of this stream
  friend class Reactor;
};

using StreamPtr = std::shared_ptr<Stream>;  // shared: its handle and the library's thread

}  // namespace goss::engine
