// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// CompressedExecution: a collective whose messages are encoded, as a state machine that never
// blocks. An exchange program (exchange_plan.h) is applied to chunk after chunk. A few chunks are
// on their way at once, each in a slot of buffers, so encoding, wire and decoding overlap. The
// messages between two ranks follow one another in an order that both know: groups of as many
// chunks as there are slots, in a group by phase, in a phase by chunk. No chunk waits for one of a
// later group, so nobody waits for ever.
//
// Who owns and rounds which element depends on (n, count, program) alone and not on chunks, so bits
// do not depend on how long these are. One per communicator; buffers are kept for the next call.
// Across hosts it may be run by some of the ranks (Members), on what their hosts have summed.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "collectives/partition.h"
#include "engine/call_options.h"
#include "engine/exchange_plan.h"
#include "engine/pair_execution.h"

namespace goss::engine {

// Who takes part. The root of the operation is a place in the group.
struct Members {
  std::span<const int> group;  // ranks; empty: all
  size_t offset = 0;           // of the operation's elements in the vector of the call
};

class CompressedExecution {
 public:
  // The operation must stay where it is until the execution is done.
  Progress start(Communicator& comm, const Operation& operation, const CodecChoice& compression,
                 const MessageFrame& frame, const Members& members = {});
  Progress advance(Communicator& comm);
  // After kBlocked, now and then: kFailed when waiting has become pointless.
  Progress check(Communicator& comm, std::chrono::milliseconds waited);
  void give_up(Communicator& comm);
  uint64_t position() const;
  const Status& failure() const { return failure_; }

  const CompressedOutcome& outcome() const { return outcome_; }  // after kDone
  // Of buffers and programs that are kept.
  size_t bytes() const { return staging_.capacity(); }

 private:
  static constexpr size_t kSlots = 3;

  // What one chunk has come to.
  struct Slot {
    size_t chunk = 0;
    size_t next_work = 0;
    size_t unsent = 0;                   // messages
    std::vector<uint8_t> filled;         // of each buffer
    std::vector<quant::Figures> errors;  // likewise: see error_of()
  };
  // The messages to or from one rank, one after the other.
  struct Channel {
    PairExecution execution;
    Transfer transfer;
    bool active = false;
    // Ranks of other hosts begin by saying what they are in.
    enum class Greeting : uint8_t { kDue, kOnTheWay, kDone } greeting = Greeting::kDone;
    MessageFrame frame;
    size_t group = 0;  // of chunks
    size_t message = 0;
    size_t in_group = 0;
  };
  struct Stretch {
    size_t first;  // element of the region
    size_t count;
  };

  void choose_program(const collectives::Shape& shape);
  int rank_of(int peer) const { return group_.empty() ? peer : group_[static_cast<size_t>(peer)]; }
  void divide(const Operation& operation);
  void open(Slot* slot, size_t chunk);
  Slot* slot_of(size_t chunk);
  Stretch stretch(int region, size_t chunk) const;
  size_t length(int region) const;
  size_t input_place(int part) const;
  size_t output_place(int part) const;
  quant::Codec codec(int buffer) const;
  uint8_t* header(size_t chunk, int buffer);
  uint8_t* payload(size_t chunk, int buffer);
  quant::EncodeOptions encoding(int buffer, float factor) const;
  quant::Dither dither(int place) const;
  uint64_t dither_place(int region, size_t first) const;

  bool finished(const Channel& channel) const;
  void skip(const ExchangeChannel& plan, Channel* channel) const;
  bool pump(Communicator& comm, size_t index);
  bool begin_message(Communicator& comm, size_t index);
  bool begin_transfer(Communicator& comm, Channel* channel);
  bool end_greeting(Communicator& comm, size_t index);
  bool end_message(Communicator& comm, size_t index);
  bool check_header(Communicator& comm, int peer, size_t chunk, int buffer);
  void write_header(size_t chunk, int buffer);

  bool do_some_work(Communicator& comm);
  bool ready(const Slot& slot, const ExchangeWork& work) const;
  void execute(Communicator& comm, Slot* slot, const ExchangeWork& work);
  void encode(Communicator& comm, Slot* slot, const ExchangeWork& work, const Stretch& where);
  void reduce(Communicator& comm, Slot* slot, const ExchangeWork& work, const Stretch& where);
  void reduce_with_feedback(Communicator& comm, const Slot& slot, const ExchangeWork& work,
                            quant::Hop hop, size_t place);
  quant::Figures errors_besides_last(const Slot& slot, const ExchangeWork& work, bool passed_on,
                                     size_t count) const;
  void add_to_result(const quant::Figures& errors, size_t count);
  bool fail(Communicator& comm, Status failure);

  Operation operation_;
  CodecChoice how_;
  std::vector<int> group_;
  size_t offset_ = 0;
  MessageFrame frame_;
  uint64_t number_ = 0;  // of the operation
  float result_factor_ = 1;
  quant::Dither dither_;
  Feedback* feedback_ = nullptr;
  const ExchangeProgram* program_ = nullptr;
  size_t element_ = 1;  // bytes
  collectives::Partition partition_{0, 1, 1};
  size_t unit_ = quant::kTile;
  size_t stretch_ = 0;  // elements of a region in one chunk
  size_t chunks_ = 0;
  size_t buffer_stride_ = 0;
  size_t slot_stride_ = 0;

  std::vector<std::unique_ptr<ExchangeProgram>> programs_;
  std::vector<collectives::Shape> shapes_;  // of programs_
  std::vector<std::byte> staging_;
  std::byte* base_ = nullptr;  // in staging_, on a cache line
  std::vector<Slot> slots_;
  std::vector<Channel> channels_;
  std::vector<const uint8_t*> sources_;
  std::vector<float> wide_;  // of feedback
  size_t chunks_done_ = 0;
  uint64_t work_done_ = 0;
  CompressedOutcome outcome_;
  Status failure_;
};

}  // namespace goss::engine
