// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "engine/window.h"

#include <algorithm>
#include <chrono>

#include "engine/calls.h"
#include "engine/group.h"
#include "engine/job.h"

using goss::fail;
using goss::Result;
using goss::Status;
using goss::engine::Communicator;
using goss::engine::Operation;

namespace {

// Tell all ranks of `memory`. Queues of letters are short, but emptied by the library's thread
// whatever their owner does.
Status announce_to_all(gossComm* handle, const goss::device::SharedMemoryPtr& memory) {
  std::vector<int> here;  // ranks of the job on this host
  for (int r = 0; r < handle->nranks; ++r) {
    const Communicator& comm = *handle->comm;
    if (!comm.remote(r)) here.push_back(comm.parts().job_ranks[static_cast<size_t>(r)]);
  }
  // An abort by another thread frees the communicator, not these.
  const goss::engine::JobPtr job = handle->comm->parts().job;
  const auto limit = handle->comm->settings().init_timeout;
  const auto began = std::chrono::steady_clock::now();
  for (int round = 0;; ++round) {
    GOSS_TRY_ASSIGN(const int full, job->announce(here, memory));
    if (full < 0) return {};
    if (handle->aborting.load(std::memory_order_acquire)) return goss::engine::aborted();
    const int dead = job->dead_among(here);
    if (dead >= 0) return fail(gossRemoteError, "%s died", job->place_of(dead).c_str());
    if (limit.count() > 0 && std::chrono::steady_clock::now() - began > limit) {
      return fail(gossTimeout,
                  "a rank (%s) has not taken in a message about memory for GOSS_INIT_TIMEOUT",
                  job->place_of(here[static_cast<size_t>(full)]).c_str());
    }
    goss::engine::nap(round);
  }
}

}  // namespace

Result<std::unique_ptr<gossWindow>> gossWindow::create(gossComm* handle, void* base, size_t bytes) {
  const goss::device::SharedMemoryPtr memory = goss::device::find_shared(base, bytes);
  if (memory == nullptr) {
    return fail(gossInvalidArgument,
                "gossCommWindowRegister : the %zu bytes at %p are not memory of gossMemAlloc",
                bytes, base);
  }
  GOSS_TRY(announce_to_all(handle, memory));
  auto window = std::make_unique<gossWindow>();
  const auto n = static_cast<size_t>(handle->nranks);
  window->base_ = base;
  window->own_[0] = memory->id();
  window->own_[1] = static_cast<uint64_t>(static_cast<std::byte*>(base) - memory->data());
  window->own_[2] = bytes;
  window->table_.resize(kWords * n);
  window->memory_.resize(n);
  return window;
}

Operation gossWindow::exchange() {
  Operation operation;
  operation.kind = goss::collectives::Kind::kAllGather;
  operation.type = gossUint64;
  operation.count = kWords;
  operation.buffer = {reinterpret_cast<const std::byte*>(own_),
                      reinterpret_cast<std::byte*>(table_.data()), kWords};
  return operation;
}

Result<std::byte*> gossWindow::address(Communicator& comm, int rank) {
  goss::device::SharedMemoryPtr& memory = memory_[static_cast<size_t>(rank)];
  const uint64_t* entry = &table_[kWords * static_cast<size_t>(rank)];
  if (memory == nullptr) {
    GOSS_TRY_ASSIGN(memory, comm.parts().job->peer_memory(entry[0]));
    if (memory == nullptr) return static_cast<std::byte*>(nullptr);
    // Another process wrote the table.
    if (entry[1] > memory->bytes() || entry[2] > memory->bytes() - entry[1]) {
      return fail(gossInternalError, "%s announced a window out of range",
                  comm.name_of(rank).c_str());
    }
  }
  return memory->data() + entry[1];
}

namespace goss::engine {

Status window_register(gossComm* handle, void* base, size_t bytes, gossWindow** out) {
  GOSS_TRY_ASSIGN(std::unique_ptr<gossWindow> made, gossWindow::create(handle, base, bytes));
  gossWindow* window = made.get();
  {
    const std::lock_guard<std::mutex> lock(handle->objects_mutex);
    handle->windows.emplace(window, std::move(made));
  }
  Status status = submit(handle, window->exchange(), nullptr);
  if (!status.ok() && status.code() != gossInProgress) {
    const std::lock_guard<std::mutex> lock(handle->objects_mutex);
    handle->windows.erase(window);
    return status;
  }
  window->complete = status.ok() && !in_group();
  window->group = in_group() ? group_number() : 0;
  if (!in_group()) window->calls = handle->queued;
  *out = window;
  return status;
}

Status window_deregister(gossComm* handle, gossWindow* window) {
  GOSS_TRY(check_window(handle, window));
  const std::lock_guard<std::mutex> lock(handle->objects_mutex);
  const auto entry = handle->windows.find(window);
  // Calls that are not complete may still refer to it.
  const bool used = in_group() || handle->finished.load(std::memory_order_acquire) !=
                                      handle->queued;  // pairs with the ends of works
  if (used) handle->retired_windows.push_back(std::move(entry->second));
  handle->windows.erase(entry);
  return {};
}

Status check_window(gossComm* handle, gossWindow* window) {
  if (window == nullptr) return fail(gossInvalidArgument, "window is NULL");
  const std::lock_guard<std::mutex> lock(handle->objects_mutex);
  if (handle->windows.count(window) != 0) return {};
  return fail(gossInvalidArgument, "%p is not a window of this communicator, or was deregistered",
              static_cast<void*>(window));
}

Status check_complete(gossComm* handle, gossWindow* window) {
  GOSS_TRY(check_window(handle, window));
  const bool collecting = in_group() && window->group == group_number();
  if (window->calls == 0 && !collecting) window->calls = handle->queued;
  // A blocking communicator has run it by the end of the call or group; else all calls up to it
  // are over: pairs with the ends of works.
  const bool over = handle->settings.blocking ||
                    handle->finished.load(std::memory_order_acquire) >= window->calls;
  window->complete |= over && !collecting && window->exchanged(handle->rank);
  if (window->complete) return {};
  return fail(gossInvalidUsage,
              "refused: the registration of the window is not complete: end the group, or poll "
              "gossCommGetAsyncError, before it is used");
}

Status memory_register(gossComm* handle, void* base, size_t bytes, void** out) {
  if (const device::SharedMemoryPtr memory = device::find_shared(base, bytes)) {
    GOSS_TRY(announce_to_all(handle, memory));
  }
  const std::lock_guard<std::mutex> lock(handle->objects_mutex);
  const uintptr_t registration = ++handle->last_registration;
  handle->registrations.insert(registration);
  *out = reinterpret_cast<void*>(registration);
  return {};
}

Status memory_deregister(gossComm* handle, void* registration) {
  const std::lock_guard<std::mutex> lock(handle->objects_mutex);
  if (handle->registrations.erase(reinterpret_cast<uintptr_t>(registration)) == 1) return {};
  return fail(gossInvalidArgument,
              "gossCommDeregister : %p is not of gossCommRegister on this communicator",
              registration);
}

}  // namespace goss::engine
