// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "engine/calls.h"

#include <sched.h>
#include <time.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <set>

#include "base/env.h"
#include "base/log.h"
#include "engine/group.h"
#include "engine/reactor.h"

using goss::Status;
using goss::engine::Communicator;

bool gossComm::made_here() const { return generation == goss::engine::Reactor::generation(); }

void gossComm::set_failure(const Status& status) {
  {
    const std::lock_guard<std::mutex> lock(failure_mutex);
    failure = status;
  }
  // Pairs with the acquire in check_ready(): the reason is readable.
  if (comm == nullptr) state.store(State::kFailed, std::memory_order_release);
  // A stream and a synchronous call may fail at the same moment.
  if (comm != nullptr && !dumped.exchange(true)) goss::engine::dump(*comm, status);
}

Status gossComm::get_failure() {
  const std::lock_guard<std::mutex> lock(failure_mutex);
  return failure;
}

void gossComm::note_refusal(const Status& status) {
  const std::lock_guard<std::mutex> lock(failure_mutex);
  refusal = status;
}

Status gossComm::get_refusal() {
  const std::lock_guard<std::mutex> lock(failure_mutex);
  return refusal;
}

void gossComm::adopt(std::unique_ptr<Communicator> made) {
  comm = std::move(made);
  if (comm != nullptr) {
    rank = comm->rank();
    nranks = comm->nranks();
    settings = comm->settings();
  }
  state.store(State::kReady, std::memory_order_release);  // pairs with check_handle()
}

namespace goss::engine {

// The flight recorder, once per communicator: to the log at info, and to a file when asked.
void dump(const Communicator& comm, const Status& failure) {
  const auto prefix = env_text(Env::kDump);
  if (!prefix && !log_enabled(LogLevel::kInfo)) return;
  const std::string text =
      format("%s: %s\n", to_string(failure.code()), failure.message().c_str()) +
      comm.flight_record();
  log(LogLevel::kInfo, "%s", text.c_str());
  if (!prefix) return;
  const std::string path = format("%s.%d.%d", prefix->c_str(), ::getpid(), comm.rank());
  std::ofstream file(path, std::ios::trunc);
  file << text;
  if (!file.flush()) log(LogLevel::kWarn, "GOSS_DUMP: cannot write %s", path.c_str());
}

namespace {

// Handles that exist, so that a second destroy is an error and not a crash.
struct Living {
  std::mutex mutex;
  std::set<gossComm*> handles;
};

Living& living() {
  static Living* const instance = new Living;  // outlives threads that still run at exit
  return *instance;
}

// The end of a process that has not destroyed its communicators is no death: peers that have what
// they need from it go on undisturbed, and the others are told that it has left.
void leave_at_exit() {
  // A forked child may have inherited the lock locked for ever.
  std::unique_lock<std::mutex> lock(living().mutex, std::defer_lock);
  for (int i = 0; i < 1000 && !lock.try_lock(); ++i) ::sched_yield();
  if (!lock.owns_lock()) return;
  for (gossComm* handle : living().handles) {
    if (!handle->made_here()) continue;
    // Pairs with adopt(): the communicator is complete, or null.
    const bool ready = handle->state.load(std::memory_order_acquire) == gossComm::State::kReady;
    if (ready && handle->comm != nullptr) handle->comm->leave_at_exit();
  }
}

void nap(int round) {
  if (round < 1000) {
    ::sched_yield();
    return;
  }
  const timespec time{0, 200'000};
  ::nanosleep(&time, nullptr);
}

// One collective on the library's thread.
class CollectiveWork final : public Work {
 public:
  CollectiveWork(gossComm* handle, Prepared prepared, uint64_t number)
      : handle_(handle), prepared_(std::move(prepared)), number_(number) {
    if (prepared_.operation.nextents > 0) prepared_.operation.extents = prepared_.extents.data();
  }

  State advance() override {
    // Calls of one communicator run in their order, whatever the stream.
    if (handle_->finished.load(std::memory_order_acquire) != number_) return State::kBlocked;
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
      waiter->add_bell({handle_->comm->parts().segment, handle_->comm->rank()});
    }
  }

  Status take_status() override { return std::move(status_); }

 private:
  State finish(Progress progress) {
    if (progress == Progress::kFailed) {
      status_ = execution_.failure();
      handle_->set_failure(status_);
    }
    // After this store the communicator may be destroyed by its owner.
    handle_->finished.store(number_ + 1, std::memory_order_release);
    return State::kDone;
  }

  gossComm* handle_;
  Prepared prepared_;
  uint64_t number_;
  Execution execution_;
  uint64_t position_ = 0;
  Status status_;
};

// A communicator in the making on the library's thread.
class MakingWork final : public Work {
 public:
  // A split is call number `number` of its parent.
  MakingWork(gossComm* handle, std::unique_ptr<Making> making, gossComm* parent, uint64_t number)
      : handle_(handle), making_(std::move(making)), parent_(parent), number_(number) {}

  State advance() override {
    if (parent_ != nullptr && parent_->finished.load(std::memory_order_acquire) != number_) {
      return State::kBlocked;
    }
    Result<bool> made = making_->advance();
    if (handle_->aborting.load(std::memory_order_acquire)) {
      made = fail(gossInvalidUsage, "the communicator was aborted while it was made");
    }
    if (made.ok() && !made.value()) return State::kBlocked;
    if (made.ok()) {
      handle_->adopt(making_->take());
    } else {
      handle_->set_failure(made.status());
    }
    making_.reset();
    if (parent_ != nullptr) parent_->finished.store(number_ + 1, std::memory_order_release);
    handle_->finished.fetch_add(1, std::memory_order_release);
    return State::kDone;
  }

 private:
  gossComm* handle_;
  std::unique_ptr<Making> making_;
  gossComm* parent_;
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
  explicit WaitEventWork(EventPtr event) : event_(std::move(event)), point_(event_->recorded()) {}
  State advance() override { return event_->reached(point_) ? State::kDone : State::kBlocked; }

 private:
  EventPtr event_;
  uint64_t point_;
};

Status validate(const gossComm* handle, const Operation& operation) {
  const char* name = kind_name(operation.kind);
  if (!valid_type(operation.type)) {
    return fail(gossInvalidArgument, "%s : invalid type %d (types are 0..%d)", name,
                static_cast<int>(operation.type), gossNumTypes - 1);
  }
  if (operation.kind == collectives::Kind::kAllReduce && !valid_op(operation.op)) {
    return fail(gossInvalidArgument, "%s : invalid reduction operation %d (operations are 0..%d)",
                name, static_cast<int>(operation.op), gossNumOps - 1);
  }
  if (operation.root < 0 || operation.root >= handle->nranks) {
    return fail(gossInvalidArgument, "%s : invalid root %d (root should be in the 0..%d range)",
                name, operation.root, handle->nranks - 1);
  }
  size_t bytes = 0;
  if (!checked_multiply(operation.count, type_size(operation.type), &bytes) ||
      bytes > PTRDIFF_MAX) {
    return fail(gossInvalidArgument, "%s : count %zu of %s is larger than the address space", name,
                operation.count, type_name(operation.type));
  }
  if (operation.count == 0) return {};
  const bool reads =
      operation.kind == collectives::Kind::kAllReduce || handle->rank == operation.root;
  if ((reads && operation.buffer.input == nullptr) || operation.buffer.output == nullptr) {
    return fail(gossInvalidArgument, "%s : %s buffer is NULL but count is %zu", name,
                operation.buffer.output == nullptr ? "receive" : "send", operation.count);
  }
  return {};
}

Status not_ready(gossComm* handle) {
  if (handle->state.load(std::memory_order_acquire) == gossComm::State::kFailed) {
    return handle->get_failure();
  }
  return fail(gossInvalidArgument,
              "attempt to use communicator before the previous operation returned gossSuccess");
}

}  // namespace

Status check_handle(gossComm* handle) {
  if (handle == nullptr) return fail(gossInvalidArgument, "communicator is NULL");
  if (handle->magic != gossComm::kMagic) {
    return fail(gossInvalidArgument, "%p is not a communicator, or was destroyed",
                static_cast<void*>(handle));
  }
  if (!handle->made_here()) {
    return fail(gossInvalidUsage,
                "the communicator belongs to the parent of this forked process: make a new one");
  }
  return {};
}

Status check_stream(gossStream* stream) {
  if (stream == nullptr) return fail(gossInvalidArgument, "stream is NULL");
  if (stream->magic != gossStream::kMagic) {
    return fail(gossInvalidArgument, "%p is not a stream of gossStreamCreate, or was destroyed",
                static_cast<void*>(stream));
  }
  if (stream->generation != Reactor::generation()) {
    return fail(gossInvalidUsage, "the stream belongs to the parent of this forked process");
  }
  return {};
}

Status check_event(gossEvent* event) {
  if (event == nullptr) return fail(gossInvalidArgument, "event is NULL");
  if (event->magic != gossEvent::kMagic) {
    return fail(gossInvalidArgument, "%p is not an event of gossEventCreate, or was destroyed",
                static_cast<void*>(event));
  }
  if (event->generation != Reactor::generation()) {
    return fail(gossInvalidUsage, "the event belongs to the parent of this forked process");
  }
  return {};
}

Status check_ready(gossComm* handle) {
  GOSS_TRY(check_handle(handle));
  // Pairs with the release in adopt(): the communicator is complete.
  if (handle->state.load(std::memory_order_acquire) != gossComm::State::kReady) {
    return not_ready(handle);
  }
  if (handle->comm != nullptr) return {};
  return fail(gossInvalidUsage,
              "this rank was split off without a colour: it is in no communicator");
}

bool is_live(gossComm* handle) {
  const std::lock_guard<std::mutex> lock(living().mutex);
  return living().handles.count(handle) != 0;
}

Status Inside::refusal() const {
  return fail(gossInvalidUsage,
              "another thread is inside this communicator (rank %d): use it from one thread at a "
              "time, or make one per thread",
              handle_->rank);
}

namespace {

gossComm* make_handle(int rank, int nranks, const Settings& settings) {
  auto* handle = new gossComm;
  handle->rank = rank;
  handle->nranks = nranks;
  handle->settings = settings;
  handle->generation = Reactor::generation();
  if (!settings.blocking) handle->own_stream = std::make_shared<Stream>();  // shared: see gossComm
  static const int registered = std::atexit(leave_at_exit);
  static_cast<void>(registered);
  const std::lock_guard<std::mutex> lock(living().mutex);
  living().handles.insert(handle);
  return handle;
}

}  // namespace

void discard(gossComm* handle) {
  {
    const std::lock_guard<std::mutex> lock(living().mutex);
    living().handles.erase(handle);
  }
  handle->magic = 0;
  delete handle;
}

namespace {

// Make it here and now, at the end of the group, or on the library's thread.
Status start_making(gossComm* handle, std::unique_ptr<Making> making, gossComm* parent,
                    gossComm** out) {
  *out = handle;
  if (!handle->settings.blocking) {
    handle->queued = 1;
    const uint64_t number = parent != nullptr ? parent->queued++ : 0;
    handle->own_stream->push(
        std::make_unique<MakingWork>(handle, std::move(making), parent, number));
    Reactor::get().run_stream(handle->own_stream);
    return fail(gossInProgress, "the communicator is being made");
  }
  if (in_group()) {
    group_add_making(handle, std::move(making), out);
    return {};
  }
  std::vector<PendingMaking> one;
  one.push_back({handle, std::move(making), out, false, {}});
  return drive_makings(&one);
}

}  // namespace

Status init_rank(gossComm** out, const JoinOptions& options) {
  if (find_compute(options.settings.device) == nullptr) {
    return fail(gossInvalidArgument, "there is no device %d: use GOSS_DEVICE_HOST",
                options.settings.device);
  }
  Result<std::unique_ptr<Making>> making = make_join(options);
  if (!making.ok()) return making.take_status();
  gossComm* handle = make_handle(options.rank, options.nranks, options.settings);
  Status status = start_making(handle, making.take(), nullptr, out);
  if (!status.ok() && status.code() != gossInProgress) {
    discard(handle);
    *out = nullptr;
  }
  return status;
}

Status split(gossComm* parent, int color, int key, gossComm** out, const Settings& settings) {
  if (color < 0 && color != GOSS_SPLIT_NOCOLOR) {
    return fail(gossInvalidArgument, "split : invalid color %d (0.. or GOSS_SPLIT_NOCOLOR)", color);
  }
  const Inside inside(parent);
  if (!inside.entered()) return inside.refusal();
  GOSS_TRY(check_ready(parent));
  if (parent->finalized) return fail(gossInvalidUsage, "the communicator has been finalized");
  if (settings.blocking || in_group()) GOSS_TRY(wait_queued(parent));
  gossComm* handle = make_handle(0, 0, settings);
  auto making = make_split(parent->comm.get(), color, key, settings);
  Status status = start_making(handle, std::move(making), parent, out);
  if (status.code() == gossInProgress || in_group()) return status;
  if (!status.ok()) parent->set_failure(status);
  if (!status.ok()) {
    discard(handle);
    *out = nullptr;
  }
  return status;
}

Status wait_queued(gossComm* handle) {
  for (int round = 0; handle->finished.load(std::memory_order_acquire) != handle->queued; ++round) {
    if (handle->aborting.load(std::memory_order_acquire)) {
      return fail(gossInvalidUsage, "the communicator was aborted during this call");
    }
    nap(round);
  }
  return {};
}

void queue(gossComm* handle, Prepared prepared) {
  const StreamPtr stream =
      prepared.stream != nullptr ? prepared.stream->stream : handle->own_stream;
  stream->push(std::make_unique<CollectiveWork>(handle, std::move(prepared), handle->queued++));
  Reactor::get().run_stream(stream);
}

namespace {

Status check_call(gossComm* handle, const Operation& operation, gossStream* stream) {
  GOSS_TRY(check_ready(handle));
  if (stream != nullptr) GOSS_TRY(check_stream(stream));
  if (handle->finalized) return fail(gossInvalidUsage, "the communicator has been finalized");
  return validate(handle, operation);
}

}  // namespace

Status submit(gossComm* handle, const Operation& operation, gossStream* stream) {
  GOSS_TRY(check_handle(handle));
  Status refused = check_call(handle, operation, stream);
  if (!refused.ok()) {
    const Inside inside(handle);  // else another thread could abort, and free it under our hands
    if (inside.entered()) handle->note_refusal(refused);
    return refused;
  }
  if (in_group()) {
    group_add(handle, operation, stream);
    return {};
  }
  const Inside inside(handle);
  if (!inside.entered()) return inside.refusal();
  if (stream != nullptr || !handle->settings.blocking) {
    queue(handle, {operation, {}, stream});
    if (stream != nullptr && handle->settings.blocking) return {};
    return fail(gossInProgress, "the operation was queued");
  }
  if (handle->finished.load(std::memory_order_acquire) != handle->queued) {
    GOSS_TRY(wait_queued(handle));
  }
  Status status = run_synchronously(*handle->comm, handle->execution, operation);
  if (!status.ok()) handle->set_failure(status);
  return status;
}

Status finalize(gossComm* handle) {
  if (handle->finalized) {
    return fail(gossInvalidArgument, "the communicator has been finalized before");
  }
  Operation barrier;
  barrier.kind = collectives::Kind::kBarrier;
  Status status = submit(handle, barrier, nullptr);
  if (status.ok() || status.code() == gossInProgress) handle->finalized = true;
  return status;
}

Status destroy(gossComm* handle) {
  if (!is_live(handle)) {
    return fail(gossInvalidArgument, "%p is not a communicator, or was destroyed before",
                static_cast<void*>(handle));
  }
  if (!handle->made_here()) return {};  // the parent's; this process has nothing of it
  for (int round = 0; handle->busy.exchange(true, std::memory_order_acquire); ++round) nap(round);
  for (int round = 0; handle->finished.load(std::memory_order_acquire) != handle->queued; ++round) {
    nap(round);
  }
  discard(handle);
  return {};
}

Status abort(gossComm* handle) {
  if (!is_live(handle)) {
    return fail(gossInvalidArgument, "%p is not a communicator, or was destroyed before",
                static_cast<void*>(handle));
  }
  if (!handle->made_here()) return {};
  handle->aborting.store(true, std::memory_order_release);  // pairs with the loads in waits
  if (handle->state.load(std::memory_order_acquire) == gossComm::State::kReady &&
      handle->comm != nullptr) {
    handle->comm->abort();
  }
  return destroy(handle);
}

Status async_error(gossComm* handle) {
  switch (handle->state.load(std::memory_order_acquire)) {
    case gossComm::State::kMaking: return fail(gossInProgress, "the communicator is being made");
    case gossComm::State::kFailed: return handle->get_failure();
    case gossComm::State::kReady: break;
  }
  if (handle->comm != nullptr && handle->comm->faults().any()) {
    Status failure = handle->comm->faults().status();
    if (!failure.ok()) return failure;
  }
  Status first;
  if (handle->own_stream != nullptr && !handle->own_stream->idle(&first)) {
    return fail(gossInProgress, "an operation is in progress");
  }
  return first;
}

gossCommStats_t statistics(gossComm* handle) {
  gossCommStats_t out{};
  out.size = sizeof(out);
  if (handle->comm == nullptr) return out;
  Communicator& comm = *handle->comm;
  out.operations = comm.stats.operations;
  out.payload_bytes = comm.stats.payload_bytes;
  out.sent_bytes = comm.stats.sent_bytes;
  out.waits = comm.stats.waits;
  out.plans = comm.plans().made();
  out.shared_bytes = comm.segment().bytes();
  out.private_bytes = sizeof(gossComm) + sizeof(Communicator) + comm.plans().bytes();
  return out;
}

Result<void*> allocate_memory(size_t bytes) { return device::allocate_shared(bytes); }

Status free_memory(void* base) { return device::free_shared(base); }

Status stream_create(gossStream** out) {
  auto* stream = new gossStream;
  stream->generation = Reactor::generation();
  stream->stream = std::make_shared<Stream>();  // shared: see gossStream
  *out = stream;
  return {};
}

Status stream_push(gossStream* stream, std::unique_ptr<Work> work) {
  GOSS_TRY(check_stream(stream));
  stream->stream->push(std::move(work));
  Reactor::get().run_stream(stream->stream);
  return {};
}

std::unique_ptr<Work> make_callback_work(std::function<void()> fn) {
  return std::make_unique<CallbackWork>(std::move(fn));
}

std::unique_ptr<Work> make_wait_event_work(EventPtr event) {
  return std::make_unique<WaitEventWork>(std::move(event));
}

std::unique_ptr<Work> make_record_work(EventPtr event) {
  event->record();
  const uint64_t point = event->recorded();
  return make_callback_work([event, point] { event->reach(point); });
}

}  // namespace goss::engine
