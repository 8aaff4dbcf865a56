// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Faults: the first failure of a communicator, the same on every rank. Whoever notices something
// writes it into its own area of the shared segment and then, in one step, names itself as the
// first, unless somebody was; everybody adopts the text of the first. So nobody waits for a writer,
// which may have been stopped or killed. Any thread.
#pragma once

#include <atomic>
#include <functional>
#include <mutex>

#include "base/status.h"
#include "transport/shm/segment.h"

namespace goss::engine {

class Faults {
 public:
  // Where ranks have segments of their own: lets all hosts agree on the first failure, which
  // then comes back by settle(). True: wait for that, for a bounded time.
  using Agree = std::function<void(const Status& failure, bool wait)>;
  // `area`: which area of the segment is the owner's.
  Faults(shm::Segment* segment, int area, Agree agree = {})
      : segment_(segment), area_(area), agree_(std::move(agree)) {}

  // One load of a line that nobody writes in good times.
  bool any() const {
    return failed_.load(std::memory_order_acquire) ||  // pairs with the store in fail_here()
           segment_->header().fault.load(std::memory_order_relaxed) != 0;
  }
  // The first failure, or success. Adopts what another rank has written.
  Status status();
  // Report to all ranks, unless somebody was first.
  void raise(const Status& failure);
  // The same without waiting for other hosts.
  void raise_soon(const Status& failure);
  // What all hosts report, for the ranks of this one.
  void settle(const Status& failure);
  // Fail this rank only (an aborted communicator whose peers are told something else).
  void fail_here(const Status& failure);

 private:
  shm::Segment* segment_;
  int area_;
  Agree agree_;
  std::atomic<bool> failed_{false};
  std::mutex mutex_;
  bool noted_ = false;  // the owner's area has a failure, which no later one replaces
  Status first_;
};

}  // namespace goss::engine
