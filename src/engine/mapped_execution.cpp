// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include <algorithm>
#include <bit>
#include <chrono>

#include "engine/execution.h"
#include "engine/job.h"

namespace goss::engine {

using Code = Instruction::Code;
using shm::kCellBytes;
using shm::kCells;
using shm::kPhases;

namespace {

// Extents that are shorter than this on average are packed before they are reduced.
constexpr size_t kShortExtentBytes = 2048;
// Two chunks of a short operation overlap; short chunks cost more in flags and in copies that end
// before they are at full speed than they gain. A function of the size alone, as everything that
// changes messages must be.
constexpr size_t kWantedChunks = 2;
constexpr size_t kMostCellsPerChunk = 8;
// While data flows nobody waits, so faults and aborts are looked for every so many chunks.
constexpr uint64_t kInterruptEvery = 8;
// Every 64th cell measures how far away the peers' caches are.
constexpr uint64_t kProbeEvery = 64;
constexpr size_t kProbeBytes = 4096;
// Reading 64 lines that a peer has just written: 60-100 ns near, 350 ns and more far.
constexpr std::chrono::nanoseconds kFarProbe{220};

// Calls fn(extent, offset in extent, elements, offset in [first, first+count)) for what of the
// operation's buffers lies in [first, first + count).
template <class Fn>
void for_each_piece(const Operation& operation, size_t first, size_t count, Fn fn) {
  if (operation.nextents == 0) {
    fn(operation.buffer, first, count, size_t{0});
    return;
  }
  size_t begin = 0;
  size_t done = 0;
  for (size_t i = 0; i < operation.nextents && done < count; ++i) {
    const Extent& extent = operation.extents[i];
    const size_t end = begin + extent.count;
    const size_t at = first + done;
    if (at < end) {
      const size_t length = std::min(end - at, count - done);
      fn(extent, at - begin, length, done);
      done += length;
    }
    begin = end;
  }
}

}  // namespace

Progress MappedExecution::start(Communicator& comm, const Operation& operation,
                                const Program& program, uint64_t signature, bool direct) {
  operation_ = operation;
  program_ = &program;
  signature_ = signature;
  direct_ = direct;
  read_done_told_ = false;
  element_ = type_size(operation.type);
  kernel_ = reduce::kernel(operation.type, operation.op);
  scattered_ = operation.nextents > 1 && operation.bytes() / operation.nextents < kShortExtentBytes;
  output_store_ =
      operation.bytes() >= kStreamOutputBytes ? reduce::Store::kStream : reduce::Store::kCached;
  plan_chunks(comm);
  first_ticket_ = align_up(comm.ticket, cells_per_chunk_);
  comm.ticket = first_ticket_ + chunks_ * cells_per_chunk_;
  if (direct_) ++comm.direct_turn;

  const size_t n = static_cast<size_t>(comm.nranks());
  met_.assign(n, 0);
  sources_.resize(n);
  if (direct_) {
    peer_input_.assign(n, nullptr);
    peer_output_.assign(n, nullptr);
    peer_memory_.clear();
  }
  iteration_ = 0;
  stage_ = 0;
  stage_entered_ = false;
  waiting_for_ = -1;
  // The peers compare this before they use the first flag of this operation.
  comm.mine().flags.signature.store(signature, std::memory_order_release);
  return advance(comm);
}

void MappedExecution::plan_chunks(const Communicator& comm) {
  const size_t parts = static_cast<size_t>(program_->parts);
  const size_t wanted = std::max(kCellBytes, operation_.bytes() / kWantedChunks);
  cells_per_chunk_ = std::min(kMostCellsPerChunk, std::bit_floor(wanted / kCellBytes));
  part_stride_ = cells_per_chunk_ * kCellBytes / parts / kCacheLine * kCacheLine;
  const size_t most = part_stride_ / element_ * parts;
  const size_t unit = kCacheLine / element_ * parts;
  chunk_count_ = std::min(most, align_up(wanted / element_, unit));
  // The parts of a short operation lie close together: they need few pages.
  const size_t longest = std::min(chunk_count_, operation_.count);
  const collectives::Partition parts_of(longest, program_->parts, kCacheLine / element_);
  part_stride_ = align_up(parts_of.size(0) * element_, kCacheLine);
  chunks_ = (operation_.count + chunk_count_ - 1) / chunk_count_;
  // A rank must be able to finish a chunk before it needs that chunk's place in the ring again: it
  // is at most ring - 1 chunks ahead of itself. Where a wait may cost a context switch, half the
  // ring lies between two waits.
  const uint64_t ring = kCells / cells_per_chunk_;
  const uint64_t between = static_cast<uint64_t>(std::max(1, program_->nstages() - 1));
  const uint64_t most_lag = (ring - 1) / between;
  lag_ = comm.crowded() ? std::max<uint64_t>(1, (ring / 2 - 2) / between) : 2;
  lag_ = std::min(lag_, most_lag);
}

void MappedExecution::enter_chunk(uint64_t index) {
  chunk_.ticket = first_ticket_ + index * cells_per_chunk_;
  chunk_.first = static_cast<size_t>(index) * chunk_count_;
  chunk_.count = std::min(chunk_count_, operation_.count - chunk_.first);
  const size_t unit = std::max<size_t>(1, kCacheLine / element_);
  chunk_.parts = collectives::Partition(chunk_.count, program_->parts, unit);
  chunk_.cell = static_cast<size_t>(chunk_.ticket % kCells) * kCellBytes;
  probing_ = chunk_.ticket % kProbeEvery == 0;
}

MappedExecution::Span MappedExecution::parts_span(int first, int last) const {
  const size_t begin = chunk_.parts.begin(first);
  return {begin, chunk_.parts.begin(last) - begin};
}

std::byte* MappedExecution::cell(Communicator& comm, int rank, int part) const {
  return comm.segment().ring(rank) + chunk_.cell + static_cast<size_t>(part) * part_stride_;
}

Progress MappedExecution::advance(Communicator& comm) {
  const int stages = program_->nstages();
  const uint64_t iterations = chunks_ + lag_ * static_cast<uint64_t>(stages - 1);
  for (; iteration_ < iterations; ++iteration_, stage_ = 0) {
    if (iteration_ % kInterruptEvery == kInterruptEvery - 1 && comm.interrupted(&failure_)) {
      return Progress::kFailed;
    }
    for (; stage_ < stages; ++stage_) {
      const uint64_t behind = lag_ * static_cast<uint64_t>(stage_);
      if (iteration_ < behind || iteration_ - behind >= chunks_) continue;
      if (!stage_entered_) {
        enter_chunk(iteration_ - behind);
        pc_ = program_->stages[static_cast<size_t>(stage_)];
        stage_entered_ = true;
      }
      if (stage_ == 0 && pc_ == 0 && !ready(comm))
        return failure_.ok() ? Progress::kBlocked : Progress::kFailed;
      for (; pc_ < program_->stages[static_cast<size_t>(stage_) + 1]; ++pc_) {
        if (!execute(comm, program_->instructions[static_cast<size_t>(pc_)])) {
          return failure_.ok() ? Progress::kBlocked : Progress::kFailed;
        }
      }
      stage_entered_ = false;
      if (stage_ == stages - 1 && comm.nranks() > 1) {
        // A lone chunk is announced as read with the next operation, whose flag shares the line.
        comm.unpublished_done = chunk_.ticket + cells_per_chunk_;
        if (chunks_ > 1) {
          comm.mine().flags.done.store(comm.unpublished_done, std::memory_order_release);
          ring_doorbells_if_dozing(comm.segment());
        }
      }
    }
  }
  if (direct_ && !finish_direct(comm)) return Progress::kBlocked;
  // An owner that failed has gone on and may have changed what was read here. It raised its failure
  // before: whoever has read the changed bytes sees that.
  std::atomic_thread_fence(std::memory_order_acquire);
  if (!peer_memory_.empty() && comm.faults().any()) {
    fail(comm, goss::fail(gossRemoteError, "a rank failed while its memory was read"));
    return Progress::kFailed;
  }
  own_ = {};
  peer_memory_.clear();
  return Progress::kDone;
}

// The peers can map the memory that they shall read in place.
bool MappedExecution::announce(Communicator& comm) {
  for (const device::SharedMemoryPtr& memory : {own_.input, own_.output}) {
    if (memory == nullptr) continue;
    Result<int> full = comm.parts().job->announce(comm.parts().job_ranks, memory);
    if (!full.ok()) return fail(comm, full.take_status());
    waiting_for_ = full.value();
    if (waiting_for_ >= 0) return false;
  }
  return true;
}

// Before the first stage of a chunk: whoever read the cell's previous content has finished.
bool MappedExecution::ready(Communicator& comm) {
  if (direct_ && iteration_ == 0 && !announce(comm)) return false;
  const bool staged = own_.input == nullptr || own_.output == nullptr;
  if (!program_->publishes || !staged) return true;
  size_t bytes = part_stride_ * static_cast<size_t>(program_->parts);
  for (uint64_t i = 0; i < cells_per_chunk_ && bytes > 0; ++i) {
    const size_t index = (chunk_.ticket + i) % kCells;
    const size_t here = std::min(bytes, kCellBytes);
    bytes -= here;
    if (comm.cell_bytes[index] >= here) continue;
    Result<size_t> allocated = comm.segment().allocate_cell(comm.rank(), static_cast<int>(index),
                                                            comm.cell_bytes[index], here);
    if (!allocated.ok()) return fail(comm, allocated.take_status());
    comm.cell_bytes[index] = allocated.value();
  }
  if (chunk_.ticket < kCells) return true;
  const uint64_t needed = chunk_.ticket - kCells + cells_per_chunk_;
  for (int r = 0; r < comm.nranks(); ++r) {
    uint64_t& seen = comm.seen_done[static_cast<size_t>(r)];
    if (r == comm.rank() || seen >= needed) continue;
    seen = comm.area(r).flags.done.load(std::memory_order_acquire);  // pairs with done.store
    if (seen >= needed) continue;
    waiting_for_ = r;
    return false;
  }
  return true;
}

bool MappedExecution::execute(Communicator& comm, const Instruction& instruction) {
  switch (instruction.code) {
    case Code::kPublish: publish(comm, instruction); return true;
    case Code::kFlag:
      // Pairs with the acquire in wait(): the cell's content is complete.
      comm.mine().flags.phase[instruction.phase].store(chunk_.ticket + 1,
                                                       std::memory_order_release);
      ring_doorbells_if_dozing(comm.segment());
      return true;
    case Code::kWait: return wait(comm, instruction);
    case Code::kReduce: reduce(comm, instruction); return true;
    case Code::kCopyPeer:
    case Code::kCopyLocal: copy(comm, instruction); return true;
  }
  return true;
}

bool MappedExecution::wait(Communicator& comm, const Instruction& instruction) {
  const size_t peer = static_cast<size_t>(instruction.peer);
  uint64_t& seen = comm.seen_phase[peer * kPhases + instruction.phase];
  if (seen <= chunk_.ticket) {
    const std::atomic<uint64_t>& flag = comm.area(instruction.peer).flags.phase[instruction.phase];
    seen = flag.load(std::memory_order_acquire);  // pairs with the store of kFlag
    if (seen <= chunk_.ticket) {
      waiting_for_ = instruction.peer;
      return false;
    }
  }
  return met_[peer] != 0 || meet(comm, instruction.peer);
}

bool MappedExecution::meet(Communicator& comm, int peer) {
  Status difference;
  if (!comm.agrees(peer, signature_, &difference)) return fail(comm, difference);
  if (direct_) {
    const Communicator::Placement placement = comm.placement(peer, signature_);
    const auto locate = [&](uint64_t id, uint64_t offset, const std::byte** where) {
      if (id == 0) return true;
      Result<device::SharedMemoryPtr> memory = comm.parts().job->peer_memory(id);
      if (!memory.ok()) return fail(comm, memory.take_status());
      if (memory.value() == nullptr) {
        waiting_for_ = peer;
        return false;
      }
      if (offset > memory.value()->bytes() ||
          operation_.bytes() > memory.value()->bytes() - offset) {
        return fail(comm,
                    goss::fail(gossInternalError, "rank %d announced memory out of range", peer));
      }
      *where = memory.value()->data() + offset;
      peer_memory_.push_back(memory.take());
      return true;
    };
    const size_t index = static_cast<size_t>(peer);
    if (!locate(placement.input_id, placement.input_offset, &peer_input_[index]) ||
        !locate(placement.output_id, placement.output_offset, &peer_output_[index])) {
      return false;
    }
  }
  met_[static_cast<size_t>(peer)] = 1;
  return true;
}

void MappedExecution::publish(Communicator& comm, const Instruction& instruction) {
  if (instruction.from_output ? own_.output != nullptr : own_.input != nullptr) return;
  const reduce::Store store = store_for_peers(comm);
  for (int part = instruction.first; part < instruction.last; ++part) {
    const Span span = parts_span(part, part + 1);
    std::byte* to = cell(comm, comm.rank(), part);
    comm.stats.sent_bytes += span.count * element_;
    if (scattered_) {
      comm.compute().pack(to, operation_.extents, instruction.from_output,
                          chunk_.first + span.first, span.count, element_);
      continue;
    }
    for_each_piece(operation_, chunk_.first + span.first, span.count,
                   [&](const Extent& extent, size_t at, size_t length, size_t offset) {
                     const std::byte* from = instruction.from_output ? extent.output : extent.input;
                     comm.compute().copy(to + offset * element_, from + at * element_,
                                         length * element_, store);
                   });
  }
}

// Where part `part` of this chunk of `peer` can be read, from element `first` of the chunk on.
const std::byte* MappedExecution::published(Communicator& comm, int peer, int phase, int part,
                                            size_t first) const {
  if (direct_) {
    const bool output = program_->phase_is_output[phase];
    const std::byte* base = (output ? peer_output_ : peer_input_)[static_cast<size_t>(peer)];
    if (base != nullptr) return base + (chunk_.first + first) * element_;
  }
  return cell(comm, peer, part);
}

namespace {

// Pull in what a peer has just written, and tell whether that took long. The data is needed next
// anyway, so the measurement is nearly free.
bool looks_far(const std::byte* data) {
  const auto begin = std::chrono::steady_clock::now();
  for (size_t i = 0; i < kProbeBytes; i += kCacheLine) {
    asm volatile("" ::"r"(static_cast<const volatile std::byte*>(data)[i]) : "memory");
  }
  return std::chrono::steady_clock::now() - begin > kFarProbe;
}

}  // namespace

// How to write what peers read next. Chunks that measure the distance go through the caches.
reduce::Store MappedExecution::store_for_peers(const Communicator& comm) const {
  const bool measured = chunk_.ticket % kProbeEvery == 0;
  return comm.far && !measured ? reduce::Store::kStream : reduce::Store::kCached;
}

// The peer whose data a probing chunk times.
int MappedExecution::probed_peer(const Communicator& comm) const {
  const auto n = static_cast<uint64_t>(comm.nranks());
  const uint64_t distance = 1 + chunk_.ticket / kProbeEvery % (n - 1);
  return static_cast<int>((static_cast<uint64_t>(comm.rank()) + distance) % n);
}

// `data` is about to be read, and `peer` has just written it, if into a cell or as a result.
void MappedExecution::probe_distance(Communicator& comm, int peer, const void* data, size_t bytes) {
  if (!probing_ || bytes < kProbeBytes || peer != probed_peer(comm)) return;
  probing_ = false;
  comm.vote_far(looks_far(static_cast<const std::byte*>(data)));
}

void MappedExecution::reduce(Communicator& comm, const Instruction& instruction) {
  const bool keep = instruction.from_output && own_.output == nullptr;  // a copy for the peers
  for (int part = instruction.first; part < instruction.last; ++part) {
    const Span span = parts_span(part, part + 1);
    if (span.count == 0) continue;
    if (keep) comm.stats.sent_bytes += span.count * element_;
    std::byte* copy = keep ? cell(comm, comm.rank(), part) : nullptr;
    if (scattered_) {
      // One kernel for all extents instead of one for each.
      packed_.resize(2 * align_up(span.count * element_, kCacheLine));
      std::byte* output = packed_.data();
      const std::byte* input = cell(comm, comm.rank(), part);
      if (program_->parts > 1 || !program_->publishes) {  // the cell does not hold it
        std::byte* packed = packed_.data() + packed_.size() / 2;
        comm.compute().pack(packed, operation_.extents, false, chunk_.first + span.first,
                            span.count, element_);
        input = packed;
      }
      reduce_piece(comm, instruction, part, span, 0, span.count, input, output, copy);
      comm.compute().unpack(operation_.extents, chunk_.first + span.first, span.count, output,
                            element_);
      continue;
    }
    for_each_piece(operation_, chunk_.first + span.first, span.count,
                   [&](const Extent& extent, size_t at, size_t length, size_t offset) {
                     reduce_piece(comm, instruction, part, span, offset, length,
                                  extent.input + at * element_, extent.output + at * element_,
                                  copy == nullptr ? nullptr : copy + offset * element_);
                   });
  }
}

// `length` elements that begin `offset` elements into `span`.
void MappedExecution::reduce_piece(Communicator& comm, const Instruction& instruction, int part,
                                   Span span, size_t offset, size_t length, const std::byte* input,
                                   std::byte* output, std::byte* copy) {
  const size_t n = static_cast<size_t>(instruction.source_end - instruction.source_begin);
  const Program::SourceRef* refs =
      &program_->sources[static_cast<size_t>(instruction.source_begin)];
  for (size_t i = 0; i < n; ++i) {
    sources_[i] =
        refs[i].phase < 0
            ? input
            : published(comm, refs[i].rank, refs[i].phase, part, span.first) + offset * element_;
  }
  for (size_t i = 0; probing_ && i < n; ++i) {
    const int peer = refs[i].rank;
    const bool staged = !direct_ || peer_input_[static_cast<size_t>(peer)] == nullptr;
    if (refs[i].phase >= 0 && staged) probe_distance(comm, peer, sources_[i], length * element_);
  }
  reduce::Arguments arguments{};
  arguments.dst = output;
  arguments.dst2 = copy;
  arguments.sources = sources_.data();
  arguments.nsources = n;
  arguments.count = length;
  arguments.divisor = comm.nranks();
  const reduce::Store for_peers = store_for_peers(comm);
  // What peers read next is written as suits them, be it in the cell or in shared memory.
  arguments.store = instruction.from_output && own_.output != nullptr ? for_peers : output_store_;
  arguments.store2 = for_peers;
  comm.compute().reduce(kernel_, arguments);
}

void MappedExecution::copy(Communicator& comm, const Instruction& instruction) {
  for (int part = instruction.first; part < instruction.last; ++part) {
    const Span span = parts_span(part, part + 1);
    if (span.count == 0) continue;
    if (scattered_ && instruction.code == Code::kCopyPeer) {
      comm.compute().unpack(operation_.extents, chunk_.first + span.first, span.count,
                            published(comm, instruction.peer, instruction.phase, part, span.first),
                            element_);
      continue;
    }
    for_each_piece(operation_, chunk_.first + span.first, span.count,
                   [&](const Extent& extent, size_t at, size_t length, size_t offset) {
                     const std::byte* from = instruction.code == Code::kCopyLocal
                                                 ? extent.input + at * element_
                                                 : published(comm, instruction.peer,
                                                             instruction.phase, part, span.first) +
                                                       offset * element_;
                     if (direct_ && instruction.code == Code::kCopyPeer) {
                       probe_distance(comm, instruction.peer, from, length * element_);
                     }
                     comm.compute().copy(extent.output + at * element_, from, length * element_,
                                         output_store_);
                   });
  }
}

// Peers may read this rank's memory in place until they say that they have finished.
bool MappedExecution::finish_direct(Communicator& comm) {
  if (!read_done_told_) {
    comm.mine().flags.direct_done.store(comm.direct_turn, std::memory_order_release);
    ring_doorbells_if_dozing(comm.segment());
    read_done_told_ = true;
  }
  if (own_.input == nullptr && own_.output == nullptr) return true;
  for (int r = 0; r < comm.nranks(); ++r) {
    if (r == comm.rank()) continue;
    // Pairs with the store above on the other rank: its reads are over.
    if (comm.area(r).flags.direct_done.load(std::memory_order_acquire) < comm.direct_turn) {
      waiting_for_ = r;
      return false;
    }
  }
  return true;
}

bool MappedExecution::fail(Communicator& comm, Status failure) {
  comm.faults().raise(failure);
  failure_ = comm.faults().status();
  return false;
}

}  // namespace goss::engine
