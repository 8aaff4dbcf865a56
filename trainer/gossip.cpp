// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Models mixed by gossip: in a step every rank makes the optimizer's step with its own gradient and
// mixes its model with a partner's. The mean over the ranks of these steps is the step of
// all-reduce: each divides the sum over its samples by the batch's real samples and multiplies by
// the number of ranks.
#include <gossamer/gossip.h>

#include <algorithm>
#include <optional>

#include "check.h"
#include "flat_buffer.h"
#include "sync.h"

namespace goss::train {

namespace {

class Gossip : public Mixing {
 public:
  Gossip(const Ranks& ranks, const Flat& flat, const gossGossipConfig_t& config, MixOrder order)
      : ranks_(ranks), flat_(flat), order_(order) {
    check(gossGossipCreate(&gossip_, ranks.gradients(), &config), "gossGossipCreate");
    if (order == MixOrder::kCombineThenAdapt) mixed_.emplace(flat.weights.size());
  }
  ~Gossip() override {
    for (const gossGossipRequest_t request : requests_) gossGossipWait(request);
    gossGossipDestroy(gossip_);
  }
  Gossip(const Gossip&) = delete;
  Gossip& operator=(const Gossip&) = delete;

  void begin(const StepPlan& plan, const Update& update) override {
    settle();
    step_ = plan.step;
    update_ = &update;
    if (order_ == MixOrder::kCombineThenAdapt) {
      mix({0, flat_.weights.size()}, mixed_->span());
    }
  }

  void post(Part part) override {
    if (order_ != MixOrder::kLayerwise) return;
    (*update_)(part);
    mix(part, flat_.weights);
  }

  void finish() override {
    const Part all{0, flat_.weights.size()};
    if (order_ == MixOrder::kCombineThenAdapt) {
      settle();
      std::ranges::copy(mixed_->span(), flat_.weights.begin());
      (*update_)(all);
    } else if (order_ == MixOrder::kAdaptThenCombine) {
      (*update_)(all);
      mix(all, flat_.weights);
      settle();
    }
    // Layer by layer the last parts go on while the next batch is prepared. Parts are mixed in
    // order, and the first layer's is the last: to wait for it is to wait for all.
  }

  void settle() override {
    std::vector<gossGossipRequest_t> requests;
    requests.swap(requests_);
    gossResult_t first = gossSuccess;
    for (const gossGossipRequest_t request : requests) {
      const gossResult_t result = gossGossipWait(request);
      if (first == gossSuccess) first = result;
    }
    check(first, "gossGossipPost");
  }

  double samples(const gossBatch_t& batch) const override {
    return static_cast<double>(batch.real) / ranks_.count();
  }

  SyncCounters counters() const override {
    const gossGossipStats_t stats = statistics();
    return {stats.messages, payload_bytes_, stats.bytes};
  }

  MixReport report() const override {
    const gossGossipStats_t stats = statistics();
    return {stats.disagreement, stats.skipped};
  }

 private:
  void mix(Part part, std::span<float> into) {
    gossGossipRequest_t request = nullptr;
    check(gossGossipPost(flat_.weights.data() + part.begin, into.data() + part.begin, part.size(),
                         gossFloat, step_, gossip_, &request),
          "gossGossipPost");
    requests_.push_back(request);
    payload_bytes_ += part.size() * sizeof(float);
  }

  gossGossipStats_t statistics() const {
    gossGossipStats_t stats{};
    stats.size = sizeof stats;
    check(gossGossipGetStats(gossip_, &stats), "gossGossipGetStats");
    return stats;
  }

  const Ranks& ranks_;
  Flat flat_;
  MixOrder order_;
  gossGossip_t gossip_ = nullptr;
  std::optional<FlatBuffer> mixed_;  // combine, then adapt: W x
  std::vector<gossGossipRequest_t> requests_;
  uint64_t step_ = 0;
  uint64_t payload_bytes_ = 0;
  const Update* update_ = nullptr;
};

}  // namespace

std::unique_ptr<Mixing> make_gossip(const Ranks& ranks, const Flat& flat,
                                    const gossGossipConfig_t& config, MixOrder order) {
  return std::make_unique<Gossip>(ranks, flat, config, order);
}

}  // namespace goss::train
