// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "engine/gossip_calls.h"

#include <exception>
#include <utility>

#include "engine/group.h"
#include "engine/reactor.h"
#include "engine/work.h"

void gossGossip::set_failure(const goss::Status& status) {
  if (status.ok() || status.code() == gossInvalidArgument) return;
  const std::lock_guard<std::mutex> lock(mutex_);
  if (failure_.ok()) failure_ = status;
}

goss::Status gossGossip::get_failure() {
  const std::lock_guard<std::mutex> lock(mutex_);
  return failure_;
}

namespace goss::engine {

namespace {

using RequestState = std::shared_ptr<gossGossipRequest::State>;  // shared: see there

// How long the end of a rank waits for others to read what it sent last.
constexpr std::chrono::milliseconds kLinger{2'000};
constexpr std::chrono::milliseconds kCrowdedLinger{10'000};

// One call on the library's thread.
class GossipWork final : public Work {
 public:
  GossipWork(gossGossip* handle, GossipCall call, uint64_t number, RequestState request)
      : handle_(handle), call_(std::move(call)), number_(number), request_(std::move(request)) {}

  State advance() override {
    // Calls of one object run in their order, whatever the stream.
    if (handle_->finished.load(std::memory_order_acquire) != number_) return State::kBlocked;
    Gossip& gossip = *handle_->gossip;
    if (!execution_.active()) {
      Status failed = handle_->get_failure();
      if (!failed.ok()) return end(std::move(failed));
    }
    const Progress progress =
        execution_.active() ? execution_.advance(gossip) : execution_.start(gossip, call_);
    if (progress != Progress::kBlocked) return finish(progress);
    const bool moved = execution_.position() != position_;
    position_ = execution_.position();
    return moved ? State::kMoved : State::kBlocked;
  }

  State examine(std::chrono::milliseconds /*waited*/) override {
    if (!execution_.active()) return State::kBlocked;
    const Progress progress = execution_.check(*handle_->gossip);
    return progress == Progress::kBlocked ? State::kBlocked : finish(progress);
  }

  void add_bells(Waiter* waiter) override {
    const Communicator::Parts& parts = handle_->gossip->parts();
    if (execution_.active()) waiter->add_bell({parts.segment, parts.rank, nullptr});
  }

  void give_up(const Status& failure) override {
    end(execution_.break_off(*handle_->gossip, failure));
  }

 private:
  State finish(Progress progress) {
    return end(progress == Progress::kFailed ? execution_.failure() : Status());
  }

  // Afterwards the object may be destroyed by its owner.
  State end(Status status) {
    handle_->set_failure(status);
    if (request_ != nullptr) {
      request_->status = status;
      request_->done.reach();
    } else {
      status_ = std::move(status);  // a posted call tells its request only
    }
    handle_->finished.store(number_ + 1, std::memory_order_release);
    return State::kDone;
  }

  gossGossip* handle_;  // waits for its calls before it is freed
  GossipCall call_;
  uint64_t number_;
  RequestState request_;
  GossipExecution execution_;
  uint64_t position_ = 0;
};

// Keeps other threads out while one is inside.
class InsideGossip {
 public:
  explicit InsideGossip(gossGossip* gossip)
      // Pairs with the release below.
      : gossip_(gossip), entered_(!gossip->busy.exchange(true, std::memory_order_acquire)) {}
  ~InsideGossip() {
    if (entered_) gossip_->busy.store(false, std::memory_order_release);
  }
  InsideGossip(const InsideGossip&) = delete;
  InsideGossip& operator=(const InsideGossip&) = delete;
  Status refusal() const {
    if (entered_) return {};
    return fail(gossInvalidUsage, "refused: another thread is inside this gossip object");
  }

 private:
  gossGossip* gossip_;
  bool entered_;
};

void wait_queued(gossGossip* handle) {
  for (int round = 0; handle->finished.load(std::memory_order_acquire) != handle->queued; ++round) {
    nap(round);
  }
}

Status check_call(const gossGossip& handle, const GossipCall& call) {
  if (!mixing::mixes(call.type)) {
    return fail(gossInvalidArgument,
                "gossip : type %d; models are mixed in float, double, half or bfloat16",
                static_cast<int>(call.type));
  }
  const auto& options = handle.gossip->settings().options;
  if (options.compression != collectives::Compression::kNone && !mixing::compresses(call.type)) {
    return fail(gossInvalidArgument, "gossip : %s with compression %s; it has no form for %s",
                type_name(call.type), collectives::compression_name(options.compression),
                type_name(call.type));
  }
  size_t total = 0;
  for (size_t i = 0; i < call.buffers.size(); ++i) {
    const GossipBuffer& buffer = call.buffers[i];
    size_t bytes = 0;
    if (!checked_multiply(buffer.count, type_size(call.type), &bytes) ||
        bytes > static_cast<size_t>(PTRDIFF_MAX) - total) {
      return fail(gossInvalidArgument, "gossip : count %zu of %s is larger than the address space",
                  buffer.count, type_name(call.type));
    }
    total += bytes;
    if (buffer.count != 0 && (buffer.input == nullptr || buffer.output == nullptr)) {
      return fail(gossInvalidArgument, "gossip : buffer %zu is NULL but its count is %zu", i,
                  buffer.count);
    }
  }
  return {};
}

Status run_here(gossGossip* handle, const GossipCall& call) {
  Gossip& gossip = *handle->gossip;
  GossipExecution& execution = handle->execution;
  Progress progress = execution.start(gossip, call);
  uint64_t position = execution.position();
  while (progress == Progress::kBlocked) {
    progress = execution.advance(gossip);
    if (progress != Progress::kBlocked) break;
    if (execution.position() != position) {
      position = execution.position();
      gossip.waiter.progressed();
    } else if (gossip.waiter.pause()) {
      progress = execution.check(gossip);
    }
  }
  gossip.waiter.progressed();
  return progress == Progress::kDone ? Status() : execution.failure();
}

}  // namespace

Status gossip_create(gossGossip** out, gossComm* comm, const GossipSettings& settings) {
  GOSS_TRY(check_handle(comm));
  const Inside inside(comm);
  if (!inside.entered()) return inside.refusal();
  GOSS_TRY(check_ready(comm));
  if (comm->has_gossip) {
    return fail(gossInvalidUsage,
                "refused: the communicator has a gossip object; destroy it first, or split the "
                "communicator for a second one");
  }
  auto made = std::make_unique<gossGossip>(comm);
  // Counted when it is made: all ranks count alike, also after one of them has been refused.
  GOSS_TRY_ASSIGN(made->gossip, Gossip::create(*comm->comm, settings, comm->gossips + 1));
  ++comm->gossips;
  made->generation = Reactor::generation();
  made->own_stream = std::make_shared<Stream>();  // shared: see StreamPtr
  made->gossip->set_abort_flag(&comm->aborting);
  comm->has_gossip = true;
  *out = made.release();
  return {};
}

Status check_gossip(gossGossip* gossip) {
  if (gossip == nullptr) return fail(gossInvalidArgument, "gossip object is NULL");
  if (gossip->magic != gossGossip::kMagic) {
    return fail(gossInvalidArgument, "%p is not a gossip object, or was destroyed",
                static_cast<void*>(gossip));
  }
  if (gossip->generation != Reactor::generation()) {
    return fail(gossInvalidUsage,
                "refused: the gossip object belongs to the parent of this forked process");
  }
  return {};
}

// Others may still be about to read what this rank has sent them in its last step.
Status gossip_destroy(gossGossip* handle) {
  GOSS_TRY(check_gossip(handle));
  {
    const InsideGossip inside(handle);
    GOSS_TRY(inside.refusal());
    wait_queued(handle);
    Gossip& gossip = *handle->gossip;
    gossip.mail().close();
    const auto limit = Waiter::Clock::now() + (gossip.crowded() ? kCrowdedLinger : kLinger);
    for (int round = 0; !gossip.mail().all_read() && !gossip.aborted(); ++round) {
      if (Waiter::Clock::now() > limit) break;
      gossip.mail().publish_beat();
      nap(round);
    }
    gossip.waiter.clear_bells();
  }
  handle->magic = 0;
  handle->comm->has_gossip = false;
  delete handle;
  return {};
}

Status gossip_submit(gossGossip* handle, GossipCall call, gossStream* stream,
                     gossGossipRequest** request) {
  GOSS_TRY(check_gossip(handle));
  if (in_group()) {
    return fail(gossInvalidUsage,
                "refused: gossip is not part of groups; give several buffers to one call, and post "
                "the calls of several ranks before you wait for them");
  }
  const InsideGossip inside(handle);
  GOSS_TRY(inside.refusal());
  GOSS_TRY(check_call(*handle, call));
  if (stream != nullptr) GOSS_TRY(check_stream(stream));
  GOSS_TRY(handle->get_failure());
  if (stream == nullptr && request == nullptr) {
    wait_queued(handle);
    Status status;
    try {
      status = run_here(handle, call);
    } catch (const std::exception& e) {
      status = handle->execution.break_off(*handle->gossip, fail(gossSystemError, "%s", e.what()));
    }
    handle->set_failure(status);
    return status;
  }
  // All is made before anything is handed out or counted.
  WorkBatch batch;
  RequestState state;
  std::unique_ptr<gossGossipRequest> made;
  if (request != nullptr) {
    state = std::make_shared<gossGossipRequest::State>();  // shared: see gossGossipRequest
    made.reset(new gossGossipRequest{gossGossipRequest::kMagic, state});
  }
  batch.add(request != nullptr ? handle->own_stream : stream->stream,
            std::make_unique<GossipWork>(handle, std::move(call), handle->queued, state));
  ++handle->queued;
  if (request != nullptr) *request = made.release();
  batch.queue();
  return {};
}

Status gossip_flush(gossGossip* handle, const GossipCall& call, uint32_t part) {
  GOSS_TRY(check_gossip(handle));
  const InsideGossip inside(handle);
  GOSS_TRY(inside.refusal());
  GOSS_TRY(check_call(*handle, call));
  if (!handle->gossip->settings().options.push_sum) {
    return fail(gossInvalidArgument, "gossip : flush without pushSum; nothing is on its way then");
  }
  wait_queued(handle);
  GOSS_TRY(handle->get_failure());
  Status status = handle->execution.flush(*handle->gossip, call, part);
  handle->set_failure(status);
  return status;
}

namespace {

Status check_request(const gossGossipRequest* request) {
  if (request == nullptr) return fail(gossInvalidArgument, "request is NULL");
  if (request->magic == gossGossipRequest::kMagic) return {};
  return fail(gossInvalidArgument, "%p is not a request, or has been waited for",
              static_cast<const void*>(request));
}

}  // namespace

Status gossip_test(gossGossipRequest* request, bool* done) {
  GOSS_TRY(check_request(request));
  *done = request->state->done.reached();
  return {};
}

Status gossip_wait(gossGossipRequest* request) {
  GOSS_TRY(check_request(request));
  // As Stream::wait(): waking costs more than many mixes.
  for (int i = 0; i < 2000 && !request->state->done.reached(); ++i) cpu_relax();
  request->state->done.wait();
  Status status = request->state->status;
  request->magic = 0;
  delete request;
  return status;
}

}  // namespace goss::engine
