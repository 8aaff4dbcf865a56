// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// OneSided: puts into windows and waits for signals, all on their way at once, as a state machine
// that never blocks. A put copies into the mapped memory of its target and then counts in the
// pair's control page; who waits compares that count with what it has waited for so far.
#pragma once

#include <chrono>
#include <vector>

#include "engine/communicator.h"
#include "engine/progress.h"

namespace goss::engine {

class OneSided {
 public:
  // The transfers of `operation` must stay where they are until the execution is done.
  Progress start(Communicator& comm, const Operation& operation);
  Progress advance(Communicator& comm);
  // After kBlocked, now and then: kFailed when waiting has become pointless.
  Progress check(Communicator& comm, std::chrono::milliseconds waited);
  // Changes whenever something has moved.
  uint64_t position() const { return moved_; }
  bool failed() const { return !failure_.ok(); }
  const Status& failure() const { return failure_; }

 private:
  struct Wait {
    const Transfer* transfer;
    uint64_t goal;
  };

  Status prepare(Communicator& comm, const Transfer& transfer);
  bool put(Communicator& comm, const Transfer& transfer);
  bool blocked() const { return next_ < puts_.size() || !waits_.empty(); }
  const Transfer& awaited() const {
    return next_ < puts_.size() ? *puts_[next_] : *waits_.front().transfer;
  }
  bool fail(Communicator& comm, Status failure);

  std::vector<const Transfer*> puts_;
  size_t next_ = 0;  // of puts_
  size_t done_ = 0;  // bytes of it
  std::vector<Wait> waits_;
  uint64_t moved_ = 0;
  Status failure_;
};

}  // namespace goss::engine
