// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// PairExecution: messages between pairs of ranks, all on their way at once, as a state machine that
// never blocks. Messages from one rank to another arrive in the order in which they were sent;
// those of other pairs do not wait for them.
//
// Ranks of one host exchange them in shared memory, others by a messenger (remote_channel.h).
//
// A message of up to 64 KiB does not wait for its receiver unless earlier ones fill the pair
// (shm::Pair). Longer ones do, and one in gossMemAlloc memory is read in place.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <vector>

#include "device/shared_memory.h"
#include "engine/communicator.h"
#include "engine/progress.h"
#include "engine/remote_channel.h"

namespace goss::engine {

class PairExecution {
 public:
  // The receiver reads longer messages in place; those up to here fit into the slots of a pair.
  static constexpr size_t kMostInSlots = shm::kPairEntries * shm::kPairSlotBytes;

  // The transfers of `operation` must stay where they are until the execution is done.
  Progress start(Communicator& comm, const Operation& operation);
  Progress advance(Communicator& comm);
  // After kBlocked, now and then: kFailed when waiting has become pointless.
  Progress check(Communicator& comm, std::chrono::milliseconds waited);
  // The exchange is left as it is.
  void give_up(Communicator& comm);
  // Changes whenever a piece has moved.
  uint64_t position() const { return moved_; }
  const Status& failure() const { return failure_; }

 private:
  // The messages of one way and peer, of which one is being moved.
  struct Channel {
    Transfer::Way way = Transfer::Way::kSend;
    int peer = 0;
    size_t current = 0;     // index of the transfer
    size_t last = 0;        // of the last one
    size_t done = 0;        // bytes of the current one
    bool begun = false;     // receive: its first piece has been checked
    uint64_t in_place = 0;  // send: entry number + 1 that refers to the sender's memory
    shm::Pair* pair = nullptr;
    std::unique_ptr<RemoteChannel> remote;  // instead: the peer is on another host
  };

  const Transfer& current(const Channel& channel) const { return transfers_[channel.current]; }
  bool exchange_with_self(Communicator& comm);
  Status prepare(Communicator& comm);
  void add(Communicator& comm, size_t index);
  void poll(Communicator& comm);
  bool step(Communicator& comm, Channel* channel);
  bool step_remote(Communicator& comm, Channel* channel);
  Status check_remote(Communicator& comm);
  bool send(Communicator& comm, Channel* channel);
  bool receive(Communicator& comm, Channel* channel);
  bool begin_in_place(Communicator& comm, Channel* channel, shm::PairEntry* entry, bool* full);
  bool begin_message(Communicator& comm, Channel* channel, const shm::PairEntry& entry);
  bool read_in_place(Communicator& comm, Channel* channel, const shm::PairEntry& entry);
  void report(const Communicator& comm, const Transfer& message,
              const std::optional<CodecChoice>& compression, const CompressedOutcome& outcome);
  bool next(Channel* channel);
  bool fail(Communicator& comm, Status failure);

  const Transfer* transfers_ = nullptr;
  size_t ntransfers_ = 0;
  std::vector<size_t> following_;  // the next transfer of the same channel
  std::vector<int> channel_of_;    // [way * n + peer]: index in open_, or -1; only in add()
  std::vector<Channel> open_;
  std::vector<device::SharedMemoryPtr> memory_;  // in place, as long as this operation lasts
  uint64_t moved_ = 0;
  uint64_t number_ = 0;                     // for reports
  std::optional<CodecChoice> compression_;  // of the last message that was compressed
  CompressedOutcome outcome_;               // of all messages that were, received or sent
  bool failed_ = false;
  Status failure_;
  std::chrono::steady_clock::time_point troubled_since_;  // with a peer of another host
};

}  // namespace goss::engine
