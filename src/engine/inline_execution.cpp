// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "engine/execution.h"

namespace goss::engine {

namespace {
// Polls before the caller is asked to wait properly: a peer that is just storing its line.
constexpr int kEagerPolls = 200;

// Ask for a line in order to write it, without waiting for it.
void prefetch_for_write(const void* line) {
#if defined(__x86_64__)
  asm volatile("prefetchw %0" ::"m"(*static_cast<const char*>(line)));
#else
  __builtin_prefetch(line, 1);
#endif
}

// Calls fn(extent) for every stretch of the caller's buffers.
template <class Fn>
void for_each_extent(const Operation& operation, Fn fn) {
  if (operation.nextents == 0) return fn(operation.buffer);
  for (size_t i = 0; i < operation.nextents; ++i) fn(operation.extents[i]);
}

}  // namespace

Progress InlineExecution::start(Communicator& comm, const Operation& operation,
                                uint64_t signature) {
  operation_ = &operation;
  signature_ = signature;
  if (operation.kind == collectives::Kind::kBroadcast) {
    turn_ = comm.broadcast_turn++;
    next_ = comm.rank() == operation.root ? 0 : operation.root;
    return advance(comm);
  }
  turn_ = comm.inline_turn++;
  next_ = 0;
  store(comm, &comm.mine().lines[turn_ & 1]);
  // A look that comes too early takes the line from the peer that is about to write it, and costs
  // both: 8 B on two near CPUs take 80 ns with a pause before the first look, 100 ns without.
  if (!comm.crowded()) cpu_relax();
  return advance(comm);
}

Progress InlineExecution::advance(Communicator& comm) {
  if (operation_->kind == collectives::Kind::kBroadcast) {
    return comm.rank() == operation_->root ? send(comm) : receive(comm);
  }
  for (; next_ < comm.nranks(); ++next_) {
    if (next_ == comm.rank()) continue;
    const Progress progress = poll(comm, comm.area(next_).lines[turn_ & 1]);
    if (progress != Progress::kDone) return progress;
  }
  finish(comm);
  return Progress::kDone;
}

Progress InlineExecution::poll(const Communicator& comm, const shm::PayloadLine& line) const {
  const int polls = comm.crowded() ? 1 : kEagerPolls;
  for (int i = 0;; ++i) {
    const uint64_t seen = line.signature.load(std::memory_order_acquire);  // pairs with store()
    if (seen == signature_) return Progress::kDone;
    if ((seen ^ signature_) >> 32 == 0) return Progress::kFailed;  // same turn, other operation
    if (i >= polls) return Progress::kBlocked;
    cpu_relax();
  }
}

void InlineExecution::store(Communicator& comm, shm::PayloadLine* line) {
  const size_t element = type_size(operation_->type);
  std::byte* to = line->payload;
  for_each_extent(*operation_, [&](const Extent& extent) {
    if (extent.count == 0) return;
    comm.compute().copy(to, extent.input, extent.count * element, reduce::Store::kCached);
    to += extent.count * element;
  });
  comm.stats.sent_bytes += operation_->bytes();
  // Pairs with the acquire in poll(): who sees the signature sees the payload.
  line->signature.store(signature_, std::memory_order_release);
  ring_doorbells_if_dozing(comm.segment());
}

// The root's part of a broadcast.
Progress InlineExecution::send(Communicator& comm) {
  if (turn_ >= shm::kBroadcastLines) {
    const uint64_t needed = turn_ - shm::kBroadcastLines + 1;
    for (; next_ < comm.nranks(); ++next_) {
      uint64_t& seen = comm.seen_broadcast_done[static_cast<size_t>(next_)];
      if (next_ == comm.rank() || seen >= needed) continue;
      // Pairs with the store in receive(): that rank has read the line.
      seen = comm.area(next_).flags.broadcast_done.load(std::memory_order_acquire);
      if (seen < needed) return Progress::kBlocked;
    }
  }
  shm::PayloadLine& line = comm.mine().broadcasts[turn_ % shm::kBroadcastLines];
  store(comm, &line);
  tell_read(comm);
  for_each_extent(*operation_, [&](const Extent& extent) {
    comm.compute().copy(extent.output, extent.input, extent.count * type_size(operation_->type),
                        reduce::Store::kCached);
  });
  return Progress::kDone;
}

Progress InlineExecution::receive(Communicator& comm) {
  const shm::RankArea& root = comm.area(operation_->root);
  const shm::PayloadLine& line = root.broadcasts[turn_ % shm::kBroadcastLines];
  const Progress progress = poll(comm, line);
  if (progress != Progress::kDone) return progress;
  // A root that is ahead has written the next line already.
  __builtin_prefetch(&root.broadcasts[(turn_ + 1) % shm::kBroadcastLines]);
  load(comm, line.payload);
  tell_read(comm);
  return Progress::kDone;
}

void InlineExecution::tell_read(Communicator& comm) {
  comm.mine().flags.broadcast_done.store(turn_ + 1,
                                         std::memory_order_release);  // pairs with send()
  ring_doorbells_if_dozing(comm.segment());
}

// From a line to the results.
void InlineExecution::load(Communicator& comm, const std::byte* from) {
  const size_t element = type_size(operation_->type);
  for_each_extent(*operation_, [&](const Extent& extent) {
    comm.compute().copy(extent.output, from, extent.count * element, reduce::Store::kCached);
    from += extent.count * element;
  });
}

void InlineExecution::finish(Communicator& comm) {
  // Everybody is in this turn, so nobody reads the other line: the next turn shall find it here.
  prefetch_for_write(&comm.mine().lines[~turn_ & 1]);
  if (operation_->count == 0) return;
  const size_t n = static_cast<size_t>(comm.nranks());
  constexpr size_t kFewRanks = 64;
  const void* few[kFewRanks];
  std::vector<const void*> many(n > kFewRanks ? n : 0);
  const void** sources = n > kFewRanks ? many.data() : few;

  reduce::Arguments arguments{};
  arguments.sources = sources;
  arguments.nsources = n;
  arguments.divisor = comm.nranks();
  const reduce::ReduceFn kernel = reduce::kernel(operation_->type, operation_->op);
  const size_t element = type_size(operation_->type);
  size_t offset = 0;
  for_each_extent(*operation_, [&](const Extent& extent) {
    for (size_t r = 0; r < n; ++r) {
      sources[r] = comm.area(static_cast<int>(r)).lines[turn_ & 1].payload + offset;
    }
    // Not the own line: a vector load right after its narrower store would stall.
    sources[comm.rank()] = extent.input;
    arguments.dst = extent.output;
    arguments.count = extent.count;
    comm.compute().reduce(kernel, arguments);
    offset += extent.count * element;
  });
}

}  // namespace goss::engine
