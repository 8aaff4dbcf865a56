// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Planners of several ranks in one thread, used as trainers use them: through the C API, with an
// all-reduce that is a loop.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "gossamer/adaptive.h"

namespace goss::test {

inline std::string said() { return gossGetLastError(nullptr); }

struct SlotBatch {
  gossBatch_t batch;
  std::vector<uint32_t> samples;
  std::vector<float> weights;
};

class Planners {
 public:
  // With sharded data, samples[r] are rank r's; else samples[0] are everybody's.
  Planners(gossBatchConfig_t config, int nranks, std::vector<uint64_t> samples) {
    for (int rank = 0; rank < nranks; ++rank) {
      config.rank = rank;
      config.nranks = nranks;
      config.samples = samples[config.sharded == 1 ? static_cast<size_t>(rank) : 0];
      gossBatchPlanner_t planner = nullptr;
      EXPECT_EQ(gossBatchPlannerCreate(&planner, &config), gossSuccess) << said();
      handles_.push_back(planner);
    }
  }
  Planners(const Planners&) = delete;
  Planners& operator=(const Planners&) = delete;
  ~Planners() {
    for (gossBatchPlanner_t planner : handles_) gossBatchPlannerDestroy(planner);
  }

  int nranks() const { return static_cast<int>(handles_.size()); }
  gossBatchPlanner_t operator[](int rank) const { return handles_[static_cast<size_t>(rank)]; }
  void replace(int rank, gossBatchPlanner_t planner) {
    gossBatchPlannerDestroy(handles_[static_cast<size_t>(rank)]);
    handles_[static_cast<size_t>(rank)] = planner;
  }

  // All exchanges of an epoch; returns what each rank came to.
  std::vector<gossResult_t> exchange() {
    std::vector<gossResult_t> results(handles_.size(), gossSuccess);
    for (;;) {
      std::vector<gossExchange_t> offers(handles_.size());
      for (size_t r = 0; r < handles_.size(); ++r) {
        results[r] = gossBatchPlannerExchange(handles_[r], &offers[r]);
      }
      const bool failed = std::any_of(results.begin(), results.end(),
                                      [](gossResult_t code) { return code != gossSuccess; });
      if (failed || offers[0].count == 0) return results;
      for (const gossExchange_t& offer : offers) {
        EXPECT_EQ(offer.count, offers[0].count);
        EXPECT_EQ(offer.datatype, offers[0].datatype);
        EXPECT_EQ(offer.op, offers[0].op);
      }
      all_reduce(offers);
      ++exchanges_;
    }
  }
  void exchange_well() {
    for (const gossResult_t code : exchange()) ASSERT_EQ(code, gossSuccess) << said();
  }
  int exchanges() const { return exchanges_; }

  gossEpoch_t epoch(int rank = 0) const {
    gossEpoch_t epoch{};
    epoch.size = sizeof(epoch);
    EXPECT_EQ(gossBatchPlannerGetEpoch((*this)[rank], &epoch), gossSuccess) << said();
    return epoch;
  }
  std::vector<gossBucket_t> buckets(int rank = 0) const {
    std::vector<gossBucket_t> buckets(GOSS_MAX_BUCKETS);
    size_t count = 0;
    EXPECT_EQ(gossBatchPlannerGetBuckets((*this)[rank], buckets.data(), buckets.size(), &count),
              gossSuccess)
        << said();
    buckets.resize(count);
    return buckets;
  }
  // As `rank` of `nranks`, which need not be the planners' own number with global data.
  SlotBatch batch(uint64_t step, int rank, int nranks) const {
    SlotBatch out{};
    out.batch.size = sizeof(out.batch);
    gossBatchPlanner_t planner = (*this)[std::min(rank, this->nranks() - 1)];
    EXPECT_EQ(
        gossBatchPlannerGetBatch(planner, step, rank, nranks, &out.batch, nullptr, nullptr, 0),
        gossSuccess)
        << said();
    out.samples.resize(out.batch.slots);
    out.weights.resize(out.batch.slots);
    EXPECT_EQ(gossBatchPlannerGetBatch(planner, step, rank, nranks, &out.batch, out.samples.data(),
                                       out.weights.data(), out.batch.slots),
              gossSuccess)
        << said();
    return out;
  }
  SlotBatch batch(uint64_t step, int rank) const { return batch(step, rank, nranks()); }

  using Loss = std::function<float(int rank, uint32_t sample, uint64_t step)>;
  void record(uint64_t step, int rank, const Loss& loss) {
    const SlotBatch now = batch(step, rank);
    std::vector<float> losses;
    for (const uint32_t sample : now.samples) losses.push_back(loss(rank, sample, step));
    losses.push_back(0);  // so that data() is never NULL
    ASSERT_EQ(gossBatchPlannerRecord((*this)[rank], step, rank, nranks(), losses.data(),
                                     now.samples.size()),
              gossSuccess)
        << said();
  }
  void record_all(const Loss& loss) {
    for (uint64_t step = 0; step < epoch().steps; ++step) {
      for (int rank = 0; rank < nranks(); ++rank) record(step, rank, loss);
    }
  }
  void end_epoch() {
    for (gossBatchPlanner_t planner : handles_) {
      ASSERT_EQ(gossBatchPlannerEndEpoch(planner), gossSuccess) << said();
    }
  }
  // Record all, end the epoch, exchange.
  void next_epoch(const Loss& loss) {
    record_all(loss);
    end_epoch();
    exchange_well();
  }

 private:
  template <class T>
  static void reduce(const std::vector<gossExchange_t>& offers) {
    for (size_t i = 0; i < offers[0].count; ++i) {
      T result = static_cast<const T*>(offers[0].buffer)[i];
      for (size_t r = 1; r < offers.size(); ++r) {
        const T other = static_cast<const T*>(offers[r].buffer)[i];
        result = offers[0].op == gossMax ? std::max(result, other) : result + other;
      }
      for (const gossExchange_t& offer : offers) static_cast<T*>(offer.buffer)[i] = result;
    }
  }
  static void all_reduce(const std::vector<gossExchange_t>& offers) {
    ASSERT_TRUE(offers[0].op == gossMax || offers[0].op == gossSum);
    ASSERT_TRUE(offers[0].datatype == gossUint32 || offers[0].datatype == gossUint64);
    if (offers[0].datatype == gossUint32)
      reduce<uint32_t>(offers);
    else
      reduce<uint64_t>(offers);
  }

  std::vector<gossBatchPlanner_t> handles_;
  int exchanges_ = 0;
};

inline gossBatchConfig_t batch_config(gossBatchMode_t mode) {
  gossBatchConfig_t config = GOSS_BATCH_CONFIG_INITIALIZER;
  config.mode = mode;
  config.seed = 7;
  return config;
}

// A loss that is different for every sample and looks random.
inline float scattered_loss(int rank, uint32_t sample, uint64_t /*step*/) {
  const uint32_t mixed = (sample + 1u) * 2654435761u ^ static_cast<uint32_t>(rank) * 40503u;
  return static_cast<float>(mixed >> 8) * 0x1p-22f;
}

}  // namespace goss::test
