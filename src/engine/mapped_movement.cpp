// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// The instructions of MappedExecution that touch data: where the parts of a chunk lie, in the
// caller's buffers, in cells and in memory of peers, and how they are stored.
#include <algorithm>
#include <chrono>

#include "engine/execution.h"

namespace goss::engine {

using Code = Instruction::Code;

namespace {

// Every 64th cell measures how far away the peers' caches are.
constexpr uint64_t kProbeEvery = 64;
constexpr size_t kProbeBytes = 4096;
// Reading 64 lines that a peer has just written: 60-100 ns near, 350 ns and more far.
constexpr std::chrono::nanoseconds kFarProbe{220};

// Pull in what a peer has just written, and tell whether that took long. The data is needed next
// anyway, so the measurement is nearly free.
bool looks_far(const std::byte* data) {
  const auto begin = std::chrono::steady_clock::now();
  for (size_t i = 0; i < kProbeBytes; i += kCacheLine) {
    asm volatile("" ::"r"(static_cast<const volatile std::byte*>(data)[i]) : "memory");
  }
  return std::chrono::steady_clock::now() - begin > kFarProbe;
}

// Buffers that are not used may be null.
template <class Byte>
Byte* advanced(Byte* base, size_t bytes) {
  return base == nullptr ? nullptr : base + bytes;
}

}  // namespace

// ---- where

MappedExecution::Span MappedExecution::part_span(int part) const {
  if (!program_->vectors()) return {0, chunk_.count};
  return {chunk_.parts.begin(part), chunk_.parts.size(part)};
}

// Bytes from the beginning of a buffer to element `first` of this chunk, in its block `part`.
size_t MappedExecution::offset_of(bool blocks, int part, size_t first) const {
  const size_t before = blocks ? static_cast<size_t>(part) * operation_.count : 0;
  return (before + chunk_.first + first) * element_;
}

std::byte* MappedExecution::cell(Communicator& comm, int rank, int part) const {
  return comm.segment().ring(rank) + chunk_.cell + static_cast<size_t>(part) * part_stride_;
}

// Where part `part` of this chunk of `peer` can be read; `first`: its first element in the chunk.
const std::byte* MappedExecution::published(Communicator& comm, int peer, int phase, int part,
                                            size_t first) const {
  const collectives::Place place = program_->phase_place[phase];
  if (direct_.active() && place != collectives::Place::kScratch) {
    const bool output = place == collectives::Place::kOutput;
    const std::byte* base = output ? direct_.output(peer) : direct_.input(peer);
    const bool blocks = output ? program_->output_blocks : program_->input_blocks;
    if (base != nullptr) return base + offset_of(blocks, part, first);
  }
  return cell(comm, peer, part);
}

// Calls fn(input, output, elements, offset in span) for the stretches of the caller's buffers that
// hold `span` of this chunk, in part `input_part` of the input and `output_part` of the output.
template <class Fn>
void MappedExecution::for_each_piece(int input_part, int output_part, Span span, Fn fn) const {
  if (operation_.nextents == 0) {
    const size_t from = offset_of(program_->input_blocks, input_part, span.first);
    const size_t to = offset_of(program_->output_blocks, output_part, span.first);
    fn(advanced(operation_.buffer.input, from), advanced(operation_.buffer.output, to), span.count,
       size_t{0});
    return;
  }
  const size_t first = chunk_.first + span.first;  // aggregated operations are of vectors
  size_t begin = 0;
  size_t done = 0;
  for (size_t i = 0; i < operation_.nextents && done < span.count; ++i) {
    const Extent& extent = operation_.extents[i];
    const size_t end = begin + extent.count;
    const size_t at = first + done;
    if (at < end) {
      const size_t length = std::min(end - at, span.count - done);
      const size_t bytes = (at - begin) * element_;
      fn(extent.input + bytes, extent.output + bytes, length, done);
      done += length;
    }
    begin = end;
  }
}

// ---- how it is stored

bool MappedExecution::measured() const { return chunk_.ticket % kProbeEvery == 0; }

// How to write what peers read next. Chunks that measure the distance go through the caches.
reduce::Store MappedExecution::store_for_peers(const Communicator& comm) const {
  return comm.far && !measured() ? reduce::Store::kStream : reduce::Store::kCached;
}

// How to store results in the peers' own buffers.
reduce::Store MappedExecution::store_for_targets(const Communicator& comm) const {
  return output_store_ == reduce::Store::kStream && !measured() ? output_store_
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

// ---- instructions

void MappedExecution::publish(Communicator& comm, const Instruction& instruction) {
  const OwnBuffers& own = direct_.own();
  if (instruction.from_output ? own.output != nullptr : own.input != nullptr) return;
  const reduce::Store store = store_for_peers(comm);
  for (int part = instruction.first; part < instruction.last; ++part) {
    const Span span = part_span(part);
    std::byte* to = cell(comm, comm.rank(), part);
    comm.stats.sent_bytes += span.count * element_;
    if (scattered_) {
      comm.compute().pack(to, operation_.extents, instruction.from_output,
                          chunk_.first + span.first, span.count, element_);
      continue;
    }
    for_each_piece(
        part, part, span,
        [&](const std::byte* input, const std::byte* output, size_t length, size_t offset) {
          comm.compute().copy(to + offset * element_, instruction.from_output ? output : input,
                              length * element_, store);
        });
  }
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
  const bool keep =
      !instruction.to_output || (instruction.from_output && direct_.own().output == nullptr &&
                                 (!direct_.active() || direct_.anybody_reads_results()));
  for (int part = instruction.first; part < instruction.last; ++part) {
    const Span span = part_span(part);
    if (span.count == 0) continue;
    if (keep) comm.stats.sent_bytes += span.count * element_;
    std::byte* kept = keep ? cell(comm, comm.rank(), part) : nullptr;
    if (scattered_) {
      reduce_scattered(comm, instruction, part, kept);
      continue;
    }
    const int input_part = instruction.source_part + part - instruction.first;
    for_each_piece(input_part, part, span,
                   [&](const std::byte* input, std::byte* output, size_t length, size_t offset) {
                     std::byte* here = advanced(kept, offset * element_);
                     const Piece piece{part,
                                       span.first,
                                       offset,
                                       length,
                                       input,
                                       instruction.to_output ? output : here,
                                       instruction.to_output ? here : nullptr};
                     reduce_piece(comm, instruction, piece);
                   });
  }
}

// One kernel for all extents instead of one for each.
void MappedExecution::reduce_scattered(Communicator& comm, const Instruction& instruction, int part,
                                       std::byte* kept) {
  const Span span = part_span(part);
  packed_.resize(2 * align_up(span.count * element_, kCacheLine));
  std::byte* output = packed_.data();
  const std::byte* input = cell(comm, comm.rank(), part);
  if (program_->parts > 1 || !program_->publishes) {  // the cell does not hold it
    std::byte* packed = packed_.data() + packed_.size() / 2;
    comm.compute().pack(packed, operation_.extents, false, chunk_.first + span.first, span.count,
                        element_);
    input = packed;
  }
  reduce_piece(comm, instruction, {part, span.first, 0, span.count, input, output, kept});
  comm.compute().unpack(operation_.extents, chunk_.first + span.first, span.count, output,
                        element_);
}

void MappedExecution::reduce_piece(Communicator& comm, const Instruction& instruction,
                                   const Piece& piece) {
  const size_t n = static_cast<size_t>(instruction.source_end - instruction.source_begin);
  const Program::SourceRef* refs =
      &program_->sources[static_cast<size_t>(instruction.source_begin)];
  const int further = piece.part - instruction.first;
  for (size_t i = 0; i < n; ++i) {
    sources_[i] = refs[i].phase < 0 ? piece.input
                                    : published(comm, refs[i].rank, refs[i].phase,
                                                refs[i].part + further, piece.first) +
                                          piece.offset * element_;
  }
  for (size_t i = 0; probing_ && i < n; ++i) {
    const int peer = refs[i].rank;
    const bool staged = !direct_.active() || direct_.input(peer) == nullptr;
    if (refs[i].phase >= 0 && staged) {
      probe_distance(comm, peer, sources_[i], piece.length * element_);
    }
  }
  targets_.clear();
  if (piece.kept != nullptr) targets_.push_back(piece.kept);
  for (int r = 0; instruction.from_output && direct_.active() && r < comm.nranks(); ++r) {
    if (r == comm.rank() || direct_.target(r) == nullptr) continue;
    targets_.push_back(direct_.target(r) + (chunk_.first + piece.first + piece.offset) * element_);
    comm.stats.sent_bytes += piece.length * element_;
  }
  reduce::Arguments arguments{};
  arguments.dst = piece.output;
  arguments.sources = sources_.data();
  arguments.nsources = n;
  arguments.count = piece.length;
  arguments.divisor = comm.nranks();
  // What peers read next is written as suits them, be it in the cell or in shared memory.
  const reduce::Store for_peers = store_for_peers(comm);
  const bool read_here =
      !instruction.to_output || (instruction.from_output && direct_.own().output != nullptr);
  arguments.store = read_here && targets_.empty() ? for_peers : output_store_;
  arguments.store2 = piece.kept != nullptr ? for_peers : store_for_targets(comm);
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
  const bool from_peer = instruction.code == Code::kCopyPeer;
  for (int part = instruction.first; part < instruction.last; ++part) {
    const Span span = part_span(part);
    if (span.count == 0) continue;
    if (from_peer && direct_.own().writable) {
      // The peer has stored its result there.
      probe_distance(comm, instruction.peer,
                     operation_.buffer.output + offset_of(false, part, span.first),
                     span.count * element_);
      continue;
    }
    const int source_part = instruction.source_part + part - instruction.first;
    const std::byte* theirs =
        from_peer ? published(comm, instruction.peer, instruction.phase, source_part, span.first)
                  : nullptr;
    if (scattered_ && from_peer) {
      comm.compute().unpack(operation_.extents, chunk_.first + span.first, span.count, theirs,
                            element_);
      continue;
    }
    for_each_piece(source_part, part, span,
                   [&](const std::byte* input, std::byte* output, size_t length, size_t offset) {
                     const std::byte* from = from_peer ? theirs + offset * element_ : input;
                     if (direct_.active() && from_peer) {
                       probe_distance(comm, instruction.peer, from, length * element_);
                     }
                     comm.compute().copy(output, from, length * element_, output_store_);
                   });
  }
}

}  // namespace goss::engine
