// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// MessageExecution: a message program applied to an operation, as a state machine that never
// blocks. Long buffers are cut into chunks; a few of them are under way at once, each on a lane of
// its own, so that messages of one chunk never wait for those of another.
//
// The first message of an operation between two ranks says which operation it is: short messages
// carry that before their content, long ones are preceded by it.
#pragma once

#include <chrono>
#include <memory>
#include <span>
#include <vector>

#include "collectives/partition.h"
#include "engine/communicator.h"
#include "engine/message_program.h"
#include "engine/progress.h"
#include "transport/messenger.h"

namespace goss::engine {

class MessageExecution {
 public:
  ~MessageExecution();
  MessageExecution() = default;
  MessageExecution(const MessageExecution&) = delete;
  MessageExecution& operator=(const MessageExecution&) = delete;

  // The operation lies in host memory, in one piece.
  // `group`: the ranks of the communicator that the program's ranks stand for. The program and the
  // arrays of the operation must stay where they are until the execution is done.
  Progress start(Communicator& comm, const Operation& operation, const MessageProgram& program,
                 std::span<const int> group, const MessageFrame& frame);
  Progress advance(Communicator& comm);
  // A rank of the communicator that has not sent, or not taken, what is needed next.
  int waiting_for() const { return waiting_for_; }
  // Changes whenever something has moved.
  uint64_t position() const { return moved_; }
  const Status& failure() const { return failure_; }
  // After kBlocked, now and then: a peer that cannot be reached, or that sends something else.
  Status trouble(Communicator& comm);
  // Returns when nothing is on its way to or from the caller's buffers any more.
  void give_up();

 private:
  using Request = transport::MessageRequest;
  using Step = collectives::MessageStep;

  struct Chunk {
    size_t first = 0;  // element of the vector, or of every block
    size_t count = 0;
    collectives::Partition parts{0, 1, 1};
    size_t slot_bytes = 0;  // of scratch memory
  };
  // A chunk on its way.
  struct Lane {
    uint64_t index = 0;  // of the chunk
    bool active = false;
    Chunk chunk;
    size_t next_receive = 0;  // in the program's lists
    size_t next_other = 0;
    size_t ended = 0;  // steps
    std::vector<uint8_t> done;
    std::vector<Request> requests;
    std::vector<int> posted;  // steps whose messages are on their way
    std::vector<std::byte> scratch;
    std::vector<std::byte> framed;  // places of short messages, one for each step
  };
  // What has been told to a peer of the group, and by it.
  struct Contact {
    bool greeting = false;  // they have been posted
    bool greeted = false;
    MessageFrame theirs;
    Request sent;
    Request received;
  };

  void plan_chunks();
  void enter(Lane* lane, uint64_t index);
  bool run(Communicator& comm, Lane* lane);
  bool collect(Communicator& comm, Lane* lane);
  bool end_message(Communicator& comm, Lane* lane, int step);
  bool may_run(const Lane& lane, int step) const;
  void post(Communicator& comm, Lane* lane, int step);
  void greet(Communicator& comm, int peer, bool send);
  bool greetings_ended(Communicator& comm);
  void compute(Communicator& comm, Lane* lane, const Step& step);
  // kOther: it belongs to another operation and is no part of this one.
  enum class Agreement : uint8_t { kSame, kOther, kFailed };
  Agreement agree(Communicator& comm, int peer, const MessageFrame& theirs);
  void failed_message(int peer, const Request& request);
  std::byte* address(Lane* lane, collectives::Spot spot) const;
  size_t stretch(const Chunk& chunk, int part) const;
  size_t bytes_of(const Chunk& chunk, const Step& step) const;
  std::byte* framed_place(Lane* lane, int step);
  transport::MessageKey key(uint64_t number) const { return {communicator_, number}; }
  int rank_of(int peer) const { return group_[static_cast<size_t>(peer)]; }
  const Step& step_at(int index) const {
    return program_->schedule.steps[static_cast<size_t>(index)];
  }

  Operation operation_;
  const MessageProgram* program_ = nullptr;
  std::vector<int> group_;
  MessageFrame frame_;
  uint64_t communicator_ = 0;
  transport::Messenger* messenger_ = nullptr;
  size_t element_ = 1;
  int divisor_ = 1;
  const std::byte* input_ = nullptr;
  std::byte* output_ = nullptr;
  bool short_ = false;  // messages carry their frames
  size_t longest_ = 0;  // bytes of a short message
  size_t chunk_count_ = 0;
  uint64_t chunks_ = 0;
  uint64_t completed_ = 0;
  std::vector<Lane> lanes_;
  std::vector<Contact> contacts_;
  uint64_t moved_ = 0;
  int waiting_for_ = -1;
  Status failure_;
  int troubled_ = -1;  // a peer with which something is wrong, why and since when
  Status trouble_;
  std::chrono::steady_clock::time_point troubled_since_;
};

}  // namespace goss::engine
