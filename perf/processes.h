// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// --procs: the tool starts its own processes, gives them the unique id through sockets, and looks
// after them. Nobody else is needed: no launcher, no port, no secret in the environment.
#pragma once

#include <optional>
#include <vector>

#include "gossamer/gossamer.h"
#include "options.h"

namespace goss::perf {

// One of the processes, seen from inside.
class Forked {
 public:
  Forked(int process, int nprocesses, std::vector<int> sockets)
      : process_(process), nprocesses_(nprocesses), sockets_(std::move(sockets)) {}
  Forked(Forked&& other) noexcept = default;
  Forked& operator=(Forked&&) = delete;
  ~Forked();

  int process() const { return process_; }
  int nprocesses() const { return nprocesses_; }
  // Process 0 makes the id, the others receive it. Throws a Failure.
  gossUniqueId share_unique_id() const;

 private:
  int process_;
  int nprocesses_;
  std::vector<int> sockets_;  // of process 0: to all others; of the others: to process 0
};

// Forks options.procs processes. In each of them returns with a value. In the parent returns with
// nothing when all have ended; *exit_code is 0 when all went well. A process that was killed is
// reported, and the rest is ended. To be called before any thread exists.
std::optional<Forked> fork_processes(const Options& options, int* exit_code);

}  // namespace goss::perf
