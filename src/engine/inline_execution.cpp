// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "engine/execution.h"

namespace goss::engine {

using collectives::Kind;

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

// What this rank shows to the others, in one place.
void gather(Communicator& comm, const Operation& operation, std::byte* to) {
  if (operation.nextents > 0) {
    comm.compute().pack(to, operation.extents, false, 0, operation.count,
                        type_size(operation.type));
    return;
  }
  const bool scatters = operation.kind == Kind::kScatter;
  if (operation.count == 0 || (scatters && comm.rank() != operation.root)) return;
  const bool blocks = facts(operation.kind).input == collectives::Layout::kBlocks;
  comm.compute().copy(to, operation.buffer.input,
                      operation.bytes() * (blocks ? static_cast<size_t>(comm.nranks()) : 1),
                      reduce::Store::kCached);
}

// A vector from one place to the caller's output.

void scatter(Communicator& comm, const Operation& operation, const std::byte* from) {
  const size_t element = type_size(operation.type);
  if (operation.nextents > 0) {
    comm.compute().unpack(operation.extents, 0, operation.count, from, element);
  } else {
    comm.compute().copy(operation.buffer.output, from, operation.count * element,
                        reduce::Store::kCached);
  }
}

}  // namespace

Progress InlineExecution::start(Communicator& comm, const Operation& operation,
                                uint64_t signature) {
  operation_ = &operation;
  signature_ = signature;
  if (operation.kind == Kind::kBroadcast) {
    turn_ = comm.broadcast_turn++;
    next_ = comm.rank() == operation.root ? 0 : operation.root;
    return advance(comm);
  }
  turn_ = comm.inline_turn++;
  next_ = 0;
  store(comm, &comm.mine().inlines[turn_ & 1]);
  // A look that comes too early takes the line from the peer that is about to write it, and costs
  // both: 8 B on two near CPUs take 80 ns with a pause before the first look, 100 ns without.
  if (!comm.crowded()) cpu_relax();
  return advance(comm);
}

Progress InlineExecution::advance(Communicator& comm) {
  if (operation_->kind == Kind::kBroadcast) {
    return comm.rank() == operation_->root ? send(comm) : receive(comm);
  }
  for (; next_ < comm.nranks(); ++next_) {
    if (next_ == comm.rank()) continue;
    const Progress progress = poll(comm, next_, comm.area(next_).inlines[turn_ & 1].signature);
    if (progress != Progress::kDone) return progress;
  }
  finish(comm);
  return Progress::kDone;
}

Progress InlineExecution::poll(Communicator& comm, int peer,
                               const std::atomic<uint64_t>& flag) const {
  const int polls = comm.crowded() ? 1 : kEagerPolls;
  for (int i = 0;; ++i) {
    const uint64_t seen = flag.load(std::memory_order_acquire);  // pairs with store()
    if (seen == signature_) return Progress::kDone;
    // Same number, other operation.
    if ((seen ^ signature_) >> 32 == 0 && comm.contradicts(peer, signature_)) {
      return Progress::kFailed;
    }
    if (i >= polls) return Progress::kBlocked;
    cpu_relax();
  }
}

template <size_t kBytes>
void InlineExecution::store(Communicator& comm, shm::Payload<kBytes>* place) {
  gather(comm, *operation_, place->payload);
  comm.stats.sent_bytes += operation_->bytes();
  // Pairs with the acquire in poll(): who sees the signature sees the payload.
  place->signature.store(signature_, std::memory_order_release);
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
  scatter(comm, *operation_, line.payload);
  return Progress::kDone;
}

Progress InlineExecution::receive(Communicator& comm) {
  const shm::RankArea& root = comm.area(operation_->root);
  const shm::PayloadLine& line = root.broadcasts[turn_ % shm::kBroadcastLines];
  const Progress progress = poll(comm, operation_->root, line.signature);
  if (progress != Progress::kDone) return progress;
  // A root that is ahead has written the next line already.
  __builtin_prefetch(&root.broadcasts[(turn_ + 1) % shm::kBroadcastLines]);
  scatter(comm, *operation_, line.payload);
  tell_read(comm);
  return Progress::kDone;
}

void InlineExecution::tell_read(Communicator& comm) {
  comm.mine().flags.broadcast_done.store(turn_ + 1,
                                         std::memory_order_release);  // pairs with send()
  ring_doorbells_if_dozing(comm.segment());
}

// Everybody is in this turn: what they show can be read.
void InlineExecution::finish(Communicator& comm) {
  // So nobody reads the other payload: the next turn shall find it here.
  prefetch_for_write(&comm.mine().inlines[~turn_ & 1]);
  if (operation_->count == 0) return;
  const bool is_root = comm.rank() == operation_->root;
  switch (operation_->kind) {
    case Kind::kBarrier:
    case Kind::kBroadcast: return;  // has lines of its own
    case Kind::kReduce:
      if (!is_root) return;
      return reduce(comm, 0);
    case Kind::kAllReduce: return reduce(comm, 0);
    case Kind::kReduceScatter: return reduce(comm, comm.rank());
    case Kind::kGather:
      if (!is_root) return;
      return collect(comm, 0);
    case Kind::kAllGather: return collect(comm, 0);
    case Kind::kAllToAll: return collect(comm, comm.rank());
    case Kind::kScatter:
      return scatter(comm, *operation_, shown(comm, operation_->root) + block_bytes(comm.rank()));
  }
}

const std::byte* InlineExecution::shown(Communicator& comm, int rank) const {
  return comm.area(rank).inlines[turn_ & 1].payload;
}

size_t InlineExecution::block_bytes(int blocks) const {
  return static_cast<size_t>(blocks) * operation_->bytes();
}

// Output = block `block` of what every rank shows, reduced in rank order.
void InlineExecution::reduce(Communicator& comm, int block) {
  const size_t n = static_cast<size_t>(comm.nranks());
  constexpr size_t kFewRanks = 64;
  const void* few[kFewRanks];
  std::vector<const void*> many(n > kFewRanks ? n : 0);
  const void** sources = n > kFewRanks ? many.data() : few;
  for (size_t r = 0; r < n; ++r) {
    sources[r] = shown(comm, static_cast<int>(r)) + block_bytes(block);
  }
  reduce::Arguments arguments{};
  arguments.sources = sources;
  arguments.nsources = n;
  arguments.count = operation_->count;
  arguments.divisor = comm.nranks();
  const reduce::ReduceFn kernel = reduce::kernel(operation_->type, operation_->op);
  if (operation_->nextents == 0) {
    // Not from the own line: a vector load right after its narrower store would stall.
    sources[comm.rank()] = operation_->buffer.input + block_bytes(block);
    arguments.dst = operation_->buffer.output;
    comm.compute().reduce(kernel, arguments);
    return;
  }
  alignas(kCacheLine) std::byte result[shm::kInlineBytes];
  arguments.dst = result;
  comm.compute().reduce(kernel, arguments);
  scatter(comm, *operation_, result);
}

// Block r of the output = block `block` of what rank r shows.
void InlineExecution::collect(Communicator& comm, int block) {
  for (int r = 0; r < comm.nranks(); ++r) {
    comm.compute().copy(operation_->buffer.output + block_bytes(r),
                        shown(comm, r) + block_bytes(block), operation_->bytes(),
                        reduce::Store::kCached);
  }
}

}  // namespace goss::engine
