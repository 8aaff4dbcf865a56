// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Mailbox: how file descriptors of shared memory reach the other processes of a host. An AF_UNIX
// datagram socket with a name that the kernel chooses in the abstract name space: nothing appears
// in a file system, nothing is left behind. Letters carry a MAC under the job's session key, and
// the kernel vouches for the sender's user. One thread at a time.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"

namespace goss::shm {

enum class Purpose : uint64_t { kSegment, kMemory };

struct Letter {
  Purpose purpose = Purpose::kSegment;
  uint64_t topic = 0;  // which communicator, or which allocation
  uint64_t bytes = 0;  // of what the descriptor stands for
  UniqueFd fd;
};

class Mailbox {
 public:
  static Result<Mailbox> create(const std::string& key);

  // To be told to the other ranks.
  const std::string& address() const { return address_; }
  // False when the receiver's queue is full: try again.
  Result<bool> send(const std::string& address, Purpose purpose, uint64_t topic, uint64_t bytes,
                    int fd);
  // Takes in what has arrived, then hands out the segment of `topic` if it is there.
  Result<std::optional<Letter>> receive_segment(uint64_t topic);
  // Takes in what has arrived, then hands out all letters about memory.
  Result<std::vector<Letter>> receive_memory();
  // Readable when something has arrived. A queue holds about ten letters and a full one stops the
  // senders, so it must be emptied whatever its owner is waiting for.
  int fd() const { return socket_.get(); }

 private:
  Status take_in();

  UniqueFd socket_;
  std::string address_;
  std::string key_;
  std::vector<Letter> waiting_;
  Status failure_;  // a letter was lost: whoever waits for one must not wait for ever
};

}  // namespace goss::shm
