// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "check.h"
#include "sync.h"

namespace goss::train {

namespace {

class AllReduce : public Sync {
 public:
  AllReduce(const Ranks& ranks, bool overlap) : comm_(ranks.gradients()) {
    if (overlap) check(gossStreamCreate(&stream_), "gossStreamCreate");
    start_ = statistics();
  }
  ~AllReduce() override { gossStreamDestroy(stream_); }
  AllReduce(const AllReduce&) = delete;
  AllReduce& operator=(const AllReduce&) = delete;

  void begin(const gossBatch_t&, int) override {}

  void post(std::span<float> part) override {
    check(gossAllReduce(part.data(), part.data(), part.size(), gossFloat, gossSum, comm_, stream_),
          "gossAllReduce", comm_);
  }

  void finish() override {
    if (stream_ != nullptr) check(gossStreamSynchronize(stream_), "gossAllReduce", comm_);
  }

  void updated(std::span<float>) override {}  // all ranks have made the same step

  SyncCounters counters() const override {
    const gossCommStats_t now = statistics();
    return {now.operations - start_.operations, now.payload_bytes - start_.payload_bytes,
            now.sent_bytes - start_.sent_bytes};
  }

 private:
  gossCommStats_t statistics() const {
    gossCommStats_t stats{};
    stats.size = sizeof stats;
    check(gossCommGetStats(comm_, &stats), "gossCommGetStats", comm_);
    return stats;
  }

  gossComm_t comm_;
  gossStream_t stream_ = nullptr;
  gossCommStats_t start_{};  // making the control communicator was an operation too
};

}  // namespace

std::unique_ptr<Sync> make_all_reduce(const Ranks& ranks, bool overlap) {
  return std::make_unique<AllReduce>(ranks, overlap);
}

}  // namespace goss::train
