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
}  // namespace

Progress MappedExecution::start(Communicator& comm, const Operation& operation,
                                const Program& program, uint64_t signature) {
  operation_ = operation;
  program_ = &program;
  signature_ = signature;
  element_ = type_size(operation.type);
  kernel_ = reduce::kernel(operation.type, operation.op);
  scattered_ = operation.nextents > 1 && operation.bytes() / operation.nextents < kShortExtentBytes;
  const size_t blocks = program.output_blocks ? static_cast<size_t>(comm.nranks()) : 1;
  output_store_ = operation.bytes() * blocks >= kStreamOutputBytes ? reduce::Store::kStream
                                                                   : reduce::Store::kCached;
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
  // The elements of a chunk are divided into so many parts, and there are so many of these.
  const size_t divisor = static_cast<size_t>(program_->divisor());
  const size_t blocks = parts / divisor;
  const size_t wanted = std::max(kCellBytes, operation_.bytes() * blocks / kWantedChunks);
  cells_per_chunk_ = std::min(kMostCellsPerChunk, std::bit_floor(wanted / kCellBytes));
  part_stride_ = cells_per_chunk_ * kCellBytes / parts / kCacheLine * kCacheLine;
  const size_t line = kCacheLine / element_;
  chunk_count_ = std::min(part_stride_ / element_ * divisor,
                          align_up(wanted / blocks / element_, line * divisor));
  // The parts of a short operation lie close together: they need few pages.
  const size_t longest = std::min(chunk_count_, operation_.count);
  const collectives::Partition parts_of(longest, program_->divisor(), line);
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
  chunk_.parts = collectives::Partition(chunk_.count, program_->divisor(), unit);
  chunk_.cell = static_cast<size_t>(chunk_.ticket % kCells) * kCellBytes;
  probing_ = measured();
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
    if (instruction.code != Code::kFlag ||
        program_->phase_place[instruction.phase] != collectives::Place::kInput) {
      continue;
    }
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
  const bool in_place =
      direct_.own().input != nullptr && program_->phase_place[phase] == collectives::Place::kInput;
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
  const bool staged = own.input == nullptr || program_->publishes_scratch ||
                      (program_->publishes_results && own.output == nullptr);
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
    comm.stats.staging_bytes += allocated.value() - comm.cell_bytes[index];
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
    Result<bool> met = direct_.meet(comm, peer, signature_);
    if (!met.ok()) return fail(comm, met.take_status());
    if (!met.value()) {
      waiting_for_ = peer;
      return false;
    }
  }
  met_[static_cast<size_t>(peer)] = 1;
  return true;
}

bool MappedExecution::fail(Communicator& comm, Status failure) {
  comm.faults().raise(failure);
  failure_ = comm.faults().status();
  return false;
}

}  // namespace goss::engine
