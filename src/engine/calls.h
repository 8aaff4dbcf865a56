// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// The calls of the API below the C boundary: check, order, and run or queue. Functions that take a
// handle expect one that has been checked with check_handle().
#pragma once

#include "engine/handle.h"
#include "engine/operation.h"

namespace goss::engine {

// gossInvalidArgument for NULL or something that is no living communicator, gossInvalidUsage in a
// forked child.
Status check_handle(gossComm* handle);
Status check_stream(gossStream* stream);
Status check_event(gossEvent* event);
// check_handle(), and the communicator has been made.
Status check_ready(gossComm* handle);
// Whether `handle` is alive without reading it: for calls that must survive a second destroy.
bool is_live(gossComm* handle);

// Frees a handle that is ready, failed or empty, with nobody inside.
void discard(gossComm* handle);

Status init_rank(gossComm** out, const JoinOptions& options);
Status init_all(gossComm** out, int ndev, const int* devices);
Status unique_id(gossUniqueId* id);
Status init_from_environment(gossComm** out, const Settings& settings);
Status split(gossComm* parent, int color, int key, gossComm** out, const Settings& settings);
Status finalize(gossComm* handle);
Status destroy(gossComm* handle);
Status abort(gossComm* handle);
Status async_error(gossComm* handle);

// A collective: validated, then run, queued, or added to the open group.
Status submit(gossComm* handle, const Operation& operation, gossStream* stream);
// An operation with what it needs to outlive the call that made it.
struct Prepared {
  Operation operation;
  std::vector<Extent> extents;  // when aggregated; operation.extents is set from it
  gossStream* stream = nullptr;
  bool small = false;  // in a group: see there
};
// Hand an operation to the library's thread; the caller is Inside.
void queue(gossComm* handle, Prepared prepared);
// Wait until all queued calls are complete; fails when the communicator is aborted meanwhile.
Status wait_queued(gossComm* handle);

// gossMemAlloc and gossMemFree.
Result<void*> allocate_memory(size_t bytes);
Status free_memory(void* base);

Status stream_create(gossStream** out);
Status stream_push(gossStream* stream, std::unique_ptr<Work> work);
std::unique_ptr<Work> make_callback_work(std::function<void()> fn);
std::unique_ptr<Work> make_wait_event_work(EventPtr event);
std::unique_ptr<Work> make_record_work(EventPtr event);

gossCommStats_t statistics(gossComm* handle);
std::string explain(gossComm* handle, collectives::Kind kind, size_t count, DataType type);

// Takes part in the order of calls and keeps other threads out while one is inside.
class Inside {
 public:
  explicit Inside(gossComm* handle) : handle_(handle) {
    entered_ =
        !handle->busy.exchange(true, std::memory_order_acquire);  // pairs with the release below
  }
  ~Inside() {
    if (entered_) handle_->busy.store(false, std::memory_order_release);
  }
  Inside(const Inside&) = delete;
  Inside& operator=(const Inside&) = delete;
  bool entered() const { return entered_; }
  Status refusal() const;

 private:
  gossComm* handle_;
  bool entered_;
};

}  // namespace goss::engine
