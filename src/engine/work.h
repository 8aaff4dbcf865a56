// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// The kinds of work that run on streams (stream.h), on the library's thread.
#pragma once

#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "engine/call_options.h"
#include "engine/handle.h"
#include "engine/reactor.h"

namespace goss::engine {

// How an exchange ended, for the streams that joined it. Library thread only.
struct Outcome {
  bool known = false;
  Status status;
};
using OutcomePtr = std::shared_ptr<Outcome>;  // shared: the exchange and those streams

// An operation with what it needs to outlive the call that made it.
struct Prepared {
  Operation operation;
  std::vector<Extent> extents;      // when aggregated; operation.extents is set from it
  std::vector<Transfer> transfers;  // likewise operation.transfers
  std::vector<size_t> blocks;       // and counts and places of the ranks' blocks
  OptionsPtr options;               // and options
  gossStream* stream = nullptr;     // null on the library's thread: the communicator's own
  std::vector<gossStream*> joined;  // streams, as above, that wait for it as well, and it for them
  OutcomePtr outcome;               // for them; null: none
  bool small = false;               // in a group: see there
  size_t place = 0;                 // in a group: the number of its first call there

  // Lets the operation refer to the vectors, after these have moved.
  void refer() {
    if (operation.nextents > 0) operation.extents = extents.data();
    operation.transfers = transfers.empty() ? nullptr : transfers.data();
    operation.ntransfers = transfers.size();
    operation.options = options.get();
    operation.block_counts = blocks.empty() ? nullptr : blocks.data();
    operation.block_places = blocks.empty() ? nullptr : blocks.data() + blocks.size() / 2;
  }
};

inline std::vector<size_t> copy_blocks(const gossComm& handle, const Operation& operation) {
  if (operation.block_counts == nullptr) return {};
  std::vector<size_t> blocks(operation.block_counts, operation.block_counts + handle.nranks);
  blocks.insert(blocks.end(), operation.block_places, operation.block_places + handle.nranks);
  return blocks;
}

inline OptionsPtr copy_options(const Operation& operation) {
  if (operation.options == nullptr) return nullptr;
  return std::make_shared<const CallOptions>(*operation.options);
}

// Call number `number` of the communicator.
std::unique_ptr<Work> make_collective_work(gossComm* handle, Prepared prepared, uint64_t number);
// A split is call number `number` of its parent; otherwise `parent` is null.
std::unique_ptr<Work> make_making_work(gossComm* handle, std::unique_ptr<Making> making,
                                       gossComm* parent, uint64_t number);
// For a call that is not to be run: waits for its turn and passes it on.
std::unique_ptr<Work> make_skip_work(gossComm* handle, uint64_t number);
std::unique_ptr<Work> make_callback_work(std::function<void()> fn);
// For the point that is recorded now.
std::unique_ptr<Work> make_wait_event_work(const Event& event);
std::unique_ptr<Work> make_record_work(Event* event);
// For the outcome, which becomes that of the stream as well.
std::unique_ptr<Work> make_joined_work(OutcomePtr outcome);

// Work for one stream or several. It is all made before any of it is queued: lack of memory or
// threads comes before anything has begun.
class WorkBatch {
 public:
  void add(StreamPtr stream, std::unique_ptr<Work> work) {
    entries_.emplace_back(std::move(stream), std::move(work));
  }
  // In the order in which it was added.
  void queue() noexcept;

 private:
  Reactor& reactor_ = Reactor::get();
  std::vector<std::pair<StreamPtr, std::unique_ptr<Work>>> entries_;
};

}  // namespace goss::engine
