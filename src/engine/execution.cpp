// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "engine/execution.h"

#include <exception>
#include <utility>

#include "engine/span.h"

namespace goss::engine {

namespace {

Progress both(Progress a, Progress b) {
  if (a == Progress::kFailed || b == Progress::kFailed) return Progress::kFailed;
  return a == Progress::kDone ? b : a;
}

}  // namespace

Progress Execution::start(Communicator& comm, const Operation& operation) {
  operation_ = operation;
  // An abort of this rank is a fault as well, but for itself none of a remote rank.
  if (comm.faults().any() && comm.interrupted(&failure_)) return Progress::kFailed;
  failure_ = {};
  active_ = true;
  waited_ = false;
  stage_ = Stage::kCall;
  compression_.reset();
  if (operation.transfers != nullptr) {
    choice_ = {};
    choice_.path = Path::kPairs;
    const Progress messages = pairs_.start(comm, operation_);
    return settle(comm, both(messages, one_sided_.start(comm, operation_)));
  }
  if (operation.scale.used && operation.count != 0) {
    scaling_.start(comm, &operation_);
    return advance(comm);
  }
  return begin(comm, operation);
}

// An operation whose input is what is to be moved.
Progress Execution::begin(Communicator& comm, const Operation& operation) {
  if (operation.options != nullptr || !comm.settings().codecs.empty()) [[unlikely]] {
    // What would be refused was refused before it began.
    const Result<CompressionChoice> choice =
        choose_compression(operation, comm.nranks(), comm.settings().codecs);
    if (choice.ok()) compression_ = choice.value().use;
    reporter_.begin(comm, operation_, compression_.has_value());
    if (compression_) return begin_compressed(comm);
  }
  return begin_exact(comm, operation);
}

Progress Execution::begin_compressed(Communicator& comm) {
  if (comm.span() != nullptr && works_inside_hosts(operation_, comm.span()->hosts())) {
    choice_ = {Path::kHosts, compression_->algorithm, ""};
    if (span_ == nullptr) span_ = std::make_unique<SpanExecution>();
    return settle(comm, span_->start(comm, operation_, &*compression_));
  }
  choice_ = {Path::kCompressed, compression_->algorithm, ""};
  signature_ = comm.begin_operation(operation_, static_cast<int>(compression_->algorithm), {},
                                    compression_->packed());
  compressed_ = &comm.compressed();
  const Signature signature =
      Signature::of(operation_, static_cast<int>(compression_->algorithm), compression_->packed());
  const MessageFrame frame{signature_, signature.what, signature.count};
  return settle(comm, compressed_->start(comm, operation_, *compression_, frame));
}

Progress Execution::begin_exact(Communicator& comm, const Operation& operation) {
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
  mapped_.direct().offer(comm, operation, program);
  signature_ =
      comm.begin_operation(operation, static_cast<int>(choice_.algorithm), mapped_.direct().own());
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
  if (scaling_.active()) {
    // It waits for nobody, so nobody else asks.
    if (comm.interrupted(&failure_)) {
      give_up(comm);
      return Progress::kFailed;
    }
    scaling_.advance(comm);
    return scaling_.active() ? Progress::kBlocked : begin(comm, operation_);
  }
  switch (choice_.path) {
    case Path::kNothing: return Progress::kDone;
    case Path::kInline: return settle(comm, inline_.advance(comm));
    case Path::kMapped: return settle(comm, mapped_.advance(comm));
    case Path::kPairs: {
      const Progress messages = pairs_.advance(comm);
      return settle(comm, both(messages, one_sided_.advance(comm)));
    }
    case Path::kCompressed: return settle(comm, compressed_->advance(comm));
    case Path::kHosts: return settle(comm, span_->advance(comm));
  }
  return Progress::kFailed;
}

uint64_t Execution::position() const {
  if (scaling_.active()) return scaling_.position();
  switch (choice_.path) {
    case Path::kNothing: return 0;
    case Path::kInline: return inline_.position();
    case Path::kMapped: return mapped_.position();
    case Path::kPairs: return pairs_.position() + one_sided_.position();
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
      failure_ = choice_.path == Path::kInline ? comm.mismatch(inline_.waiting_for(), signature_)
                                               : path_failure();
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
    comm.end_operation(operation_, stage_ == Stage::kCall);
    if (compression_ || reporter_.active() || comm.settings().verify) [[unlikely]] {
      const Progress progress = follow(comm);
      if (progress != Progress::kDone) return progress;
    }
  }
  active_ = false;
  scaling_.release();
  if (operation_.suspends) comm.release_staging();
  return Progress::kDone;
}

// What is run after the call's own operation, one after the other. kDone: nothing more.
Progress Execution::follow(Communicator& comm) {
  const auto run = [&](Stage stage, const Operation& next) {
    stage_ = stage;
    operation_ = next;
    return begin_exact(comm, operation_);
  };
  switch (stage_) {
    case Stage::kCall:
      if (compression_) {
        const bool hosts = choice_.path == Path::kHosts;
        reporter_.add(comm, hosts ? span_->outcome() : compressed_->outcome(), operation_,
                      *compression_);
        compression_.reset();
      }
      if (comm.settings().verify) {
        const Operation* exchange = check_.begin(comm, operation_);
        if (exchange != nullptr) return run(Stage::kComparison, *exchange);
      }
      break;
    case Stage::kComparison:
      failure_ = check_.compare(comm);
      if (failure_.ok()) break;
      comm.faults().raise(failure_);
      give_up(comm);
      return Progress::kFailed;
    case Stage::kMeasurement: reporter_.measure(comm); break;
  }
  if (const Operation* exact = reporter_.exact()) return run(Stage::kMeasurement, *exact);
  reporter_.finish();
  return Progress::kDone;
}

const Status& Execution::path_failure() const {
  if (choice_.path == Path::kMapped) return mapped_.failure();
  if (choice_.path == Path::kHosts) return span_->failure();
  if (choice_.path == Path::kCompressed) return compressed_->failure();
  return one_sided_.failed() ? one_sided_.failure() : pairs_.failure();
}

Progress Execution::check(Communicator& comm, std::chrono::milliseconds waited) {
  if (scaling_.active()) return Progress::kBlocked;  // waits for nobody
  if (choice_.path == Path::kPairs) {
    const Progress messages = pairs_.check(comm, waited);
    return settle(comm, both(messages, one_sided_.check(comm, waited)));
  }
  if (choice_.path == Path::kCompressed) {
    return settle(comm, compressed_->check(comm, waited));
  }
  if (choice_.path == Path::kHosts) return settle(comm, span_->check(comm, waited));
  const int peer = choice_.path == Path::kInline ? inline_.waiting_for() : mapped_.waiting_for();
  failure_ = comm.check_wait(peer, signature_, waited);
  if (failure_.ok()) return Progress::kBlocked;
  give_up(comm);
  return Progress::kFailed;
}

void Execution::give_up(Communicator& comm) {
  active_ = false;
  scaling_.release();
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
