// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// ParentExchange: what the ranks of a communicator tell each other before another one is made of
// it: a sum of numbers over all of them, so everybody contributes to its own places of a table of
// zeros. A state machine that never blocks; one thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <vector>

#include "engine/communicator.h"
#include "engine/execution.h"

namespace goss::engine {

class ParentExchange {
 public:
  // `parent` must outlive this and run no other operation meanwhile. `what`: for messages.
  ParentExchange(Communicator* parent, const char* what, std::vector<int64_t> table);
  // The other ranks are told when it has begun and was not settled.
  ~ParentExchange();
  ParentExchange(const ParentExchange&) = delete;
  ParentExchange& operator=(const ParentExchange&) = delete;

  Result<bool> advance();
  bool started() const { return started_; }
  // The other ranks need this one no more, or hear of it in another way.
  void settle() { settled_ = true; }
  // After advance() was true: the sums.
  const std::vector<int64_t>& table() const { return table_; }

 private:
  Communicator* parent_;
  const char* what_;
  std::vector<int64_t> table_;
  Operation operation_;
  Execution execution_;
  bool started_ = false;
  bool complete_ = false;
  bool settled_ = false;
  uint64_t polls_ = 0;
  std::chrono::steady_clock::time_point began_;
};

}  // namespace goss::engine
