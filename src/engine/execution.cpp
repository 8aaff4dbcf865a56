// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "engine/execution.h"

#include <exception>
#include <utility>

namespace goss::engine {

Progress Execution::start(Communicator& comm, const Operation& operation) {
  operation_ = operation;
  // An abort of this rank is a fault as well, but for itself none of a remote rank.
  if (comm.faults().any() && comm.interrupted(&failure_)) return Progress::kFailed;
  failure_ = {};
  active_ = true;
  waited_ = false;
  if (operation.transfers != nullptr) {
    choice_ = {};
    choice_.path = Path::kPairs;
    return settle(comm, pairs_.start(comm, operation_));
  }
  choose_compressed(comm);
  reporter_.begin(comm, operation_, compression_.has_value());
  return begin(comm);
}

// Whether the operation is compressed. What would be refused was refused before it began.
void Execution::choose_compressed(const Communicator& comm) {
  compression_.reset();
  if (comm.settings().codecs.empty() && operation_.options == nullptr) return;
  const Result<CompressionChoice> choice =
      choose_compression(operation_, comm.nranks(), comm.settings().codecs);
  if (choice.ok()) compression_ = choice.value().use;
}

Progress Execution::begin(Communicator& comm) {
  if (compression_) {
    choice_ = {Path::kCompressed, compression_->algorithm, ""};
    signature_ = comm.begin_operation(operation_, static_cast<int>(compression_->algorithm), {},
                                      compression_->packed());
    compressed_ = &comm.compressed();
    return settle(comm, compressed_->start(comm, operation_, *compression_, signature_));
  }
  if (comm.span() != nullptr) [[unlikely]] {
    choice_ = {};
    choice_.path = Path::kHosts;
    if (span_ == nullptr) span_ = std::make_unique<SpanExecution>();
    return settle(comm, span_->start(comm, operation_));
  }
  choice_ = choose(operation_, comm.nranks(), comm.settings().forced);
  const Program* program = choice_.path == Path::kMapped
                               ? &comm.plans().get(choice_.algorithm, operation_.root)
                               : nullptr;
  mapped_.direct().offer(comm, operation_, program);
  signature_ =
      comm.begin_operation(operation_, static_cast<int>(choice_.algorithm), mapped_.direct().own());
  switch (choice_.path) {
    case Path::kNothing: return settle(comm, Progress::kDone);
    case Path::kInline: return settle(comm, inline_.start(comm, operation_, signature_));
    case Path::kMapped: return settle(comm, mapped_.start(comm, operation_, *program, signature_));
    case Path::kPairs:
    case Path::kCompressed:
    case Path::kHosts: break;  // above
  }
  return Progress::kFailed;
}

Progress Execution::advance(Communicator& comm) {
  switch (choice_.path) {
    case Path::kNothing: return Progress::kDone;
    case Path::kInline: return settle(comm, inline_.advance(comm));
    case Path::kMapped: return settle(comm, mapped_.advance(comm));
    case Path::kPairs: return settle(comm, pairs_.advance(comm));
    case Path::kCompressed: return settle(comm, compressed_->advance(comm));
    case Path::kHosts: return settle(comm, span_->advance(comm));
  }
  return Progress::kFailed;
}

uint64_t Execution::position() const {
  switch (choice_.path) {
    case Path::kNothing: return 0;
    case Path::kInline: return inline_.position();
    case Path::kMapped: return mapped_.position();
    case Path::kPairs: return pairs_.position();
    case Path::kCompressed: return compressed_->position();
    case Path::kHosts: return span_->position();
  }
  return 0;
}

Progress Execution::settle(Communicator& comm, Progress progress) {
  switch (progress) {
    case Progress::kBlocked:
      if (!std::exchange(waited_, true)) comm.stats.waits += 1;
      break;
    case Progress::kDone: return end(comm);
    case Progress::kFailed:
      if (choice_.path == Path::kInline) {
        failure_ = comm.mismatch(inline_.waiting_for(), signature_);
      } else if (choice_.path == Path::kHosts) {
        failure_ = span_->failure();
      } else {
        failure_ = choice_.path == Path::kMapped  ? mapped_.failure()
                   : choice_.path == Path::kPairs ? pairs_.failure()
                                                  : compressed_->failure();
      }
      if (comm.aborting()) comm.interrupted(&failure_);
      give_up(comm);
      break;
  }
  return progress;
}

Progress Execution::end(Communicator& comm) {
  if (choice_.path == Path::kPairs) {
    comm.end_transfers(operation_);
  } else {
    comm.end_operation(operation_);
  }
  if (choice_.path == Path::kCompressed) {
    reporter_.add(comm, *compressed_, operation_, *compression_);
  }
  if (const Operation* exact = reporter_.exact()) {
    if (operation_.options != exact->options) {
      operation_ = *exact;
      compression_.reset();
      return begin(comm);
    }
    reporter_.measure(comm);
  }
  active_ = false;
  reporter_.finish();
  return Progress::kDone;
}

Progress Execution::check(Communicator& comm, std::chrono::milliseconds waited) {
  if (choice_.path == Path::kCompressed) {
    return settle(comm, compressed_->check(comm, waited));
  }
  if (choice_.path == Path::kPairs) return settle(comm, pairs_.check(comm, waited));
  if (choice_.path == Path::kHosts) return settle(comm, span_->check(comm, waited));
  const int peer = choice_.path == Path::kInline ? inline_.waiting_for() : mapped_.waiting_for();
  failure_ = comm.check_wait(peer, signature_, waited);
  if (failure_.ok()) return Progress::kBlocked;
  give_up(comm);
  return Progress::kFailed;
}

void Execution::give_up(Communicator& comm) {
  active_ = false;
  mapped_.direct().withdraw(comm);
  pairs_.give_up(comm);
  if (choice_.path == Path::kCompressed) compressed_->give_up(comm);
  reporter_.give_up();
  if (span_ != nullptr) span_->give_up(comm);
}

Status Execution::break_off(Communicator& comm, const Status& failure) {
  Status first = comm.lost(failure);
  give_up(comm);
  return first;
}

namespace {

Status run_to_end(Communicator& comm, Execution& execution, const Operation& operation) {
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

}  // namespace

Status run_synchronously(Communicator& comm, Execution& execution, const Operation& operation) {
  try {
    return run_to_end(comm, execution, operation);
  } catch (const std::exception& e) {
    return execution.break_off(comm, fail(gossSystemError, "%s", e.what()));
  }
}

}  // namespace goss::engine
