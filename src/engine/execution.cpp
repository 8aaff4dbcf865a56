// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "engine/execution.h"

#include <utility>

namespace goss::engine {

namespace {

// From here on reading gossMemAlloc memory in place is worth the extra wait at the end.
constexpr size_t kDirectBytes = 256 * 1024;

bool direct_size(const Communicator& comm, const Operation& operation, const Choice& choice) {
  // How many extents there are is local; how many calls were aggregated is the same on all ranks.
  return choice.path == Path::kMapped && operation.calls == 1 && comm.nranks() > 1 &&
         operation.bytes() >= kDirectBytes;
}

}  // namespace

Progress Execution::start(Communicator& comm, const Operation& operation) {
  operation_ = operation;
  if (comm.faults().any()) {
    failure_ = comm.faults().status();
    if (!failure_.ok()) return Progress::kFailed;
  }
  failure_ = {};
  choice_ = choose(operation, comm.nranks(), comm.settings().forced);
  const bool direct = direct_size(comm, operation, choice_);
  DirectBuffers& own = mapped_.own_buffers();
  own = {};
  if (direct && comm.compute().host_memory()) {
    const bool in_place = operation.buffer.input == operation.buffer.output;
    if (!in_place || !comm.plans().get(choice_.algorithm, operation.root).overwrites_input) {
      own.input = device::find_shared(operation.buffer.input, operation.bytes());
    }
    // Not for results that leave the caches anyway and peers with a shared cache: a copy in a cell
    // costs less than to fetch lines of the output in order to write them.
    if (comm.far || operation.bytes() < kStreamOutputBytes) {
      own.output = device::find_shared(operation.buffer.output, operation.bytes());
    }
  }
  signature_ = comm.begin_operation(operation, choice_, own);
  active_ = true;
  waited_ = false;
  switch (choice_.path) {
    case Path::kNothing: return settle(comm, Progress::kDone);
    case Path::kInline: return settle(comm, inline_.start(comm, operation_, signature_));
    case Path::kMapped: {
      const Program& program = comm.plans().get(choice_.algorithm, operation.root);
      return settle(comm, mapped_.start(comm, operation, program, signature_, direct));
    }
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
      active_ = false;
      failure_ = choice_.path == Path::kInline ? comm.mismatch(inline_.waiting_for(), signature_)
                                               : mapped_.failure();
      break;
  }
  return progress;
}

Progress Execution::check(Communicator& comm, std::chrono::milliseconds waited) {
  const int peer = choice_.path == Path::kInline ? inline_.waiting_for() : mapped_.waiting_for();
  failure_ = comm.check_wait(peer, signature_, waited);
  if (failure_.ok()) return Progress::kBlocked;
  active_ = false;
  return Progress::kFailed;
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
