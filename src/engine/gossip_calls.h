// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// What stands behind gossGossip_t and gossGossipRequest_t, and the calls below the C boundary:
// check, order, and run or queue. Calls of one object run in their order, whatever the stream.
#pragma once

#include "engine/gossip_execution.h"
#include "engine/handle.h"

struct gossGossip {
  static constexpr uint64_t kMagic = 0x676f7373676f7373ULL;  // "gossgoss"
  explicit gossGossip(gossComm* handle) : comm(handle) {}

  uint64_t magic = kMagic;
  unsigned generation = 0;
  goss::engine::HandlePin comm;  // its abort ends the calls here
  std::unique_ptr<goss::engine::Gossip> gossip;
  goss::engine::GossipExecution execution;  // of synchronous calls
  std::atomic<bool> busy{false};            // a call is inside
  uint64_t queued = 0;                      // calls accepted, in order
  std::atomic<uint64_t> finished{0};        // calls completed, in the same order
  goss::engine::StreamPtr own_stream;       // of posted calls

  void set_failure(const goss::Status& status);
  goss::Status get_failure();

 private:
  std::mutex mutex_;
  goss::Status failure_;  // of the first call that failed
};

struct gossGossipRequest {
  static constexpr uint64_t kMagic = 0x676f737372657175ULL;  // "gossrequ"
  struct State {
    goss::engine::EventPoint done;
    goss::Status status;  // once it is done
  };
  uint64_t magic = kMagic;
  std::shared_ptr<State> state;  // shared: the request and its work
};

namespace goss::engine {

Status gossip_create(gossGossip** out, gossComm* comm, const GossipSettings& settings);
Status gossip_destroy(gossGossip* gossip);
// Not NULL, and of this process.
Status check_gossip(gossGossip* gossip);
// On a stream; with `request`, posted; with neither, run here and now.
Status gossip_submit(gossGossip* gossip, GossipCall call, gossStream* stream,
                     gossGossipRequest** request);
Status gossip_flush(gossGossip* gossip, const GossipCall& call, uint32_t part);
Status gossip_test(gossGossipRequest* request, bool* done);
Status gossip_wait(gossGossipRequest* request);

}  // namespace goss::engine
