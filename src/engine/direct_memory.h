// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// DirectMemory: which buffers of one operation lie in gossMemAlloc memory, so that other ranks may
// read the input in place and store their results where they belong. Each rank offers its own
// buffers in its record; what others offered is known once they have been met.
//
// Whoever stores into a peer's buffer says so first (writing()). A rank whose operation has failed
// takes its memory back before its call returns (withdraw()): it waits for those who are still
// storing, and cuts off a process that does not get on. Used by the thread that drives the
// operation.
#pragma once

#include <vector>

#include "device/shared_memory.h"
#include "engine/communicator.h"

namespace goss::engine {

// Results from this size on leave the caches anyway: stream them past.
constexpr size_t kStreamOutputBytes = size_t{4} * 1024 * 1024;

class DirectMemory {
 public:
  // From here on memory in place is worth the extra wait at the end.
  static constexpr size_t kSmallest = size_t{256} * 1024;

  // Before the operation is recorded: what this rank offers. Without a program: nothing.
  void offer(const Communicator& comm, const Operation& operation, const Program* program);
  const OwnBuffers& own() const { return own_; }
  // Whether the operation is of a size at which memory is used in place; equal on all ranks.
  bool active() const { return active_; }

  void start(const Communicator& comm);
  // Peers can map what they shall use: -1, or the rank whose queue of letters is full.
  Result<int> announce(Communicator& comm) const;
  // What `peer` offers in the operation with this signature; false while its letter is on the way.
  Result<bool> meet(Communicator& comm, int peer, uint64_t signature);

  // Of a rank that has been met; null where it has to be staged, or must not be stored to.
  const std::byte* input(int peer) const { return peers_[static_cast<size_t>(peer)].input; }
  const std::byte* output(int peer) const { return peers_[static_cast<size_t>(peer)].output; }
  std::byte* target(int peer) const { return peers_[static_cast<size_t>(peer)].target; }
  // Whether a rank that was met copies results itself.
  bool anybody_reads_results() const { return readers_ > 0; }

  // While it lives, this rank may be storing into peers' buffers. False: the operation has failed.
  class Writing {
   public:
    explicit Writing(Communicator& comm);
    ~Writing();
    Writing(const Writing&) = delete;
    Writing& operator=(const Writing&) = delete;
    bool allowed() const { return allowed_; }

   private:
    Communicator& comm_;
    bool allowed_;
  };

  // The rank that still uses memory of this one, or -1. The first call says that this rank has
  // finished with that of the others.
  int finish(Communicator& comm);
  // Whether memory of a rank that has failed since may have been read.
  bool read_others() const { return !memory_.empty(); }
  // The operation is over: nobody uses this rank's memory any more, see above.
  void release();
  void withdraw(Communicator& comm);

 private:
  struct Peer {
    const std::byte* input = nullptr;
    const std::byte* output = nullptr;
    std::byte* target = nullptr;
  };

  // Give the result other pages than `peer` has mapped.
  bool cut_off(Communicator& comm, int peer);

  bool active_ = false;
  bool told_ = false;      // the others know that this rank has finished with their memory
  bool told_cut_ = false;  // the user knows that cut_off() fails
  OwnBuffers own_;
  size_t input_bytes_ = 0;  // of every rank's
  size_t output_bytes_ = 0;
  std::byte* own_output_ = nullptr;
  int readers_ = 0;
  std::vector<Peer> peers_;
  std::vector<device::SharedMemoryPtr> memory_;  // mapped as long as this operation uses it
};

}  // namespace goss::engine
