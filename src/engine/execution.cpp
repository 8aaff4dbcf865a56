// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "engine/execution.h"

#include <utility>

namespace goss::engine {

Progress Execution::start(Communicator& comm, const Operation& operation) {
  operation_ = operation;
  if (comm.faults().any()) {
    failure_ = comm.faults().status();
    if (!failure_.ok()) return Progress::kFailed;
  }
  failure_ = {};
  choice_ = choose(operation, comm.nranks(), comm.settings().forced);
  const Program* program = choice_.path == Path::kMapped
                               ? &comm.plans().get(choice_.algorithm, operation.root)
                               : nullptr;
  mapped_.direct().offer(comm, operation, program);
  signature_ = comm.begin_operation(operation, choice_, mapped_.direct().own());
  active_ = true;
  waited_ = false;
  switch (choice_.path) {
    case Path::kNothing: return settle(comm, Progress::kDone);
    case Path::kInline: return settle(comm, inline_.start(comm, operation_, signature_));
    case Path::kMapped: return settle(comm, mapped_.start(comm, operation_, *program, signature_));
  }
  return Progress::kFailed;
}

Progress Execution::advance(Communicator& comm) {
  return settle(comm,
                choice_.path == Path::kInline ? inline_.advance(comm) : mapped_.advance(comm));
}

Progress Execution::settle(Communicator& comm, Progress progress) {
  switch (progress) {
    case Progress::kBlocked:
      if (!std::exchange(waited_, true)) comm.stats.waits += 1;
      break;
    case Progress::kDone:
      active_ = false;
      comm.end_operation(operation_);
      break;
    case Progress::kFailed:
      failure_ = choice_.path == Path::kInline ? comm.mismatch(inline_.waiting_for(), signature_)
                                               : mapped_.failure();
      give_up(comm);
      break;
  }
  return progress;
}

Progress Execution::check(Communicator& comm, std::chrono::milliseconds waited) {
  const int peer = choice_.path == Path::kInline ? inline_.waiting_for() : mapped_.waiting_for();
  failure_ = comm.check_wait(peer, signature_, waited);
  if (failure_.ok()) return Progress::kBlocked;
  give_up(comm);
  return Progress::kFailed;
}

void Execution::give_up(Communicator& comm) {
  active_ = false;
  mapped_.direct().withdraw(comm);
}

Status run_synchronously(Communicator& comm, Execution& execution, const Operation& operation) {
  Progress progress = execution.start(comm, operation);
  Waiter& waiter = comm.waiter;
  uint64_t position = execution.position();
  while (progress == Progress::kBlocked) {
    progress = execution.advance(comm);
    if (progress != Progress::kBlocked) break;
    if (execution.position() != position) {
      position = execution.position();
      waiter.progressed();
    } else if (waiter.pause()) {
      progress = execution.check(comm, waiter);
    }
  }
  waiter.progressed();
  return progress == Progress::kDone ? Status() : execution.failure();
}

}  // namespace goss::engine
