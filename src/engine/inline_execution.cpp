// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "engine/execution.h"

namespace goss::engine {

namespace {
// Polls before the caller is asked to wait properly: a peer that is just storing its line.
constexpr int kEagerPolls = 200;
}  // namespace

Progress InlineExecution::start(Communicator& comm, const Operation& operation,
                                uint64_t signature) {
  operation_ = &operation;
  signature_ = signature;
  line_ = static_cast<unsigned>(comm.inline_turn++ & 1);
  next_ = 0;
  shm::InlineLine& line = comm.mine().lines[line_];
  const size_t element = type_size(operation.type);
  if (operation.nextents == 0) {
    const size_t bytes = operation.count * element;
    if (bytes != 0) {
      comm.compute().copy(line.payload, operation.buffer.input, bytes, reduce::Store::kCached);
    }
  } else {
    std::byte* to = line.payload;
    for (size_t i = 0; i < operation.nextents; ++i) {
      const Extent& extent = operation.extents[i];
      comm.compute().copy(to, extent.input, extent.count * element, reduce::Store::kCached);
      to += extent.count * element;
    }
  }
  comm.stats.sent_bytes += operation.bytes();
  // Pairs with the acquire in advance(): who sees the signature sees the payload.
  line.signature.store(signature, std::memory_order_release);
  ring_doorbells_if_dozing(comm.segment());
  // A look that comes too early takes the line from the peer that is about to write it, and costs
  // both: 8 B on two near CPUs take 80 ns with a pause before the first look, 100 ns without.
  if (!comm.crowded()) cpu_relax();
  return advance(comm);
}

Progress InlineExecution::advance(Communicator& comm) {
  const int polls = comm.crowded() ? 1 : kEagerPolls;
  for (; next_ < comm.nranks(); ++next_) {
    if (next_ == comm.rank()) continue;
    const std::atomic<uint64_t>& theirs = comm.area(next_).lines[line_].signature;
    for (int i = 0;; ++i) {
      const uint64_t seen = theirs.load(std::memory_order_acquire);  // pairs with start()
      if (seen == signature_) break;
      if ((seen ^ signature_) >> 32 == 0) return Progress::kFailed;  // same turn, other operation
      if (i >= polls) return Progress::kBlocked;
      cpu_relax();
    }
  }
  finish(comm);
  return Progress::kDone;
}

namespace {

// Ask for a line in order to write it, without waiting for it.
void prefetch_for_write(const void* line) {
#if defined(__x86_64__)
  asm volatile("prefetchw %0" ::"m"(*static_cast<const char*>(line)));
#else
  __builtin_prefetch(line, 1);
#endif
}

}  // namespace

void InlineExecution::finish(Communicator& comm) {
  // Everybody is in this turn, so nobody reads the other line: the next turn shall find it here.
  prefetch_for_write(&comm.mine().lines[line_ ^ 1]);
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
  const size_t pieces = operation_->nextents == 0 ? 1 : operation_->nextents;
  for (size_t i = 0; i < pieces; ++i) {
    const Extent& extent = operation_->nextents == 0 ? operation_->buffer : operation_->extents[i];
    for (size_t r = 0; r < n; ++r) {
      sources[r] = comm.area(static_cast<int>(r)).lines[line_].payload + offset;
    }
    // Not the own line: a vector load right after its narrower store would stall.
    sources[comm.rank()] = extent.input;
    arguments.dst = extent.output;
    arguments.count = extent.count;
    comm.compute().reduce(kernel, arguments);
    offset += extent.count * element;
  }
}

}  // namespace goss::engine
