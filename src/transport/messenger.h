// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Messenger: messages to and from the other ranks of a job, for ranks that do not share memory. One
// per rank. What is sent under a key is received under the same key; the engine makes the keys.
// Never blocks. Any thread may call; the implementation serialises.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/status.h"

namespace goss::transport {

// Which message: of which communicator, and which there.
struct MessageKey {
  uint64_t communicator = 0;
  uint64_t number = 0;
  bool operator==(const MessageKey&) const = default;
};

// A message being sent or received. Belongs to whoever posted it and stays where it is until it has
// ended: done, failed, or cancelled.
struct MessageRequest {
  enum class State : uint8_t { kIdle, kPosted, kDone, kFailed };
  // Any thread's progress() may end a request: what else it says is there when this says so.
  class Shown {
   public:
    Shown() = default;
    Shown(const Shown& other) : state_(static_cast<State>(other)) {}
    Shown& operator=(const Shown& other) { return *this = static_cast<State>(other); }
    Shown& operator=(State state) {
      state_.store(state, std::memory_order_release);  // pairs with the load below
      return *this;
    }
    operator State() const { return state_.load(std::memory_order_acquire); }  // NOLINT: as a State

   private:
    std::atomic<State> state_{State::kIdle};
  };
  Shown state;
  size_t bytes = 0;  // of what has been received
  Status failure;
  void* handle = nullptr;  // the implementation's
};

struct MessengerOptions {
  int rank = 0;
  int nranks = 1;
};

class Messenger {
 public:
  // As leave(true), unless this rank has left. In a forked child it does nothing.
  virtual ~Messenger() = default;

  // What the other ranks need to reach this one; they get it before they connect.
  virtual const std::string& address() const = 0;
  // Addresses of all ranks of the job, in rank order; empty for those that are never sent to.
  // Nothing is opened before the first message to or from a rank.
  virtual Status connect(std::vector<std::string> addresses) = 0;

  // Messages with equal keys between the same two ranks arrive in order. `data` is only read, and
  // not any more when the request has ended. Done means that it will arrive without further
  // progress of this rank, not that it has arrived.
  virtual void send(int peer, const MessageKey& key, std::span<const std::byte> data,
                    MessageRequest* request) = 0;
  // Fails when the message is longer than `buffer`, which then has unspecified contents.
  virtual void receive(int peer, const MessageKey& key, std::span<std::byte> buffer,
                       MessageRequest* request) = 0;
  // False: not ended yet, make progress and ask again. Once true, nobody touches its buffer.
  virtual bool cancel(MessageRequest* request) = 0;
  // Nothing of this communicator is received any more: what nobody has taken, and what will still
  // come, is dropped. For its end; its requests have ended.
  virtual void forget(uint64_t communicator) = 0;
  // Move what can be moved. Whether anything was.
  virtual bool progress() = 0;

  // To sleep: arm() until it is true, poll `fd` for POLLIN, make progress. False: something has
  // arrived meanwhile. When another thread's progress ends requests, `fd` wakes this one.
  virtual int fd() const = 0;
  virtual bool arm() = 0;

  // Say good-bye to all peers and return, in bounded time whatever they do, when the network has
  // all that was done, or (unless `hurry`) when they have it. Nothing is sent or received any more.
  virtual void leave(bool hurry) = 0;

  // Why `peer` cannot be reached any more (it died, left, or its host is silent); ok as long as
  // nothing is known, which it can only be of ranks that messages were sent to or received from.
  // Requests with the peer fail with it; what had arrived whole before can still be received.
  virtual Status fate(int peer) const = 0;
  // What carries messages to `peer`, such as "tcp/eth0"; empty where nothing is open yet.
  virtual std::string describe(int peer) const = 0;
  // Bytes that have been handed to a network so far, headers included as far as they are known.
  virtual uint64_t sent_bytes() const = 0;
};

using MessengerPtr = std::unique_ptr<Messenger>;

}  // namespace goss::transport
