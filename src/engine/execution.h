// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Execution: one operation in flight, as a state machine that never blocks. advance() does what can
// be done and says whether to come back. Driven by one thread at a time.
#pragma once

#include <optional>
#include <vector>

#include "collectives/partition.h"
#include "engine/communicator.h"
#include "engine/compressed_execution.h"
#include "engine/direct_memory.h"
#include "engine/error_report.h"
#include "engine/one_sided.h"
#include "engine/pair_execution.h"
#include "engine/progress.h"
#include "engine/result_check.h"
#include "engine/scaling.h"
#include "engine/span_execution.h"

namespace goss::engine {

// Small operations: the payload lies behind its flag, up to 56 bytes in the flag's own cache line.
//
// All collectives but broadcast (<= 1,016 bytes): every rank stores what it shows to others and
// waits for all of them, also where it reads nothing. Two places per rank in turn suffice: a rank
// that starts turn t+2 has seen everybody in turn t+1, so everybody has finished reading turn t.
//
// Broadcast (<= 56 bytes): the root stores one of its 48 broadcast lines and goes on; it comes to a
// line again when all ranks say that they have read the broadcast of 48 turns ago.
class InlineExecution {
 public:
  // `operation` must stay where it is until the execution is done.
  Progress start(Communicator& comm, const Operation& operation, uint64_t signature);
  Progress advance(Communicator& comm);
  int waiting_for() const { return next_; }
  uint64_t position() const { return static_cast<uint64_t>(next_); }

 private:
  Progress poll(Communicator& comm, int peer, const std::atomic<uint64_t>& flag) const;
  template <size_t kBytes>
  void store(Communicator& comm, shm::Payload<kBytes>* place);
  void finish(Communicator& comm);
  const std::byte* shown(Communicator& comm, int rank) const;
  size_t block_bytes(int blocks) const;
  void reduce(Communicator& comm, int block);
  void collect(Communicator& comm, int block);
  Progress send(Communicator& comm);
  Progress receive(Communicator& comm);
  void tell_read(Communicator& comm);

  const Operation* operation_ = nullptr;
  uint64_t signature_ = 0;
  uint64_t turn_ = 0;
  int next_ = 0;  // rank to be waited for
};

// A lowered program applied to one chunk after the other. Stage s of chunk c runs together with
// stage s-1 of chunk c + lag, so that a wait is for something that peers were asked for long ago.
class MappedExecution {
 public:
  Progress start(Communicator& comm, const Operation& operation, const Program& program,
                 uint64_t signature);
  DirectMemory& direct() { return direct_; }  // has offered before start
  Progress advance(Communicator& comm);
  int waiting_for() const { return waiting_for_; }
  uint64_t position() const {
    return (iteration_ << 32) + (static_cast<uint64_t>(stage_) << 24) + static_cast<uint64_t>(pc_);
  }
  const Status& failure() const { return failure_; }

 private:
  // Where the data of one chunk lies.
  struct Chunk {
    uint64_t ticket = 0;
    size_t first = 0;  // element of the operation
    size_t count = 0;
    collectives::Partition parts{0, 1, 1};  // of the chunk
    size_t cell = 0;                        // byte offset in every ring
  };
  // Elements [first, first + count) of a chunk.
  struct Span {
    size_t first;
    size_t count;
  };
  // What one kernel call reduces: `length` elements that begin `offset` elements into a part that
  // begins at element `first` of the chunk.
  struct Piece {
    int part;
    size_t first;
    size_t offset;
    size_t length;
    const std::byte* input;
    std::byte* output;
    std::byte* kept;  // a copy for the peers, or null
  };

  void plan_chunks(const Communicator& comm);
  void enter_chunk(uint64_t index);
  uint64_t chunk_index() const { return (chunk_.ticket - first_ticket_) / cells_per_chunk_; }
  bool gather(Communicator& comm);
  bool announce(Communicator& comm);
  void raise(Communicator& comm, int phase);
  bool ready(Communicator& comm);  // cells free, memory announced
  bool execute(Communicator& comm, const Instruction& instruction);
  bool wait(Communicator& comm, const Instruction& instruction);
  bool meet(Communicator& comm, int peer);  // first contact in this operation
  void publish(Communicator& comm, const Instruction& instruction);
  bool end_direct(Communicator& comm);
  bool reduce(Communicator& comm, const Instruction& instruction);
  void reduce_parts(Communicator& comm, const Instruction& instruction);
  void reduce_scattered(Communicator& comm, const Instruction& instruction, int part,
                        std::byte* kept);
  void reduce_piece(Communicator& comm, const Instruction& instruction, const Piece& piece);
  void reduce_to_all(Communicator& comm, reduce::Arguments arguments);
  void copy(Communicator& comm, const Instruction& instruction);
  reduce::Store store_for_peers(const Communicator& comm) const;
  reduce::Store store_for_targets(const Communicator& comm) const;
  int probed_peer(const Communicator& comm) const;
  void probe_distance(Communicator& comm, int peer, const void* data, size_t bytes);
  Span part_span(const Communicator& comm, bool blocks, int part) const;
  size_t offset_of(bool blocks, int part, size_t first) const;
  bool measured() const;
  template <class Fn>
  void for_each_piece(int input_part, int output_part, Span span, Fn fn) const;
  const std::byte* published(Communicator& comm, int peer, int phase, int part, size_t first) const;
  std::byte* cell(Communicator& comm, int rank, int part) const;
  bool fail(Communicator& comm, Status failure);

  Operation operation_;
  const Program* program_ = nullptr;
  uint64_t signature_ = 0;
  size_t element_ = 1;      // bytes
  size_t chunk_count_ = 0;  // elements of a full chunk
  size_t part_stride_ = 0;  // bytes of a part's place in a cell
  size_t cells_per_chunk_ = 1;
  uint64_t chunks_ = 0;
  uint64_t first_ticket_ = 0;  // a chunk takes as many as it has cells
  uint64_t lag_ = 1;
  reduce::Store output_store_ = reduce::Store::kCached;
  reduce::ReduceFn kernel_ = nullptr;

  // Where advance() goes on.
  bool gathering_ = false;  // still to learn whether all buffers of all ranks are in place
  uint64_t raised_[shm::kPhases] = {};
  uint64_t iteration_ = 0;
  int stage_ = 0;
  int pc_ = 0;
  bool stage_entered_ = false;
  bool probing_ = false;  // this chunk measures the distance to the peers
  Chunk chunk_;
  int waiting_for_ = -1;
  Status failure_;

  DirectMemory direct_;
  std::vector<uint8_t> met_;
  std::vector<const void*> sources_;
  std::vector<std::byte*> targets_;  // of results, beside the own output

  // Many short extents.
  bool scattered_ = false;
  std::vector<std::byte> packed_;
};

class Execution {
 public:
  // Begin: checks, chooses, records. kDone at once where nothing is to be moved.
  Progress start(Communicator& comm, const Operation& operation);
  Progress advance(Communicator& comm);
  // After kBlocked, now and then: kFailed when waiting has become pointless.
  Progress check(Communicator& comm, std::chrono::milliseconds waited);
  Progress check(Communicator& comm, const Waiter& waiter) { return check(comm, waiter.waited()); }
  // The operation is left as it is: peers do not touch the caller's buffers any more on return.
  void give_up(Communicator& comm);
  // The same after an exception, which has left the operation half done: fails the communicator.
  Status break_off(Communicator& comm, const Status& failure);
  // Why, after kFailed.
  const Status& failure() const { return failure_; }
  bool active() const { return active_; }
  // Changes whenever something has moved.
  uint64_t position() const;

 private:
  Progress begin(Communicator& comm, const Operation& operation);
  Progress settle(Communicator& comm, Progress progress);
  Progress begin_compressed(Communicator& comm);
  Progress begin_exact(Communicator& comm, const Operation& operation);
  Progress end(Communicator& comm);
  Progress follow(Communicator& comm);
  const Status& path_failure() const;

  enum class Stage : uint8_t {
    kCall,         // the operation itself
    kComparison,   // then hashes of its results (GOSS_VERIFY)
    kMeasurement,  // then the same uncompressed, to see the error
  };

  bool active_ = false;
  bool waited_ = false;
  Stage stage_ = Stage::kCall;
  Operation operation_;
  Choice choice_;
  uint64_t signature_ = 0;
  Scaling scaling_;
  InlineExecution inline_;
  MappedExecution mapped_;
  PairExecution pairs_;
  OneSided one_sided_;
  std::optional<CodecChoice> compression_;
  CompressedExecution* compressed_ = nullptr;  // of the communicator
  ErrorReporter reporter_;                     // of operations with options
  ResultCheck check_;
  std::unique_ptr<SpanExecution> span_;  // made when first needed
  Status failure_;
};

// Run one operation to its end on the calling thread.
Status run_synchronously(Communicator& comm, Execution& execution, const Operation& operation);

}  // namespace goss::engine
