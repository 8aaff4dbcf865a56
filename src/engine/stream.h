// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Stream: a queue of work on host memory that runs in order on the library's thread. The user's
// side (push, wait, query) may be called from any thread, advance() from the library's only.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>

#include "base/status.h"
#include "engine/waiter.h"

namespace goss::engine {

// One place in a stream, which is reached when all work before it is complete.
class EventPoint {
 public:
  void reach();
  bool reached() const { return reached_.load(std::memory_order_acquire); }  // pairs with reach()
  void wait();

 private:
  std::atomic<bool> reached_{false};
  std::mutex mutex_;
  std::condition_variable changed_;
};
// shared: the event, its stream, and the streams that wait for it
using EventPointPtr = std::shared_ptr<EventPoint>;

// Stands for the point recorded last. Who waits, waits for what that was when he asked.
class Event {
 public:
  EventPointPtr record();          // a new point, not reached yet
  EventPointPtr recorded() const;  // null: none

 private:
  mutable std::mutex mutex_;
  EventPointPtr point_;
};

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
  // Instead of advance(), when that threw.
  virtual void give_up(const Status& failure) { status_ = failure; }
  // After kDone: how it ended.
  Status take_status() { return std::move(status_); }

 protected:
  Status status_;

 private:
  std::unique_ptr<Work> next_;  // in its stream
  friend class Stream;
};

class Stream {
 public:
  Stream() = default;
  ~Stream();
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
  // Needs no memory: what has been made is queued.
  void push(std::unique_ptr<Work> work) noexcept;
  // The error of the first operation that failed since the stream was made.
  Status wait();
  // Whether all work is done; *first_failure as wait().
  bool idle(Status* first_failure);

  // Library thread. True when something moved; *empty when the queue has run dry.
  bool advance(bool* empty);
  void examine(Waiter::Clock::time_point now);
  void add_bells(Waiter* waiter);

 private:
  std::unique_ptr<Work> take_first();
  bool finish_front();

  std::mutex mutex_;
  std::condition_variable drained_;
  std::unique_ptr<Work> queue_;  // linked by next_
  Work* last_ = nullptr;         // of the queue
  std::unique_ptr<Work> front_;  // library thread only, as the next two
  bool moved_ = true;            // since the last examine()
  Waiter::Clock::time_point blocked_since_{};
  uint64_t pushed_ = 0;
  std::atomic<uint64_t> done_{0};
  Status failure_;
  bool scheduled_ = false;        // the library's thread knows of this stream
  std::shared_ptr<Stream> next_;  // shared: see StreamPtr; in the list of the library's thread
  friend class Reactor;
};

using StreamPtr = std::shared_ptr<Stream>;  // shared: its handle and the library's thread

}  // namespace goss::engine
