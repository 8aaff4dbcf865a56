// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "engine/pair_execution.h"

#include <algorithm>
#include <utility>

#include "engine/direct_memory.h"
#include "engine/error_report.h"
#include "engine/job.h"
#include "engine/span.h"

namespace goss::engine {

using shm::Pair;
using shm::PairEntry;
using Way = Transfer::Way;

namespace {

// Of one channel in one step, so that others get on as well, and so that an abort is noticed while
// much is on its way.
constexpr size_t kStepBytes = size_t{1} * 1024 * 1024;
constexpr size_t kStepPieces = kStepBytes / shm::kPairSlotBytes;

constexpr std::chrono::milliseconds kStillOnTheWay{500};

reduce::Store store_for_peer(const Communicator& comm) {
  return comm.far ? reduce::Store::kStream : reduce::Store::kCached;
}

reduce::Store store_of_result(const Transfer& transfer) {
  return transfer.bytes() >= kStreamOutputBytes ? reduce::Store::kStream : reduce::Store::kCached;
}

PairState& state(Communicator& comm, int peer) { return comm.pairs[static_cast<size_t>(peer)]; }

}  // namespace

Progress PairExecution::start(Communicator& comm, const Operation& operation) {
  transfers_ = operation.transfers;
  ntransfers_ = operation.ntransfers;
  failed_ = false;
  failure_ = {};
  compression_.reset();
  outcome_ = {};
  number_ = comm.stats.operations.value() + ntransfers_;
  open_.clear();
  troubled_since_ = {};
  memory_.clear();
  comm.pairs.resize(static_cast<size_t>(comm.nranks()));
  channel_of_.assign(2 * static_cast<size_t>(comm.nranks()), -1);
  following_.assign(ntransfers_, SIZE_MAX);
  if (!exchange_with_self(comm)) return Progress::kFailed;
  for (size_t i = 0; i < ntransfers_; ++i) {
    if (transfers_[i].is_message() && transfers_[i].peer != comm.rank()) add(comm, i);
  }
  Status status = prepare(comm);
  if (!status.ok()) {
    fail(comm, std::move(status));
    return Progress::kFailed;
  }
  return advance(comm);
}

// Messages of a rank to itself go straight from one buffer to the other.
bool PairExecution::exchange_with_self(Communicator& comm) {
  const auto next_to_self = [&](size_t index, Way way) {
    const auto found = std::find_if(transfers_ + index, transfers_ + ntransfers_,
                                    [&](auto& t) { return t.way == way && t.peer == comm.rank(); });
    return static_cast<size_t>(found - transfers_);
  };
  size_t receive = next_to_self(0, Way::kReceive);
  size_t send = next_to_self(0, Way::kSend);
  for (; send < ntransfers_ && receive < ntransfers_;
       send = next_to_self(send + 1, Way::kSend),
       receive = next_to_self(receive + 1, Way::kReceive)) {
    const Transfer& from = transfers_[send];
    const Transfer& to = transfers_[receive];
    if (from.type != to.type || from.count != to.count) {
      return fail(comm, comm.message_mismatch(comm.rank(), from.type, from.count, to));
    }
    if (from.count != 0 && from.buffer != to.buffer) {
      comm.compute().copy(to.buffer, from.buffer, from.bytes(), store_of_result(to));
    }
    report(comm, from, {}, {});
    report(comm, to, {}, {});
    moved_ += 1;
  }
  const size_t alone = std::min(send, receive);
  if (alone == ntransfers_) return true;
  return fail(comm,
              goss::fail(gossInvalidUsage,
                         "%s %s of communicator '%s' has no counterpart: a rank's messages to "
                         "itself are sent and received in one group",
                         comm.name_of(comm.rank()).c_str(), describe(transfers_[alone]).c_str(),
                         comm.settings().name.c_str()));
}

void PairExecution::add(Communicator& comm, size_t index) {
  const Transfer& transfer = transfers_[index];
  const size_t ways = channel_of_.size() / 2;
  int& place =
      channel_of_[static_cast<size_t>(transfer.way) * ways + static_cast<size_t>(transfer.peer)];
  if (place < 0) {
    place = static_cast<int>(open_.size());
    Channel& opened = open_.emplace_back();
    opened.way = transfer.way;
    opened.peer = transfer.peer;
    opened.current = opened.last = index;
    if (comm.remote(transfer.peer)) {
      opened.remote = std::make_unique<RemoteChannel>(comm, transfer.peer);
    } else {
      const int here = comm.place_in_segment(comm.rank());
      const int there = comm.place_in_segment(transfer.peer);
      const bool sends = transfer.way == Way::kSend;
      opened.pair = &comm.segment().pair(sends ? here : there, sends ? there : here);
    }
    return;
  }
  Channel& channel = open_[static_cast<size_t>(place)];
  following_[std::exchange(channel.last, index)] = index;
}

// Pages for what this rank touches, so that lack of memory is an error.
Status PairExecution::prepare(Communicator& comm) {
  for (const Channel& channel : open_) {
    if (channel.remote != nullptr) continue;
    PairState& pair = state(comm, channel.peer);
    const int here = comm.place_in_segment(comm.rank());
    const int there = comm.place_in_segment(channel.peer);
    if (channel.way == Way::kReceive) {
      if (pair.can_receive) continue;
      GOSS_TRY(comm.segment().allocate_pair(there, here, false));
      pair.can_receive = true;
      continue;
    }
    bool slots = false;
    for (size_t i = channel.current; i != SIZE_MAX; i = following_[i]) {
      slots |= transfers_[i].bytes() > shm::kPairInlineBytes;
    }
    const int wanted = slots ? 2 : 1;
    if (pair.can_send >= wanted) continue;
    GOSS_TRY(comm.segment().allocate_pair(here, there, slots));
    if (slots) comm.stats.staging_bytes += kMostInSlots;
    pair.can_send = wanted;
  }
  return {};
}

Progress PairExecution::advance(Communicator& comm) {
  // While messages flow nobody asks check().
  if (comm.interrupted(&failure_)) return Progress::kFailed;
  poll(comm);
  if (failed_) return Progress::kFailed;
  if (!open_.empty()) return Progress::kBlocked;
  if (comm.span() != nullptr) comm.span()->leave_to_go();
  if (compression_) {
    outcome_.operation = number_;
    comm.set_last_report(report_of(outcome_, *compression_));
  }
  give_up(comm);  // nothing is left
  return Progress::kDone;
}

void PairExecution::give_up(Communicator& comm) {
  comm.say_waiting(nullptr);
  memory_.clear();
  for (Channel& channel : open_) channel.remote.reset();
}

void PairExecution::poll(Communicator& comm) {
  const uint64_t before = moved_;
  if (comm.span() != nullptr) comm.span()->messenger()->progress();
  for (size_t i = 0; i < open_.size();) {
    if (step(comm, &open_[i])) {
      if (i + 1 < open_.size()) open_[i] = std::move(open_.back());
      open_.pop_back();
    } else {
      ++i;
    }
    if (failed_) return;
  }
  if (moved_ == before) return;
  comm.say_waiting(nullptr);
  ring_doorbells_if_dozing(comm.segment());
}

// True when the channel has nothing more to move.
bool PairExecution::step(Communicator& comm, Channel* channel) {
  if (channel->remote != nullptr) return step_remote(comm, channel);
  return channel->way == Way::kSend ? send(comm, channel) : receive(comm, channel);
}

bool PairExecution::step_remote(Communicator& comm, Channel* channel) {
  RemoteChannel& remote = *channel->remote;
  const bool sends = channel->way == Way::kSend;
  for (size_t messages = 0; messages < kStepPieces; ++messages) {
    const Transfer& message = current(*channel);
    switch (sends ? remote.send(comm, message) : remote.receive(comm, message)) {
      case RemoteChannel::Step::kBlocked: return false;
      case RemoteChannel::Step::kMoved: ++moved_; return false;
      case RemoteChannel::Step::kDiffers:
        return fail(comm, comm.message_mismatch(channel->peer, remote.type(), remote.count(),
                                                message, remote.codec()));
      case RemoteChannel::Step::kBroken: return fail(comm, remote.failure());
      case RemoteChannel::Step::kDone:
        ++moved_;
        report(comm, message, remote.compression(), remote.outcome());
        if (next(channel)) return true;
    }
  }
  return false;
}

// A peer that cannot be reached, unless the library knows soon what has become of it.
Status PairExecution::check_remote(Communicator& comm) {
  constexpr std::chrono::milliseconds kTroublePatience{1500};
  for (const Channel& channel : open_) {
    if (channel.remote == nullptr || channel.remote->trouble().ok()) continue;
    const auto now = std::chrono::steady_clock::now();
    if (troubled_since_ == std::chrono::steady_clock::time_point{}) troubled_since_ = now;
    if (now - troubled_since_ < kTroublePatience) continue;
    comm.faults().raise(goss::fail(gossRemoteError, "%s of communicator '%s', from %s, failed: %s",
                                   describe(current(channel)).c_str(), comm.settings().name.c_str(),
                                   comm.name_of(comm.rank()).c_str(),
                                   channel.remote->trouble().message().c_str()));
    return comm.faults().status();
  }
  return {};
}

// What a message tells of its error: the receiver of what it got, the sender of what it sent.
void PairExecution::report(const Communicator& comm, const Transfer& message,
                           const std::optional<CodecChoice>& compression,
                           const CompressedOutcome& outcome) {
  if (compression) {
    compression_ = compression;
    if (message.way == Way::kReceive) {
      outcome_.figures.bound = std::max(outcome_.figures.bound, outcome.figures.bound);
      outcome_.figures.noise += outcome.figures.noise;
      outcome_.elements += outcome.elements;
    }
    outcome_.sent_bytes += outcome.sent_bytes;
    outcome_.plain_bytes += outcome.plain_bytes;
  }
  if (message.report == nullptr) return;
  gossErrorReport_t report = plain_report(message.count);
  if (compression) report = report_of(outcome, *compression);
  report.operation = number_;
  if (compression && comm.compute().host_memory()) {
    report.expectedNmse = expected_nmse(outcome, message.buffer, message.type);
  }
  copy_report(report, message.report);
}

// The current message is complete: true when it was the last one of its channel.
bool PairExecution::next(Channel* channel) {
  channel->done = 0;
  channel->begun = false;
  channel->in_place = 0;
  channel->current = following_[channel->current];
  return channel->current == SIZE_MAX;
}

bool PairExecution::send(Communicator& comm, Channel* channel) {
  Pair& shared = *channel->pair;
  PairState& pair = state(comm, channel->peer);
  const auto look = [&] {
    pair.taken = shared.taken.load(std::memory_order_acquire);  // pairs with receive()
  };
  for (size_t piece = 0; piece < kStepPieces; ++piece) {
    if (channel->in_place != 0) {
      look();
      if (pair.taken < channel->in_place) return false;
      ++moved_;
      report(comm, current(*channel), {}, {});
      if (next(channel)) return true;
      continue;
    }
    if (pair.sent - pair.taken >= shm::kPairEntries) look();
    if (pair.sent - pair.taken >= shm::kPairEntries) return false;
    const Transfer& message = current(*channel);
    const size_t slot = pair.sent % shm::kPairEntries;
    PairEntry& entry = shared.entries[slot];
    entry.what = message.type;
    entry.count = message.count;
    bool full = false;
    if (channel->done == 0 && begin_in_place(comm, channel, &entry, &full)) {
      if (failed_ || full) return false;
    } else {
      const size_t rest = message.bytes() - channel->done;
      const bool behind = message.bytes() <= shm::kPairInlineBytes;
      entry.bytes = std::min(rest, shm::kPairSlotBytes);
      if (entry.bytes > 0) {
        comm.compute().copy(behind ? entry.payload : shared.slots[slot],
                            message.buffer + channel->done, entry.bytes,
                            behind ? reduce::Store::kCached : store_for_peer(comm));
      }
      channel->done += entry.bytes;
      comm.stats.sent_bytes += entry.bytes;
    }
    entry.turn.store(++pair.sent, std::memory_order_release);  // pairs with receive()
    ++moved_;
    if (channel->in_place != 0 || channel->done < message.bytes()) continue;
    report(comm, message, {}, {});
    if (next(channel)) return true;
  }
  return false;
}

// True when the receiver is to read the whole message where it is. *full: not yet, because it
// cannot be told of the memory before it has read earlier letters.
bool PairExecution::begin_in_place(Communicator& comm, Channel* channel, PairEntry* entry,
                                   bool* full) {
  const Transfer& message = current(*channel);
  if (message.bytes() <= kMostInSlots || !comm.compute().host_memory()) return false;
  const device::SharedMemoryPtr memory = device::find_shared(message.buffer, message.bytes());
  if (memory == nullptr) return false;
  const int peer = comm.parts().job_ranks[static_cast<size_t>(channel->peer)];
  Result<int> told = comm.parts().job->announce({peer}, memory);
  if (!told.ok()) return !fail(comm, told.take_status());
  *full = told.value() >= 0;
  if (*full) return true;
  entry->what |= PairEntry::kInPlace;
  entry->bytes = message.bytes();
  entry->memory_id = memory->id();
  entry->memory_offset = static_cast<uint64_t>(message.buffer - memory->data());
  memory_.push_back(memory);
  channel->in_place = state(comm, channel->peer).sent + 1;
  return true;
}

bool PairExecution::receive(Communicator& comm, Channel* channel) {
  Pair& shared = *channel->pair;
  PairState& pair = state(comm, channel->peer);
  for (size_t piece = 0; piece < kStepPieces; ++piece) {
    const size_t slot = pair.received % shm::kPairEntries;
    const PairEntry& entry = shared.entries[slot];
    // Pairs with send(): what the entry refers to is complete.
    if (entry.turn.load(std::memory_order_acquire) != pair.received + 1) return false;
    if (!channel->begun && !begin_message(comm, channel, entry)) return false;
    const Transfer& message = current(*channel);
    const size_t bytes = entry.bytes;
    if ((entry.what & PairEntry::kInPlace) != 0) {
      if (!read_in_place(comm, channel, entry)) return false;
    } else if (bytes > shm::kPairSlotBytes || bytes > message.bytes() - channel->done) {
      fail(comm, goss::fail(gossInternalError, "%s wrote a piece of a message that is out of range",
                            comm.name_of(channel->peer).c_str()));
      return false;
    } else if (bytes > 0) {
      const bool behind = message.bytes() <= shm::kPairInlineBytes;
      comm.compute().copy(message.buffer + channel->done,
                          behind ? entry.payload : shared.slots[slot], bytes,
                          store_of_result(message));
      channel->done += bytes;
    }
    shared.taken.store(++pair.received, std::memory_order_release);  // pairs with send()
    ++moved_;
    if (channel->done < message.bytes()) continue;
    report(comm, message, {}, {});
    if (next(channel)) return true;
  }
  return false;
}

// The first piece of a message: do both sides mean the same?
bool PairExecution::begin_message(Communicator& comm, Channel* channel, const PairEntry& entry) {
  const Transfer& wanted = current(*channel);
  const uint64_t type = entry.what & ~PairEntry::kInPlace;
  if (type != static_cast<uint64_t>(wanted.type) || entry.count != wanted.count) {
    return fail(comm, comm.message_mismatch(channel->peer, type, entry.count, wanted));
  }
  channel->begun = true;
  return true;
}

// True when all of it has been read.
bool PairExecution::read_in_place(Communicator& comm, Channel* channel, const PairEntry& entry) {
  const Transfer& message = current(*channel);
  Result<device::SharedMemoryPtr> found = comm.parts().job->peer_memory(entry.memory_id);
  if (!found.ok()) return fail(comm, found.take_status());
  const device::SharedMemoryPtr memory = found.take();
  if (memory == nullptr) return false;  // its letter is on the way
  if (entry.memory_offset > memory->bytes() ||
      message.bytes() > memory->bytes() - entry.memory_offset) {
    return fail(comm, goss::fail(gossInternalError, "%s announced memory out of range",
                                 comm.name_of(channel->peer).c_str()));
  }
  const size_t bytes = std::min(kStepBytes, message.bytes() - channel->done);
  comm.compute().copy(message.buffer + channel->done,
                      memory->data() + entry.memory_offset + channel->done, bytes,
                      store_of_result(message));
  // An owner that failed has gone on and may have changed what was read. It raised its failure
  // before: whoever has read the changed bytes sees that.
  std::atomic_thread_fence(std::memory_order_acquire);
  if (comm.faults().any()) {
    return fail(comm, goss::fail(gossRemoteError, "a rank failed while its memory was read"));
  }
  channel->done += bytes;
  ++moved_;
  return channel->done == message.bytes();
}

Progress PairExecution::check(Communicator& comm, std::chrono::milliseconds waited) {
  const auto gone = std::find_if(open_.begin(), open_.end(), [&](const Channel& channel) {
    // What a rank of another host did before may arrive after the news that it has left.
    return comm.has_left(channel.peer) && (channel.remote == nullptr || waited > kStillOnTheWay);
  });
  if (gone != open_.end()) {
    const Transfer stuck = current(*gone);
    const uint64_t before = moved_;
    poll(comm);  // what it did before it left is visible now
    if (!failed_ && moved_ == before) fail(comm, comm.left_message(stuck));
    return failed_ ? Progress::kFailed : Progress::kBlocked;
  }
  if (open_.empty()) return Progress::kBlocked;  // advance() will say so
  const Transfer& waiting = current(open_.front());
  comm.say_waiting(&waiting);
  if (comm.span() != nullptr) {
    failure_ = check_remote(comm);
    if (!failure_.ok()) return Progress::kFailed;
  }
  failure_ = comm.check_transfer(waiting, waited);
  return failure_.ok() ? Progress::kBlocked : Progress::kFailed;
}

bool PairExecution::fail(Communicator& comm, Status failure) {
  comm.faults().raise(failure);
  failure_ = comm.faults().status();
  failed_ = true;
  return false;
}

}  // namespace goss::engine
