// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "check.h"
#include "sync.h"

namespace goss::train {

namespace {

class AllReduce : public Sync {
 public:
  AllReduce(const Ranks& ranks, const Flat& flat, bool overlap)
      : comm_(ranks.gradients()), flat_(flat) {
    if (overlap) check(gossStreamCreate(&stream_), "gossStreamCreate");
    start_ = statistics();
  }
  ~AllReduce() override { gossStreamDestroy(stream_); }
  AllReduce(const AllReduce&) = delete;
  AllReduce& operator=(const AllReduce&) = delete;

  void begin(uint64_t, int, const Update& update) override { update_ = &update; }

  void post(Part part) override { reduce(flat_.gradient.subspan(part.begin, part.size())); }

  void finish() override {
    if (stream_ != nullptr) check(gossStreamSynchronize(stream_), "gossAllReduce", comm_);
    (*update_)({0, flat_.weights.size()});  // the same step on all ranks
  }

  double samples(const gossBatch_t& batch) const override {
    return static_cast<double>(batch.real);
  }

  SyncCounters counters() const override {
    const gossCommStats_t now = statistics();
    return {now.operations - start_.operations, now.payload_bytes - start_.payload_bytes,
            now.sent_bytes - start_.sent_bytes};
  }

 private:
  // The one place where gradients meet the library: a codec belongs here.
  void reduce(std::span<float> part) {
    check(gossAllReduce(part.data(), part.data(), part.size(), gossFloat, gossSum, comm_, stream_),
          "gossAllReduce", comm_);
  }

  gossCommStats_t statistics() const {
    gossCommStats_t stats{};
    stats.size = sizeof stats;
    check(gossCommGetStats(comm_, &stats), "gossCommGetStats", comm_);
    return stats;
  }

  gossComm_t comm_;
  Flat flat_;
  gossStream_t stream_ = nullptr;
  const Update* update_ = nullptr;
  gossCommStats_t start_{};  // making the control communicator was an operation too
};

}  // namespace

std::unique_ptr<Sync> make_all_reduce(const Ranks& ranks, const Flat& flat, bool overlap) {
  return std::make_unique<AllReduce>(ranks, flat, overlap);
}

}  // namespace goss::train
