// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "engine/handle.h"

#include <pthread.h>
#include <sched.h>
#include <time.h>
#include <unistd.h>

#include <cstdlib>
#include <deque>
#include <fstream>
#include <set>

#include "base/env.h"
#include "base/log.h"
#include "engine/reactor.h"
#include "engine/span.h"

using goss::Status;
using goss::engine::Communicator;

namespace goss::engine {

namespace {

// The flight recorder, once per communicator: to the log, and to a file when asked.
void dump(const Communicator& comm, const Status& failure) {
  const auto prefix = env_text(Env::kDump);
  const LogLevel level = prefix ? LogLevel::kWarn : LogLevel::kInfo;
  if (!prefix && !log_enabled(level)) return;
  const std::string text =
      format("%s: %s\n", to_string(failure.code()), failure.message().c_str()) +
      comm.flight_record();
  log(level, "%s", text.c_str());
  if (!prefix) return;
  const std::string path = format("%s.%d.%d", prefix->c_str(), ::getpid(), comm.rank());
  std::ofstream file(path, std::ios::trunc);
  file << text;
  if (!file.flush()) log(LogLevel::kWarn, "GOSS_DUMP: cannot write %s", path.c_str());
}

}  // namespace

}  // namespace goss::engine

bool gossComm::begin_work() {
  const std::lock_guard<std::mutex> lock(work_mutex);
  if (aborting.load(std::memory_order_relaxed)) return false;
  working.store(true, std::memory_order_relaxed);  // ordered by the mutex
  return true;
}

// Pairs with the acquire in end(): nothing is touched after it.
void gossComm::end_work() { working.store(false, std::memory_order_release); }

bool gossComm::made_here() const { return generation == goss::engine::Reactor::generation(); }

void gossComm::set_failure(const Status& status) {
  {
    const std::lock_guard<std::mutex> lock(failure_mutex);
    failure = status;
  }
  // What was never ready may be freed by an abort at this moment, so that `comm` is not read. The
  // store pairs with the acquire in check_ready(): the reason is readable.
  if (state.load(std::memory_order_acquire) != State::kReady) {
    state.store(State::kFailed, std::memory_order_release);
    return;
  }
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
  state.store(State::kReady, std::memory_order_release);  // pairs with check_ready()
}

namespace goss::engine {

namespace {

// Handles that exist, so that a second destroy is an error and not a crash.
struct Living {
  std::mutex mutex;
  std::set<gossComm*> handles;
  std::deque<gossComm*> retired;  // the last that were freed, see retire()
};

Living& living() {
  static Living* const instance = [] {
    // A forked child must find the lock free.
    ::pthread_atfork([] { living().mutex.lock(); }, [] { living().mutex.unlock(); },
                     [] { living().mutex.unlock(); });
    return new Living;  // outlives threads that still run at exit
  }();
  return *instance;
}

// As long as a silent host may stay unnoticed.
constexpr std::chrono::milliseconds kExitPatience{5000};
constexpr std::chrono::milliseconds kTurnPatience{200};

// The end of a process that has not destroyed its communicators is no death: peers that have what
// they need from it go on undisturbed, and the others are told that it has left.
void leave_at_exit() {
  // A forked child may have inherited the lock locked for ever.
  std::unique_lock<std::mutex> lock(living().mutex, std::defer_lock);
  for (int i = 0; i < 1000 && !lock.try_lock(); ++i) ::sched_yield();
  if (!lock.owns_lock()) return;
  std::vector<gossComm*> complete;
  for (gossComm* handle : living().handles) {
    if (!handle->made_here()) continue;
    // Pairs with adopt(): the communicator is complete, or null.
    const bool ready = handle->state.load(std::memory_order_acquire) == gossComm::State::kReady;
    if (!ready || handle->comm == nullptr) continue;
    handle->comm->leave_at_exit();
    complete.push_back(handle);
  }
  // What was sent before arrives, unless its receivers do not take it.
  const auto until = Waiter::Clock::now() + kExitPatience;
  std::erase_if(complete, [](gossComm* handle) { return handle->comm->span() == nullptr; });
  for (gossComm* handle : complete) {
    // Nobody may be inside, nor the library's thread at work.
    if (handle->busy.exchange(true, std::memory_order_acquire)) continue;
    if (handle->finished.load(std::memory_order_acquire) != handle->queued) continue;
    Communicator* const comm = handle->comm.get();
    comm->span()->deliver(comm, [&] { return Waiter::Clock::now() >= until; });
  }
  for (gossComm* handle : complete) {
    handle->comm->span()->messenger()->leave(handle->comm->faults().any());
  }
  lock.unlock();  // the library's thread may want it
  // UCX is taken down behind this: the end of a messenger that the library's thread saw last must
  // not be under way then.
  Reactor::finish_turn(kTurnPatience);
}

Status not_ready(gossComm* handle) {
  if (handle->state.load(std::memory_order_acquire) == gossComm::State::kFailed) {
    return handle->get_failure();
  }
  return fail(gossInvalidArgument,
              "attempt to use communicator before the previous operation returned gossSuccess");
}

}  // namespace

void nap(int round) {
  if (round < 1000) {
    ::sched_yield();
    return;
  }
  const timespec time{0, 200'000};
  ::nanosleep(&time, nullptr);
}

Status aborted() { return fail(gossInvalidUsage, "the communicator was aborted"); }

Status check_handle(gossComm* handle) {
  if (handle == nullptr) return fail(gossInvalidArgument, "communicator is NULL");
  if (handle->magic.load(std::memory_order_relaxed) != gossComm::kMagic) {
    return fail(gossInvalidArgument, "%p is not a communicator, or was destroyed",
                static_cast<void*>(handle));
  }
  if (!handle->made_here()) {
    return fail(
        gossInvalidUsage,
        "refused: the communicator belongs to the parent of this forked process: make a new one");
  }
  return {};
}

namespace {

template <class Object>
Status check_object(const Object* object, const char* what, const char* maker) {
  if (object == nullptr) return fail(gossInvalidArgument, "%s is NULL", what);
  if (object->magic != Object::kMagic) {
    return fail(gossInvalidArgument, "%p is not of %s, or was destroyed",
                static_cast<const void*>(object), maker);
  }
  if (object->generation != Reactor::generation()) {
    return fail(gossInvalidUsage, "refused: the %s belongs to the parent of this forked process",
                what);
  }
  return {};
}

}  // namespace

Status check_stream(gossStream* stream) {
  return check_object(stream, "stream", "gossStreamCreate");
}

Status check_event(gossEvent* event) { return check_object(event, "event", "gossEventCreate"); }

Status still_there(gossComm* handle) {
  if (handle->aborting.load(std::memory_order_acquire)) return aborted();
  return check_handle(handle);
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

bool while_living(gossComm* handle, const std::function<void()>& look) {
  const std::lock_guard<std::mutex> lock(living().mutex);
  if (living().handles.count(handle) == 0) return false;
  look();
  return true;
}

bool is_own(gossComm* handle) {
  bool own = false;
  while_living(handle, [&] { own = handle->made_here(); });
  return own;
}

Status Inside::refusal() const {
  if (handle_->aborting.load(std::memory_order_acquire)) return aborted();
  return fail(
      gossInvalidUsage,
      "refused: another thread is inside this communicator (rank %d): use it from one thread at a "
      "time, or make one per thread",
      handle_->rank);
}

gossComm* make_handle(int rank, int nranks, const Settings& settings) {
  auto handle = std::make_unique<gossComm>();
  handle->rank = rank;
  handle->nranks = nranks;
  handle->settings = settings;
  handle->generation = Reactor::generation();
  if (!settings.blocking) handle->own_stream = std::make_shared<Stream>();  // shared: see gossComm
  static const int registered = std::atexit(leave_at_exit);
  static_cast<void>(registered);
  const std::lock_guard<std::mutex> lock(living().mutex);
  living().handles.insert(handle.get());
  return handle.release();
}

namespace {

// Only who has claimed a handle may free it.
bool claim(gossComm* handle) {
  const std::lock_guard<std::mutex> lock(living().mutex);
  return living().handles.count(handle) != 0 && !std::exchange(handle->claimed, true);
}

// An abort, or a careless destroy, may come while another thread is on its way into a call: the
// memory of the last handles stays, as handles of nothing, and is not soon another communicator's.
void retire(gossComm* handle) {
  constexpr size_t kKept = 64;
  gossComm* oldest = nullptr;
  {
    const std::lock_guard<std::mutex> lock(living().mutex);
    living().retired.push_back(handle);
    if (living().retired.size() > kKept) {
      oldest = living().retired.front();
      living().retired.pop_front();
    }
  }
  HandlePin::release(oldest);
}

// By who has claimed it, with nobody inside.
void free_claimed(gossComm* handle) {
  {
    const std::lock_guard<std::mutex> lock(living().mutex);
    living().handles.erase(handle);
  }
  handle->magic.store(0, std::memory_order_relaxed);
  {
    const std::lock_guard<std::mutex> lock(handle->objects_mutex);
    handle->windows.clear();
    handle->retired_windows.clear();
  }
  handle->comm.reset();
  retire(handle);
}

}  // namespace

void discard(gossComm* handle) {
  if (claim(handle)) free_claimed(handle);
}

namespace {

// When the calls inside have returned and queued work is complete, or cancelled by an abort.
void end(gossComm* handle) {
  for (int round = 0; handle->busy.exchange(true, std::memory_order_acquire); ++round) nap(round);
  for (int round = 0;; ++round) {
    // Pair with end_work() and the ends of works: they touch the communicator no more.
    const bool complete = handle->finished.load(std::memory_order_acquire) == handle->queued;
    const bool cancelled = handle->aborting.load(std::memory_order_acquire) &&
                           !handle->working.load(std::memory_order_acquire);
    if (complete || cancelled) break;
    nap(round);
  }
  if (Communicator* comm = handle->comm.get(); comm != nullptr && comm->span() != nullptr) {
    comm->span()->deliver(comm, [&] { return handle->aborting.load(std::memory_order_acquire); });
  }
  free_claimed(handle);
}

Status no_communicator(const void* handle) {
  return fail(gossInvalidArgument, "%p is not a communicator, or was destroyed before", handle);
}

}  // namespace

Status destroy(gossComm* handle) {
  bool foreign = false;
  while_living(handle, [&] { foreign = !handle->made_here(); });
  if (foreign) return {};  // this process has nothing of it
  if (!claim(handle)) return no_communicator(handle);
  end(handle);
  return {};
}

Status abort(gossComm* handle) {
  {
    // Nobody frees it while this lock is held.
    const std::lock_guard<std::mutex> lock(living().mutex);
    if (living().handles.count(handle) == 0) return no_communicator(handle);
    if (!handle->made_here()) return {};
    {
      const std::lock_guard<std::mutex> work_lock(handle->work_mutex);
      handle->aborting.store(true, std::memory_order_release);  // pairs with the loads in waits
    }
    const bool ready = handle->state.load(std::memory_order_acquire) == gossComm::State::kReady;
    if (ready && handle->comm != nullptr) handle->comm->abort();
    if (std::exchange(handle->claimed, true)) return {};  // a destroy is at it, now without waiting
  }
  if (!handle->settings.blocking) Reactor::get().wake();
  end(handle);
  return {};
}

}  // namespace goss::engine
