// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "engine/work.h"

#include <optional>
#include <utility>

namespace goss::engine {

namespace {

// One collective on the library's thread.
class CollectiveWork final : public Work {
 public:
  CollectiveWork(gossComm* handle, Prepared prepared, uint64_t number)
      : handle_(handle), prepared_(std::move(prepared)), number_(number) {
    prepared_.refer();
  }

  State advance() override {
    if (!begun_) {
      if (handle_->aborting.load(std::memory_order_acquire)) return cancel();
      // Calls of one communicator run in their order, whatever the stream.
      if (handle_->finished.load(std::memory_order_acquire) != number_) return State::kBlocked;
      if (!handle_->begin_work()) return cancel();
      begun_ = true;
    }
    const Progress progress = execution_.active()
                                  ? execution_.advance(*handle_->comm)
                                  : execution_.start(*handle_->comm, prepared_.operation);
    if (progress != Progress::kBlocked) return finish(progress);
    const bool moved = execution_.position() != position_;
    position_ = execution_.position();
    return moved ? State::kMoved : State::kBlocked;
  }

  State examine(std::chrono::milliseconds waited) override {
    if (!execution_.active()) return State::kBlocked;
    const Progress progress = execution_.check(*handle_->comm, waited);
    return progress == Progress::kBlocked ? State::kBlocked : finish(progress);
  }

  void add_bells(Waiter* waiter) override {
    if (execution_.active()) {
      waiter->add_bell(handle_->comm->bell());
    }
  }

  void give_up(const Status& failure) override {
    status_ = failure;
    tell_joined();
    if (!begun_) return;
    handle_->set_failure(execution_.break_off(*handle_->comm, failure));
    end();
  }

 private:
  State finish(Progress progress) {
    if (progress == Progress::kFailed) {
      status_ = execution_.failure();
      handle_->set_failure(status_);
    }
    tell_joined();
    end();
    return State::kDone;
  }

  // The communicator may be gone.
  State cancel() {
    status_ = aborted();
    tell_joined();
    return State::kDone;
  }

  void tell_joined() {
    if (prepared_.outcome != nullptr) *prepared_.outcome = {true, status_};
  }

  // Afterwards the communicator may be destroyed by its owner.
  void end() {
    handle_->end_work();
    handle_->finished.store(number_ + 1, std::memory_order_release);
  }

  HandlePin handle_;
  Prepared prepared_;
  uint64_t number_;
  bool begun_ = false;
  Execution execution_;
  uint64_t position_ = 0;
};

// A communicator in the making on the library's thread. The new handle counts as working until it
// has its result.
class MakingWork final : public Work {
 public:
  // A split is call number `number` of its parent.
  MakingWork(gossComm* handle, std::unique_ptr<Making> making, gossComm* parent, uint64_t number)
      : handle_(handle), making_(std::move(making)), number_(number) {
    if (parent != nullptr) parent_.emplace(parent);
    handle->begin_work();
  }

  State advance() override {
    if (!told_ && handle_->aborting.load(std::memory_order_acquire)) {
      tell(fail(gossInvalidUsage, "the communicator was aborted while it was made"));
      if (!parent_) return State::kDone;
      making_->abandon();  // the other ranks split all the same
    }
    if (parent_ && !begun_) {
      gossComm* parent = parent_->get();
      if (!parent->aborting.load(std::memory_order_acquire) &&
          parent->finished.load(std::memory_order_acquire) != number_) {
        return State::kBlocked;
      }
      if (!parent->begin_work()) {
        tell(fail(gossInvalidUsage, "the parent was aborted before it was split"));
        return State::kDone;
      }
      begun_ = true;
    }
    Result<bool> made = making_->advance();
    if (made.ok() && !made.value()) return State::kBlocked;
    if (made.ok() && !told_) handle_->adopt(making_->take());
    tell(made.ok() ? Status() : made.status());
    end();
    return State::kDone;
  }

  void give_up(const Status& failure) override {
    tell(failure);
    end();
  }

 private:
  void tell(const Status& failure) {
    if (std::exchange(told_, true)) return;
    if (!failure.ok()) handle_->set_failure(failure);
    handle_->finished.fetch_add(1, std::memory_order_release);
    handle_->end_work();
  }

  void end() {
    making_.reset();
    if (!begun_) return;
    parent_->get()->end_work();
    parent_->get()->finished.store(number_ + 1, std::memory_order_release);
  }

  HandlePin handle_;
  std::unique_ptr<Making> making_;
  std::optional<HandlePin> parent_;
  uint64_t number_;
  bool begun_ = false;  // the parent's turn has come
  bool told_ = false;   // the handle has its result, and may be gone
};

class SkipWork final : public Work {
 public:
  SkipWork(gossComm* handle, uint64_t number) : handle_(handle), number_(number) {}
  State advance() override {
    if (handle_->aborting.load(std::memory_order_acquire)) return State::kDone;
    if (handle_->finished.load(std::memory_order_acquire) != number_) return State::kBlocked;
    handle_->finished.store(number_ + 1, std::memory_order_release);
    return State::kDone;
  }

 private:
  HandlePin handle_;
  uint64_t number_;
};

class CallbackWork final : public Work {
 public:
  explicit CallbackWork(std::function<void()> fn) : fn_(std::move(fn)) {}
  State advance() override {
    fn_();
    return State::kDone;
  }

 private:
  std::function<void()> fn_;
};

class WaitEventWork final : public Work {
 public:
  explicit WaitEventWork(EventPointPtr point) : point_(std::move(point)) {}
  State advance() override {
    return point_ == nullptr || point_->reached() ? State::kDone : State::kBlocked;
  }

 private:
  EventPointPtr point_;
};

class JoinedWork final : public Work {
 public:
  explicit JoinedWork(OutcomePtr outcome) : outcome_(std::move(outcome)) {}
  State advance() override {
    if (!outcome_->known) return State::kBlocked;
    status_ = outcome_->status;
    return State::kDone;
  }

 private:
  OutcomePtr outcome_;
};

}  // namespace

std::unique_ptr<Work> make_collective_work(gossComm* handle, Prepared prepared, uint64_t number) {
  return std::make_unique<CollectiveWork>(handle, std::move(prepared), number);
}

std::unique_ptr<Work> make_making_work(gossComm* handle, std::unique_ptr<Making> making,
                                       gossComm* parent, uint64_t number) {
  return std::make_unique<MakingWork>(handle, std::move(making), parent, number);
}

std::unique_ptr<Work> make_skip_work(gossComm* handle, uint64_t number) {
  return std::make_unique<SkipWork>(handle, number);
}

std::unique_ptr<Work> make_callback_work(std::function<void()> fn) {
  return std::make_unique<CallbackWork>(std::move(fn));
}

std::unique_ptr<Work> make_wait_event_work(const Event& event) {
  return std::make_unique<WaitEventWork>(event.recorded());
}

std::unique_ptr<Work> make_record_work(Event* event) {
  return make_callback_work([point = event->record()] { point->reach(); });
}

std::unique_ptr<Work> make_joined_work(OutcomePtr outcome) {
  return std::make_unique<JoinedWork>(std::move(outcome));
}

void WorkBatch::queue() noexcept {
  for (auto& [stream, work] : entries_) stream->push(std::move(work));
  for (auto& [stream, work] : entries_) reactor_.run_stream(std::move(stream));
  entries_.clear();
}

}  // namespace goss::engine
