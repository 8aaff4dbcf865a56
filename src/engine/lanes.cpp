// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Runs what a group has collected. Each communicator has a lane of its own, with neighbouring calls
// that move alike made one.
#include <algorithm>
#include <exception>
#include <map>

#include "engine/calls.h"
#include "engine/group_content.h"

namespace goss::engine {

namespace {

// One rank's part of the group, driven in turn with the others.
struct Lane {
  explicit Lane(gossComm* h) : handle(h), inside(h) {}
  gossComm* handle;
  Inside inside;
  std::vector<Prepared> operations;
  std::vector<Transfer> transfers;            // its messages, all at once, after the collectives
  std::vector<gossStream*> transfer_streams;  // each once
  bool waits = false;                         // at the end, for messages that are on a stream
  uint64_t first_number = 0;  // of its calls, which are numbered when they are known
  size_t next = 0;
  bool running = false;
  uint64_t position = 0;
  Status status;
};

void append(Lane* lane, const Item& item, size_t index, const Extent* first, const Extent* last) {
  Prepared* before = lane->operations.empty() ? nullptr : &lane->operations.back();
  if (before != nullptr && before->small && item.small && before->stream == item.stream &&
      movement_of(before->operation) == item.movement) {
    before->extents.insert(before->extents.end(), first, last);
    before->operation.count += item.operation.count;
    before->operation.counts.join(item.operation.counts, item.operation.calls);
    before->operation.calls += item.operation.calls;
    return;
  }
  Prepared& prepared = lane->operations.emplace_back();
  prepared.operation = item.operation;
  prepared.extents.assign(first, last);
  prepared.blocks = item.blocks;
  prepared.options = item.options;
  prepared.stream = item.stream;
  prepared.small = item.small;
  prepared.place = index;
}

// Results are by element in rank order, so moving operations together changes no bit.
void finish_lane(Lane* lane, size_t place) {
  for (Prepared& prepared : lane->operations) {
    if (prepared.extents.size() == 1) {
      prepared.operation.buffer = prepared.extents[0];
    } else {
      prepared.operation.nextents = prepared.extents.size();
    }
  }
  if (!lane->transfers.empty()) {
    Prepared exchange;
    exchange.transfers = std::move(lane->transfers);
    exchange.place = place;
    // One exchange, whatever the streams: if it were several, one might wait for a message of the
    // other's.
    std::vector<gossStream*> streams = std::move(lane->transfer_streams);
    const bool some_without = std::erase(streams, nullptr) > 0;
    if (!streams.empty()) {
      exchange.stream = streams.front();
      exchange.joined.assign(streams.begin() + 1, streams.end());
      lane->waits = some_without && lane->handle->settings.blocking;
      // In progress until they are over, too.
      if (some_without && !lane->waits) exchange.joined.push_back(nullptr);
    }
    lane->operations.push_back(std::move(exchange));
  }
  for (Prepared& prepared : lane->operations) prepared.refer();
}

// On the library's thread, by now.
bool is_queued(const Lane& lane, const Prepared& prepared) {
  return prepared.stream != nullptr || !lane.handle->settings.blocking;
}

// Gives all calls their numbers, and queues those of streams in the order of the calls: a stream
// may serve several communicators.
void queue_all(std::vector<std::unique_ptr<Lane>>* lanes) {
  struct Entry {
    Lane* lane;
    size_t operation;
  };
  std::map<size_t, Entry> in_order;
  for (const auto& lane : *lanes) {
    lane->first_number = lane->handle->queued;
    for (size_t i = 0; i < lane->operations.size(); ++i) {
      if (is_queued(*lane, lane->operations[i])) {
        in_order.emplace(lane->operations[i].place, Entry{lane.get(), i});
      }
    }
  }
  WorkBatch batch;
  for (const auto& [place, entry] : in_order) {
    add_call(&batch, entry.lane->handle, std::move(entry.lane->operations[entry.operation]),
             entry.lane->first_number + entry.operation);
  }
  for (const auto& lane : *lanes) lane->handle->queued += lane->operations.size();
  batch.queue();
}

// The rest of the lane is dropped. Its communicator is left at once: an abort waits for that, and
// not for the other lanes. May be tried again when it had no memory.
void fail_lane(Lane* lane, const Status& failure) {
  lane->status = failure;
  // Work that is queued behind the dropped calls waits for their turns.
  std::vector<uint64_t> dropped;
  for (size_t i = lane->next; i < lane->operations.size(); ++i) {
    if (!is_queued(*lane, lane->operations[i])) dropped.push_back(lane->first_number + i);
  }
  skip(lane->handle, dropped);
  lane->running = false;
  lane->next = lane->operations.size();
  lane->handle->set_failure(failure);
  lane->inside.leave();
}

// True when the lane has nothing left to do on this thread.
bool advance(Lane* lane, Waiter* waiter, bool* moved) {
  gossComm* handle = lane->handle;
  for (;;) {
    Progress progress = Progress::kDone;
    if (!lane->running) {
      if (lane->next == lane->operations.size()) return true;
      Prepared& prepared = lane->operations[lane->next];
      if (is_queued(*lane, prepared)) {
        ++lane->next;
        continue;
      }
      if (handle->aborting.load(std::memory_order_acquire)) {
        fail_lane(lane, aborted());
        return true;
      }
      const uint64_t number = lane->first_number + lane->next;
      if (handle->finished.load(std::memory_order_acquire) != number) return false;
      lane->running = true;
      *moved = true;
      progress = handle->execution.start(*handle->comm, prepared.operation);
    } else {
      progress = handle->execution.advance(*handle->comm);
    }
    if (handle->execution.position() != lane->position) *moved = true;
    lane->position = handle->execution.position();
    if (progress == Progress::kBlocked) return false;
    lane->running = false;
    ++lane->next;
    handle->finished.store(lane->first_number + lane->next, std::memory_order_release);
    *moved = true;
    waiter->progressed();
    if (progress == Progress::kFailed) {
      fail_lane(lane, handle->execution.failure());
      return true;
    }
  }
}

// Lack of memory ends the lane and not only the call.
void fail_lane(Lane* lane, const std::exception& why) {
  gossComm* handle = lane->handle;
  fail_lane(lane,
            handle->execution.break_off(*handle->comm, fail(gossSystemError, "%s", why.what())));
}

bool advance_or_fail(Lane* lane, Waiter* waiter, bool* moved) {
  try {
    return advance(lane, waiter, moved);
  } catch (const std::exception& e) {
    fail_lane(lane, e);
    return true;
  }
}

void drive_to_end(std::vector<std::unique_ptr<Lane>>* lanes) {
  bool crowded = false;
  for (const auto& lane : *lanes) crowded |= lane->handle->comm->crowded();
  Waiter waiter(crowded);
  for (const auto& lane : *lanes) {
    waiter.add_bell(lane->handle->comm->bell());
  }
  for (bool all_done = false; !all_done;) {
    all_done = true;
    bool moved = false;
    for (const auto& lane : *lanes) all_done &= advance_or_fail(lane.get(), &waiter, &moved);
    if (all_done) break;
    if (moved) {
      waiter.progressed();
      continue;
    }
    if (!waiter.pause()) continue;
    for (const auto& lane : *lanes) {
      if (!lane->running) continue;
      if (lane->handle->execution.check(*lane->handle->comm, waiter) != Progress::kFailed) continue;
      fail_lane(lane.get(), lane->handle->execution.failure());
    }
  }
}

Status drive(std::vector<std::unique_ptr<Lane>>* lanes) {
  queue_all(lanes);
  try {
    drive_to_end(lanes);
  } catch (const std::exception& e) {
    for (const auto& lane : *lanes) {
      if (lane->next != lane->operations.size()) fail_lane(lane.get(), e);
    }
  }
  for (const auto& lane : *lanes) GOSS_TRY(Status(lane->status));
  return {};
}

// A group of one communicator needs no turns.
Status drive_alone(Lane* lane) {
  gossComm* handle = lane->handle;
  for (Prepared& prepared : lane->operations) {
    if (prepared.stream != nullptr || !handle->settings.blocking) {
      queue(handle, std::move(prepared));
      continue;
    }
    GOSS_TRY(wait_queued(handle));
    Status status = run_synchronously(*handle->comm, handle->execution, prepared.operation);
    if (status.ok()) continue;
    handle->set_failure(status);
    return status;
  }
  return {};
}

// The usual group: calls of one communicator that all move together. Nothing is copied.
Status run_one(const Item& item, const std::vector<Extent>& extents) {
  gossComm* handle = item.handle;
  const Inside inside(handle);
  if (!inside.entered()) {
    if (item.last) handle->finalized = false;
    return inside.refusal();
  }
  Operation operation = item.operation;
  operation.buffer = extents.front();
  if (extents.size() > 1) {
    operation.extents = extents.data();
    operation.nextents = extents.size();
  }
  GOSS_TRY(wait_queued(handle));
  Status status = run_synchronously(*handle->comm, handle->execution, operation);
  if (!status.ok()) handle->set_failure(status);
  return status;
}

// The lane of a communicator, which is entered when it is new.
Result<Lane*> find_lane(std::vector<std::unique_ptr<Lane>>* lanes, gossComm* handle) {
  for (const auto& lane : *lanes) {
    if (lane->handle == handle) return lane.get();
  }
  GOSS_TRY(still_there(handle));
  lanes->push_back(std::make_unique<Lane>(handle));
  Lane* lane = lanes->back().get();
  if (!lane->inside.entered()) return lane->inside.refusal();
  return lane;
}

// Hands all calls to the lanes of their communicators; a failure means that nothing has begun.
Status fill_lanes(const std::vector<Item>& items, const std::vector<Extent>& extents,
                  const std::vector<PendingTransfer>& transfers,
                  std::vector<std::unique_ptr<Lane>>* lanes) {
  for (size_t i = 0; i < items.size(); ++i) {
    const Item& item = items[i];
    const size_t end = i + 1 < items.size() ? items[i + 1].first_extent : extents.size();
    GOSS_TRY_ASSIGN(Lane * lane, find_lane(lanes, item.handle));
    append(lane, item, i, extents.data() + item.first_extent, extents.data() + end);
  }
  for (const PendingTransfer& pending : transfers) {
    GOSS_TRY_ASSIGN(Lane * lane, find_lane(lanes, pending.handle));
    lane->transfers.push_back(pending.transfer);
    auto& streams = lane->transfer_streams;
    if (std::find(streams.begin(), streams.end(), pending.stream) == streams.end()) {
      streams.push_back(pending.stream);
    }
  }
  return {};
}

Status run(const std::vector<Item>& items, const std::vector<Extent>& extents,
           const std::vector<PendingTransfer>& transfers) {
  if (items.size() == 1 && transfers.empty()) {
    const Item& only = items.front();
    if (only.stream == nullptr && only.handle->settings.blocking) {
      GOSS_TRY(still_there(only.handle));
      return run_one(only, extents);
    }
  }
  std::vector<std::unique_ptr<Lane>> lanes;
  Status refused = fill_lanes(items, extents, transfers, &lanes);
  if (!refused.ok()) {
    reopen(items);
    return refused;
  }
  bool in_progress = false;
  for (size_t i = 0; i < lanes.size(); ++i) {
    in_progress |= !lanes[i]->handle->settings.blocking;
    finish_lane(lanes[i].get(), items.size() + i);
  }
  Status first = lanes.size() == 1 ? drive_alone(lanes.front().get()) : drive(&lanes);
  // Messages without a stream use their buffers until they are over, whatever became of the others.
  for (const auto& lane : lanes) {
    if (!lane->waits || !lane->inside.entered()) continue;
    Status status = wait_queued(lane->handle);
    if (status.ok()) status = lane->handle->comm->faults().status();
    if (first.ok()) first = std::move(status);
  }
  GOSS_TRY(std::move(first));
  if (in_progress) return fail(gossInProgress, "the group was queued");
  return {};
}

}  // namespace

void reopen(const std::vector<Item>& items) {
  for (const Item& item : items) {
    if (item.last) item.handle->finalized = false;
  }
}

Status run_group(GroupContent* content) {
  Status made = drive_makings(&content->makings);
  if (!made.ok()) {
    reopen(content->items);
    return made;
  }
  if (content->items.empty() && content->transfers.empty()) return {};
  return run(content->items, content->extents, content->transfers);
}

}  // namespace goss::engine
