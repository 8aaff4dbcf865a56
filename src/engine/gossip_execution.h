// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// GossipExecution: one call of gossip in flight, as a state machine that never blocks: post, await,
// mix, for each round of the step; with modulo compression also repair. A partner that is dead, or
// does not come in time, is left out; what it has not read then is taken back, so that two partners
// either both mix or both do not. Driven by one thread at a time.
#pragma once

#include <chrono>
#include <functional>
#include <vector>

#include "engine/gossip.h"
#include "engine/progress.h"

namespace goss::engine {

class GossipExecution {
 public:
  // `call` must stay where it is until the execution is done.
  Progress start(Gossip& gossip, const GossipCall& call);
  // Push-sum: add what others have not read of earlier calls to the buffers again.
  Status flush(Gossip& gossip, const GossipCall& call, uint32_t part);
  Progress advance(Gossip& gossip);
  // After kBlocked, now and then: looks at clocks, deaths, and what others say.
  Progress check(Gossip& gossip);
  bool active() const { return active_; }
  // After an exception, which has left the call half done.
  Status break_off(Gossip& gossip, const Status& failure) {
    fail(gossip, failure);
    return failure_;
  }
  // Changes whenever something has moved.
  uint64_t position() const { return moved_; }
  const Status& failure() const { return failure_; }

 private:
  using Clock = std::chrono::steady_clock;
  enum class Kind : uint8_t { kMix, kGlobal, kPushSum, kAsk, kRepair };
  enum class Stage : uint8_t { kExchange, kRepair };
  enum class Arrival : uint8_t { kWaiting, kHere, kSkipped };
  struct Outgoing {
    int peer;
    bool done = false;  // posted, or given up
    GossipMail::Sent sent;
  };
  struct Incoming {
    int peer;
    int parts;
    Arrival arrival = Arrival::kWaiting;
    uint64_t beats = 0;  // of the peer, when the wait began
    GossipMail::Letter letter;
    const std::byte* payload = nullptr;
  };
  // Push-sum: a share that is to be added.
  struct Share {
    GossipMail::Letter letter;
    const std::byte* payload;
  };

  collectives::GossipAt at(const Gossip& gossip) const;
  bool compressed(const Gossip& gossip) const;
  const std::byte* own(const GossipBuffer& buffer) const {
    return from_output_ ? buffer.output : buffer.input;
  }
  shm::GossipHeader expected(const Gossip& gossip, Kind kind) const;
  Progress fail(Gossip& gossip, Status failure);
  static bool agree(const shm::GossipHeader& a, const shm::GossipHeader& b);
  Status mismatch(Gossip& gossip, int peer, const shm::GossipHeader& own,
                  const shm::GossipHeader& theirs) const;
  void enter(const GossipCall& call, uint32_t part);
  Status review(Gossip& gossip);
  Progress finish(Gossip& gossip);

  Status begin_round(Gossip& gossip);
  Status begin_payload(Gossip& gossip);
  Status encode(Gossip& gossip, std::byte* payload);
  Status post(Gossip& gossip);
  Status look(Gossip& gossip, Incoming* incoming);
  Status look_once(Gossip& gossip, Incoming* incoming, bool* past);
  void miss(Gossip& gossip, Incoming* incoming, bool suspect);
  bool arrived() const;
  Status mix(Gossip& gossip);
  void mix_exact(Gossip& gossip);
  void mix_compressed(Gossip& gossip, Incoming* incoming);
  void keep_own();
  Result<bool> next_round(Gossip& gossip);
  Status examine(Gossip& gossip, Incoming* incoming);

  // gossip_repair.cpp
  void begin_repair(Gossip& gossip, size_t refused);
  Result<bool> repair(Gossip& gossip);
  Result<bool> ask(Gossip& gossip);
  Result<bool> answer(Gossip& gossip);
  Result<bool> accept(Gossip& gossip);
  Result<bool> find(Gossip& gossip, int peer, Kind kind, GossipMail::Letter* letter,
                    const std::byte** payload);
  Result<bool> send_beside(Gossip& gossip, int peer, Kind kind, size_t bytes,
                           const std::function<void(std::byte*)>& fill);
  Result<bool> lost_in_repair(Gossip& gossip, std::chrono::milliseconds waited);
  void stop_repair(Gossip& gossip);

  // gossip_push_execution.cpp
  Status begin_push(Gossip& gossip);
  Status take_back(Gossip& gossip, bool all);
  Status share(Gossip& gossip);
  Status collect(Gossip& gossip);
  void add_shares(Gossip& gossip);
  void add(Gossip& gossip, const std::byte* payload, double own, double share);

  bool active_ = false;
  const GossipCall* call_ = nullptr;
  uint64_t shape_ = 0;
  uint32_t part_ = 0;
  bool global_ = false;
  bool push_sum_ = false;
  bool from_output_ = false;  // the own model is in the outputs already
  int round_ = 0;
  Stage stage_ = Stage::kExchange;
  collectives::Exchange exchange_;
  std::vector<Outgoing> outgoing_;
  std::vector<Incoming> incoming_;
  std::vector<Share> shares_;
  bool has_payload_ = false;
  size_t payload_ = 0;
  uint32_t sequence_ = 0;
  Clock::time_point began_;
  bool waited_ = false;
  uint64_t moved_ = 0;
  Status failure_;

  // Of a repair.
  bool asking_ = false;  // has asked its sender, and the answer is not here yet
  bool ask_posted_ = false;
  bool answering_ = false;            // its receiver has not said yet whether it asks
  const std::byte* asked_ = nullptr;  // by the receiver: which blocks
  GossipMail::Letter asked_letter_;
};

}  // namespace goss::engine
