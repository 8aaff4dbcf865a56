// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// What stands behind gossComm_t and gossStream_t: a communicator that may still be in the making,
// the order of its calls, and who is inside.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <utility>
#include <vector>

#include "engine/communicator.h"
#include "engine/execution.h"
#include "engine/join.h"
#include "engine/stream.h"
#include "engine/user_ops.h"
#include "engine/window.h"

struct gossComm {
  static constexpr uint64_t kMagic = 0x676f7373636f6d6dULL;  // "gosscomm"
  enum class State { kMaking, kReady, kFailed };

  // Atomic, because another thread may be about to make a call when this one destroys it.
  std::atomic<uint64_t> magic{kMagic};
  // The living handle, open groups and queued work each hold one: they may find the communicator
  // gone, but not the handle.
  std::atomic<int> pins{1};
  bool claimed = false;  // somebody is about to free it; guarded by the list of living handles
  int rank = 0;
  int nranks = 1;
  goss::engine::Settings settings;
  unsigned generation = 0;                           // of forks, when it was made
  std::unique_ptr<goss::engine::Communicator> comm;  // valid when kReady
  std::atomic<State> state{State::kMaking};
  std::mutex failure_mutex;
  goss::Status failure;  // why it is kFailed
  goss::Status refusal;  // of the last call with a wrong argument; the communicator goes on
  goss::engine::Execution execution;  // of synchronous calls
  std::atomic<bool> busy{false};      // a call is inside
  std::atomic<bool> finalized{false};
  std::atomic<bool> suspended{false};  // or to be, as soon as what was called before is over
  std::atomic<bool> revoked{false};
  std::atomic<bool> dumped{false};  // the flight recorder has been written
  // Between the library's thread and an abort: work begins unless the abort came first, and what
  // has begun is waited for.
  std::mutex work_mutex;
  std::atomic<bool> aborting{false};  // set under work_mutex
  std::atomic<bool> working{false};   // set under work_mutex, cleared by the library's thread
  uint64_t queued = 0;                // calls accepted, in order
  std::atomic<uint64_t> finished{0};  // calls completed, in the same order
  goss::engine::StreamPtr own_stream;
  std::mutex objects_mutex;                 // guards what the user has made on it:
  std::map<int, goss::engine::UserOp> ops;  // by the number that stands for a gossRedOp_t
  std::map<gossWindow*, std::unique_ptr<gossWindow>> windows;
  std::vector<std::unique_ptr<gossWindow>> retired_windows;  // queued calls may refer to them
  std::set<uintptr_t> registrations;
  uintptr_t last_registration = 0;
  uint64_t gossips = 0;                 // gossip objects made
  std::atomic<bool> has_gossip{false};  // one of them lives

  bool made_here() const;
  bool begin_work();  // false: aborted
  void end_work();
  void set_failure(const goss::Status& status);
  void note_refusal(const goss::Status& status);
  // It is ready; null: split off without colour.
  void adopt(std::unique_ptr<goss::engine::Communicator> made);
  goss::Status get_failure();
  goss::Status get_refusal();
};

namespace goss::engine {

// Keeps a handle, though not its communicator, from being freed.
class HandlePin {
 public:
  explicit HandlePin(gossComm* handle) : handle_(handle) {
    handle_->pins.fetch_add(1, std::memory_order_relaxed);
  }
  HandlePin(HandlePin&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  HandlePin(const HandlePin&) = delete;
  HandlePin& operator=(const HandlePin&) = delete;
  HandlePin& operator=(HandlePin&&) = delete;
  ~HandlePin() { release(handle_); }
  gossComm* operator->() const { return handle_; }
  gossComm* get() const { return handle_; }

  static void release(gossComm* handle) {
    // What was done under other pins happens before the deletion.
    if (handle != nullptr && handle->pins.fetch_sub(1, std::memory_order_acq_rel) == 1) {
      delete handle;
    }
  }

 private:
  gossComm* handle_;
};

}  // namespace goss::engine

struct gossStream {
  static constexpr uint64_t kMagic = 0x676f737373747265ULL;  // "gossstre"
  uint64_t magic = kMagic;
  unsigned generation = 0;
  goss::engine::StreamPtr stream;
};

struct gossEvent {
  static constexpr uint64_t kMagic = 0x676f737365766e74ULL;  // "gossevnt"
  uint64_t magic = kMagic;
  unsigned generation = 0;
  goss::engine::Event event;
};

namespace goss::engine {

// gossInvalidArgument for NULL or something that is no living communicator, gossInvalidUsage in a
// forked child.
Status check_handle(gossComm* handle);
Status check_stream(gossStream* stream);
Status check_event(gossEvent* event);
// check_handle(), and the communicator has been made.
Status check_ready(gossComm* handle);
// Whether a pinned communicator has not been aborted or destroyed meanwhile.
Status still_there(gossComm* handle);
// Whether `handle` is alive and of this process, for calls that must survive a second destroy.
bool is_own(gossComm* handle);

// Runs look() while `handle` cannot be freed; false when it is not alive.
bool while_living(gossComm* handle, const std::function<void()>& look);

Status aborted();
// Frees the communicator with nobody inside, unless another thread has set out to do so.
void discard(gossComm* handle);
gossComm* make_handle(int rank, int nranks, const Settings& settings);
// Into the caller's variable. Another thread may look for it there, to abort what takes too long.
inline void hand_out(gossComm** out, gossComm* handle) {
  std::atomic_ref(*out).store(handle, std::memory_order_release);
}
// Wait for the calls inside and for queued work, then free.
Status destroy(gossComm* handle);
// End the calls inside, drop queued work, then free.
Status abort(gossComm* handle);
// A pause while another thread does something, longer in later rounds.
void nap(int round);

// Keeps other threads out while one is inside.
class Inside {
 public:
  explicit Inside(gossComm* handle) : handle_(handle) {
    entered_ =
        !handle->busy.exchange(true, std::memory_order_acquire);  // pairs with the release below
  }
  ~Inside() { leave(); }
  Inside(const Inside&) = delete;
  Inside& operator=(const Inside&) = delete;
  bool entered() const { return entered_; }
  void leave() {
    if (std::exchange(entered_, false)) handle_->busy.store(false, std::memory_order_release);
  }
  Status refusal() const;

 private:
  gossComm* handle_;
  bool entered_;
};

}  // namespace goss::engine
