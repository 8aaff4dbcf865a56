// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// The calls of the API below the C boundary: check, order, and run or queue. Functions that take a
// handle expect one that has been checked with check_handle().
#pragma once

#include <exception>

#include "engine/work.h"

namespace goss::engine {

Status init_rank(gossComm** out, const JoinOptions& options);
Status init_all(gossComm** out, int ndev, const int* devices);
Status unique_id(gossUniqueId* id);
Status init_from_environment(gossComm** out, const Settings& settings);
Status split(gossComm* parent, int color, int key, gossComm** out, const Settings& settings);
// Whether there can be so many ranks, on that device.
Status check_place(int nranks, const Settings& settings);
// What split, shrink and grow end with, inside the parent: make it now, at the end of the group, or
// on the library's thread.
Status make_from(gossComm* parent, std::unique_ptr<Making> making, const Settings& settings,
                 gossComm** out);
Status finalize(gossComm* handle);
Status async_error(gossComm* handle, Status* state);
// Why the communicator has failed, or why its last call was refused; success for neither and for
// what is no communicator.
Status first_failure(gossComm* handle);

// A collective, or messages that are on their way at once: validated, then run, queued, or added to
// the open group. `last`: the communicator takes no calls after it.
Status submit(gossComm* handle, const Operation& operation, gossStream* stream, bool last = false);
// Hand an operation to the library's thread; the caller is Inside.
void queue(gossComm* handle, Prepared prepared);
// The same, with others, with a number that is given out when the batch is queued.
void add_call(WorkBatch* batch, gossComm* handle, Prepared prepared, uint64_t number);
// Calls with these numbers will not be run: let those behind them have their turns.
void skip(gossComm* handle, const std::vector<uint64_t>& numbers);
// Wait until all queued calls are complete; fails when the communicator is aborted meanwhile.
Status wait_queued(gossComm* handle);

// A call of this rank is lost for want of memory or threads, and the other ranks would wait for it:
// fails the communicator for all of them, and in a group the others of the group.
Status lose(gossComm* handle, const std::exception& why);
// The same of one communicator, which may be gone.
void lose(gossComm* handle, const Status& failure);
template <class Call>
Status or_lose(gossComm* handle, Call call) {
  try {
    return call();
  } catch (const std::exception& why) {
    return lose(handle, why);
  }
}

// gossMemAlloc and gossMemFree.
Result<void*> allocate_memory(size_t bytes);
Status free_memory(void* base);

Status stream_create(gossStream** out);
Status stream_push(gossStream* stream, std::unique_ptr<Work> work);

// Of `count` elements in the codec of this name.
Result<size_t> encoded_size(const std::string& codec, size_t count);
gossCommStats_t statistics(gossComm* handle);
std::string explain(gossComm* handle, collectives::Kind kind, size_t count, DataType type);
std::string explain_peer(gossComm* handle, int peer);

}  // namespace goss::engine
