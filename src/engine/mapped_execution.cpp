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
                                const Program& program, uint64_t signature) {
  operation_ = operation;
  program_ = &program;
  signature_ = signature;
  element_ = type_size(operation.type);
  kernel_ = reduce::kernel(operation.type, operation.op);
  scattered_ = operation.nextents > 1 && operation.bytes() / operation.nextents < kShortExtentBytes;
  output_store_ =
      operation.bytes() >= kStreamOutputBytes ? reduce::Store::kStream : reduce::Store::kCached;
  plan_chunks(comm);
  first_ticket_ = align_up(comm.ticket, cells_per_chunk_);
  comm.ticket = first_ticket_ + chunks_ * cells_per_chunk_;
  if (direct_.active()) ++comm.direct_turn;

  const size_t n = static_cast<size_t>(comm.nranks());
  met_.assign(n, 0);
  sources_.resize(n);
  if (direct_.active()) direct_.start(comm);
  gathering_ = direct_.active() && direct_.own().input != nullptr && direct_.own().writable;
  std::fill(std::begin(raised_), std::end(raised_), 0);
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
  if (gathering_ && !gather(comm)) return failure_.ok() ? Progress::kBlocked : Progress::kFailed;
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
  if (direct_.active() && !end_direct(comm)) {
    return failure_.ok() ? Progress::kBlocked : Progress::kFailed;
  }
  return Progress::kDone;
}

bool MappedExecution::end_direct(Communicator& comm) {
  waiting_for_ = direct_.finish(comm);
  if (waiting_for_ >= 0) return false;
  // An owner that failed has gone on and may have changed what was read here. It raised its failure
  // before: whoever has read the changed bytes sees that.
  std::atomic_thread_fence(std::memory_order_acquire);
  if (direct_.read_others() && comm.faults().any()) {
    return fail(comm, goss::fail(gossRemoteError, "a rank failed while its memory was read"));
  }
  direct_.release();
  return true;
}

// All buffers of this rank are in place. If those of the others are too, nobody waits for cells and
// nobody needs to keep pace with the others: every rank makes all its results, then waits once.
bool MappedExecution::gather(Communicator& comm) {
  if (!announce(comm)) return false;
  enter_chunk(0);
  int phase = 0;
  for (const Instruction& instruction : program_->instructions) {
    if (instruction.code != Code::kFlag || program_->phase_is_output[instruction.phase]) continue;
    phase = instruction.phase;
    raise(comm, phase);
  }
  bool all = true;
  for (int r = 0; r < comm.nranks(); ++r) {
    if (r == comm.rank()) continue;
    Instruction published{Code::kWait};
    published.phase = static_cast<uint8_t>(phase);
    published.peer = r;
    if (!wait(comm, published)) return false;
    all &= direct_.input(r) != nullptr && direct_.target(r) != nullptr;
  }
  if (all) lag_ = chunks_;
  gathering_ = false;
  return true;
}

// The peers can map the memory that they shall use.
bool MappedExecution::announce(Communicator& comm) {
  Result<int> full = direct_.announce(comm);
  if (!full.ok()) return fail(comm, full.take_status());
  waiting_for_ = full.value();
  return waiting_for_ < 0;
}

// This chunk is published in `phase`; the whole operation where it lies in place from the start.
void MappedExecution::raise(Communicator& comm, int phase) {
  const bool in_place = direct_.own().input != nullptr && !program_->phase_is_output[phase];
  const uint64_t chunks = in_place ? chunks_ : chunk_index() + 1;
  const uint64_t published = first_ticket_ + chunks * cells_per_chunk_;
  if (published <= raised_[phase]) return;
  raised_[phase] = published;
  // Pairs with the acquire in wait(): what is published is complete.
  comm.mine().flags.phase[phase].store(published, std::memory_order_release);
  ring_doorbells_if_dozing(comm.segment());
}

// Before the first stage of a chunk: whoever read the cell's previous content has finished.
bool MappedExecution::ready(Communicator& comm) {
  const OwnBuffers& own = direct_.own();
  if (iteration_ == 0 && !announce(comm)) return false;
  const bool staged = own.input == nullptr || own.output == nullptr;
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
    case Code::kFlag: raise(comm, instruction.phase); return true;
    case Code::kWait: return wait(comm, instruction);
    case Code::kReduce: return reduce(comm, instruction);
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
  if (direct_.active()) {
    Result<bool> met = direct_.meet(comm, peer, signature_, operation_.bytes());
    if (!met.ok()) return fail(comm, met.take_status());
    if (!met.value()) {
      waiting_for_ = peer;
      return false;
    }
  }
  met_[static_cast<size_t>(peer)] = 1;
  return true;
}

void MappedExecution::publish(Communicator& comm, const Instruction& instruction) {
  const OwnBuffers& own = direct_.own();
  if (instruction.from_output ? own.output != nullptr : own.input != nullptr) return;
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
  if (direct_.active()) {
    const std::byte* base =
        program_->phase_is_output[phase] ? direct_.output(peer) : direct_.input(peer);
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

// How to store results in the peers' own buffers.
reduce::Store MappedExecution::store_for_targets(const Communicator& comm) const {
  const bool measured = chunk_.ticket % kProbeEvery == 0;
  return output_store_ == reduce::Store::kStream && !measured ? output_store_
                                                              : store_for_peers(comm);
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

bool MappedExecution::reduce(Communicator& comm, const Instruction& instruction) {
  if (instruction.from_output && direct_.active()) {
    const DirectMemory::Writing writing(comm);
    if (!writing.allowed()) return fail(comm, comm.faults().status());
    reduce_parts(comm, instruction);
  } else {
    reduce_parts(comm, instruction);
  }
  return true;
}

void MappedExecution::reduce_parts(Communicator& comm, const Instruction& instruction) {
  // A copy for the peers that do not get the result where they want it.
  const bool keep = instruction.from_output && direct_.own().output == nullptr &&
                    (!direct_.active() || direct_.anybody_reads_results());
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
    const bool staged = !direct_.active() || direct_.input(peer) == nullptr;
    if (refs[i].phase >= 0 && staged) probe_distance(comm, peer, sources_[i], length * element_);
  }
  targets_.clear();
  if (copy != nullptr) targets_.push_back(copy);
  for (int r = 0; instruction.from_output && direct_.active() && r < comm.nranks(); ++r) {
    if (r == comm.rank() || direct_.target(r) == nullptr) continue;
    targets_.push_back(direct_.target(r) + (chunk_.first + span.first + offset) * element_);
    comm.stats.sent_bytes += length * element_;
  }
  reduce::Arguments arguments{};
  arguments.dst = output;
  arguments.sources = sources_.data();
  arguments.nsources = n;
  arguments.count = length;
  arguments.divisor = comm.nranks();
  // What peers read next is written as suits them, be it in the cell or in shared memory.
  const reduce::Store for_peers = store_for_peers(comm);
  const bool read_here = instruction.from_output && direct_.own().output != nullptr;
  arguments.store = read_here && targets_.empty() ? for_peers : output_store_;
  arguments.store2 = copy != nullptr ? for_peers : store_for_targets(comm);
  if (targets_.size() <= 1) {
    arguments.dst2 = targets_.empty() ? nullptr : targets_.front();
    comm.compute().reduce(kernel_, arguments);
  } else {
    reduce_to_all(comm, arguments);
  }
}

// Pieces that stay in a near cache while the results beyond the second are copied from the first;
// not shorter, because every streaming copy ends with a fence.
void MappedExecution::reduce_to_all(Communicator& comm, reduce::Arguments arguments) {
  constexpr size_t kPieceBytes = 32768;
  const size_t piece = kPieceBytes / element_;
  auto* output = static_cast<std::byte*>(arguments.dst);
  const size_t count = arguments.count;
  arguments.store = reduce::Store::kCached;
  for (size_t at = 0; at < count; at += piece) {
    arguments.count = std::min(piece, count - at);
    const size_t bytes = arguments.count * element_;
    arguments.dst = output + at * element_;
    arguments.dst2 = targets_.front() + at * element_;
    comm.compute().reduce(kernel_, arguments);
    for (size_t i = 1; i < targets_.size(); ++i) {
      comm.compute().copy(targets_[i] + at * element_, arguments.dst, bytes,
                          store_for_targets(comm));
    }
    for (const void*& source : sources_) source = static_cast<const std::byte*>(source) + bytes;
  }
}

void MappedExecution::copy(Communicator& comm, const Instruction& instruction) {
  for (int part = instruction.first; part < instruction.last; ++part) {
    const Span span = parts_span(part, part + 1);
    if (span.count == 0) continue;
    if (instruction.code == Code::kCopyPeer && direct_.own().writable) {
      // The peer has stored its result there.
      const size_t at = (chunk_.first + span.first) * element_;
      probe_distance(comm, instruction.peer, operation_.buffer.output + at, span.count * element_);
      continue;
    }
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
                     if (direct_.active() && instruction.code == Code::kCopyPeer) {
                       probe_distance(comm, instruction.peer, from, length * element_);
                     }
                     comm.compute().copy(extent.output + at * element_, from, length * element_,
                                         output_store_);
                   });
  }
}

bool MappedExecution::fail(Communicator& comm, Status failure) {
  comm.faults().raise(failure);
  failure_ = comm.faults().status();
  return false;
}

}  // namespace goss::engine
