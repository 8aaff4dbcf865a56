// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "engine/one_sided.h"

#include <algorithm>
#include <utility>

#include "engine/direct_memory.h"
#include "engine/window.h"

namespace goss::engine {

using Way = Transfer::Way;

namespace {

// In one go, so that others get on as well, and so that an abort is noticed.
constexpr size_t kStepBytes = size_t{1} << 20;

std::atomic<uint64_t>& counter(Communicator& comm, int from, int to, int signal) {
  return comm.segment()
      .pair(comm.place_in_segment(from), comm.place_in_segment(to))
      .signals[signal];
}

}  // namespace

Progress OneSided::start(Communicator& comm, const Operation& operation) {
  puts_.clear();
  waits_.clear();
  next_ = done_ = 0;
  failure_ = {};
  for (size_t i = 0; i < operation.ntransfers; ++i) {
    const Transfer& transfer = operation.transfers[i];
    if (transfer.is_message()) continue;
    Status status = prepare(comm, transfer);
    if (!status.ok()) {
      fail(comm, std::move(status));
      return Progress::kFailed;
    }
  }
  return advance(comm);
}

// Pages for what this rank touches, so that lack of memory is an error.
Status OneSided::prepare(Communicator& comm, const Transfer& transfer) {
  const int peer = transfer.peer;
  PairState& pair = comm.pairs[static_cast<size_t>(peer)];
  const int here = comm.place_in_segment(comm.rank());
  const int there = comm.place_in_segment(peer);
  if (transfer.way == Way::kPut) {
    if (pair.can_send == 0) {
      GOSS_TRY(comm.segment().allocate_pair(here, there, false));
      pair.can_send = 1;
    }
    puts_.push_back(&transfer);
    return {};
  }
  if (!pair.can_receive) {
    GOSS_TRY(comm.segment().allocate_pair(there, here, false));
    pair.can_receive = true;
  }
  comm.awaited.resize(static_cast<size_t>(comm.nranks()) * shm::kPairSignals);
  uint64_t& awaited = comm.awaited[static_cast<size_t>(peer * shm::kPairSignals + transfer.signal)];
  awaited += transfer.times;
  waits_.push_back({&transfer, awaited});
  return {};
}

Progress OneSided::advance(Communicator& comm) {
  if (comm.interrupted(&failure_)) return Progress::kFailed;
  while (next_ < puts_.size() && put(comm, *puts_[next_])) {
    ++next_;
    done_ = 0;
  }
  if (failed()) return Progress::kFailed;
  moved_ += std::erase_if(waits_, [&](const Wait& wait) {
    const Transfer& transfer = *wait.transfer;
    // Pairs with the release in put(): the data is there.
    return counter(comm, transfer.peer, comm.rank(), transfer.signal)
               .load(std::memory_order_acquire) >= wait.goal;
  });
  return blocked() ? Progress::kBlocked : Progress::kDone;
}

// True when the peer has all of it and its signal.
bool OneSided::put(Communicator& comm, const Transfer& transfer) {
  if (transfer.count > 0) {
    Result<std::byte*> found = transfer.window->address(comm, transfer.peer);
    if (!found.ok()) return fail(comm, found.take_status());
    std::byte* target = found.value();
    if (target == nullptr) return false;  // its letter is on the way
    const size_t bytes = std::min(kStepBytes, transfer.bytes() - done_);
    const bool stream = comm.far || transfer.bytes() >= kStreamOutputBytes;
    comm.compute().copy(target + transfer.offset + done_, transfer.buffer + done_, bytes,
                        stream ? reduce::Store::kStream : reduce::Store::kCached);
    done_ += bytes;
    comm.stats.sent_bytes += bytes;
    ++moved_;
    if (done_ < transfer.bytes()) return false;
  }
  std::atomic<uint64_t>& signals = counter(comm, comm.rank(), transfer.peer, transfer.signal);
  // Pairs with advance() of the peer. Nobody else writes this counter.
  signals.store(signals.load(std::memory_order_relaxed) + 1, std::memory_order_release);
  ring_doorbells_if_dozing(comm.segment());
  ++moved_;
  return true;
}

Progress OneSided::check(Communicator& comm, std::chrono::milliseconds waited) {
  if (!blocked()) return Progress::kBlocked;  // advance() will say so
  const Transfer stuck = awaited();
  if (comm.has_left(stuck.peer)) {
    const uint64_t before = moved_;
    const Progress progress = advance(comm);  // what it did before it left is visible now
    if (progress == Progress::kBlocked && moved_ == before) fail(comm, comm.left_message(stuck));
    return failed() ? Progress::kFailed : Progress::kBlocked;
  }
  comm.say_waiting(&stuck);
  failure_ = comm.check_transfer(stuck, waited);
  return failed() ? Progress::kFailed : Progress::kBlocked;
}

bool OneSided::fail(Communicator& comm, Status failure) {
  comm.faults().raise(failure);
  failure_ = comm.faults().status();
  return false;
}

}  // namespace goss::engine
