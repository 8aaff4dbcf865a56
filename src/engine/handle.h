// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// What stands behind gossComm_t and gossStream_t: a communicator that may still be in the making,
// the order of its calls, and who is inside.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>

#include "engine/communicator.h"
#include "engine/execution.h"
#include "engine/join.h"
#include "engine/stream.h"

namespace goss::engine {
void dump(const Communicator& comm, const Status& failure);
}

struct gossComm {
  static constexpr uint64_t kMagic = 0x676f7373636f6d6dULL;  // "gosscomm"
  enum class State { kMaking, kReady, kFailed };

  uint64_t magic = kMagic;
  int rank = 0;
  int nranks = 1;
  goss::engine::Settings settings;
  unsigned generation = 0;                           // of forks, when it was made
  std::unique_ptr<goss::engine::Communicator> comm;  // valid when kReady
  std::atomic<State> state{State::kMaking};
  std::mutex failure_mutex;
  goss::Status failure;  // why it is kFailed
  goss::Status refusal;  // of the last call with a wrong argument; the communicator goes on
  goss::engine::Execution execution;  // of synchronous calls
  // A call is inside. Only its holder touches what follows.
  std::atomic<bool> busy{false};
  std::atomic<bool> aborting{false};
  bool finalized = false;
  std::atomic<bool> dumped{false};    // the flight recorder has been written
  uint64_t queued = 0;                // calls accepted, in order
  std::atomic<uint64_t> finished{0};  // calls completed, in the same order
  goss::engine::StreamPtr own_stream;

  bool made_here() const;
  void set_failure(const goss::Status& status);
  void note_refusal(const goss::Status& status);
  void adopt(
      std::unique_ptr<goss::engine::Communicator> made);  // ready; null: split off without colour
  goss::Status get_failure();
  goss::Status get_refusal();
};

struct gossStream {
  static constexpr uint64_t kMagic = 0x676f737373747265ULL;  // "gossstre"
  uint64_t magic = kMagic;
  unsigned generation = 0;
  goss::engine::StreamPtr stream;
};

struct gossEvent {
  static constexpr uint64_t kMagic = 0x676f737365766e74ULL;  // "gossevnt"
  uint64_t magic = kMagic;
  unsigned generation = 0;
  goss::engine::EventPtr event;
};
