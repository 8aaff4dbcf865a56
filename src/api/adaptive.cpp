// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// The entry points of adaptive.h about batches: check pointers, translate, call, catch.
#include "gossamer/adaptive.h"

#include <algorithm>

#include "adaptive/batch_planner.h"
#include "api/adaptive.h"

using goss::fail;
using goss::Status;
using goss::adaptive::BatchPlanner;
using goss::api::check_pointer;
using goss::api::check_size;
using goss::api::copy_state;
using goss::api::guarded;

struct gossBatchPlanner {
  std::unique_ptr<BatchPlanner> planner;
};

extern "C" {

gossResult_t gossBatchPlannerCreate(gossBatchPlanner_t* planner, const gossBatchConfig_t* config) {
  return guarded([&]() -> Status {
    GOSS_TRY(check_pointer("gossBatchPlannerCreate", "planner", planner));
    *planner = nullptr;
    GOSS_TRY(check_pointer("gossBatchPlannerCreate", "config", config));
    GOSS_TRY_ASSIGN(auto made, BatchPlanner::create(*config));
    *planner = new gossBatchPlanner{std::move(made)};
    return {};
  });
}

gossResult_t gossBatchPlannerDestroy(gossBatchPlanner_t planner) {
  delete planner;
  return gossSuccess;
}

gossResult_t gossBatchPlannerExchange(gossBatchPlanner_t planner, gossExchange_t* exchange) {
  return guarded([&]() -> Status {
    GOSS_TRY(check_pointer("gossBatchPlannerExchange", "exchange", exchange));
    *exchange = {nullptr, 0, gossUint64, gossMax};
    GOSS_TRY(check_pointer("gossBatchPlannerExchange", "planner", planner));
    GOSS_TRY_ASSIGN(*exchange, planner->planner->exchange());
    return {};
  });
}

gossResult_t gossBatchPlannerGetEpoch(gossBatchPlanner_t planner, gossEpoch_t* epoch) {
  return guarded([&]() -> Status {
    GOSS_TRY(check_pointer("gossBatchPlannerGetEpoch", "planner", planner));
    GOSS_TRY(check_size("gossBatchPlannerGetEpoch", "epoch", epoch));
    return planner->planner->epoch(epoch);
  });
}

gossResult_t gossBatchPlannerGetBuckets(gossBatchPlanner_t planner, gossBucket_t* buckets,
                                        size_t capacity, size_t* count) {
  return guarded([&]() -> Status {
    GOSS_TRY(check_pointer("gossBatchPlannerGetBuckets", "planner", planner));
    GOSS_TRY(check_pointer("gossBatchPlannerGetBuckets", "buckets", buckets));
    GOSS_TRY(check_pointer("gossBatchPlannerGetBuckets", "count", count));
    GOSS_TRY_ASSIGN(const auto found, planner->planner->buckets());
    if (capacity < found.size()) {
      return fail(gossInvalidArgument,
                  "gossBatchPlannerGetBuckets : capacity %zu, but there are %zu buckets", capacity,
                  found.size());
    }
    std::copy(found.begin(), found.end(), buckets);
    *count = found.size();
    return {};
  });
}

gossResult_t gossBatchPlannerGetConfig(gossBatchPlanner_t planner, gossBatchConfig_t* config) {
  return guarded([&]() -> Status {
    GOSS_TRY(check_pointer("gossBatchPlannerGetConfig", "planner", planner));
    GOSS_TRY(check_size("gossBatchPlannerGetConfig", "config", config));
    const size_t size = config->size;
    *config = planner->planner->config();
    config->size = size;
    return {};
  });
}

gossResult_t gossBatchPlannerGetBatch(gossBatchPlanner_t planner, uint64_t step, int rank,
                                      int nranks, gossBatch_t* batch, uint32_t* samples,
                                      float* weights, size_t capacity) {
  return guarded([&]() -> Status {
    GOSS_TRY(check_pointer("gossBatchPlannerGetBatch", "planner", planner));
    GOSS_TRY(check_size("gossBatchPlannerGetBatch", "batch", batch));
    const BatchPlanner::Seat seat{rank, nranks};
    if (samples != nullptr || weights != nullptr) {
      GOSS_TRY(planner->planner->fill_batch(step, seat, {samples, weights, capacity}));
    }
    return planner->planner->describe_batch(step, seat, batch);
  });
}

gossResult_t gossBatchPlannerRecord(gossBatchPlanner_t planner, uint64_t step, int rank, int nranks,
                                    const float* losses, size_t count) {
  return guarded([&]() -> Status {
    GOSS_TRY(check_pointer("gossBatchPlannerRecord", "planner", planner));
    GOSS_TRY(check_pointer("gossBatchPlannerRecord", "losses", losses));
    return planner->planner->record(step, {rank, nranks}, {losses, count});
  });
}

gossResult_t gossBatchPlannerEndEpoch(gossBatchPlanner_t planner) {
  return guarded([&]() -> Status {
    GOSS_TRY(check_pointer("gossBatchPlannerEndEpoch", "planner", planner));
    return planner->planner->end_epoch();
  });
}

gossResult_t gossBatchPlannerGuard(gossBatchPlanner_t planner, const float* losses, size_t count) {
  return guarded([&]() -> Status {
    GOSS_TRY(check_pointer("gossBatchPlannerGuard", "planner", planner));
    GOSS_TRY(check_pointer("gossBatchPlannerGuard", "losses", losses));
    return planner->planner->guard({losses, count});
  });
}

gossResult_t gossBatchPlannerSave(gossBatchPlanner_t planner, void* state, size_t capacity_bytes,
                                  size_t* bytes) {
  return guarded([&]() -> Status {
    GOSS_TRY(check_pointer("gossBatchPlannerSave", "planner", planner));
    GOSS_TRY(check_pointer("gossBatchPlannerSave", "bytes", bytes));
    GOSS_TRY_ASSIGN(const auto saved, planner->planner->save());
    return copy_state("gossBatchPlannerSave", saved, {state, capacity_bytes, bytes});
  });
}

gossResult_t gossBatchPlannerRestore(gossBatchPlanner_t* planner, const void* state, size_t bytes) {
  return guarded([&]() -> Status {
    GOSS_TRY(check_pointer("gossBatchPlannerRestore", "planner", planner));
    *planner = nullptr;
    GOSS_TRY(check_pointer("gossBatchPlannerRestore", "state", state));
    GOSS_TRY_ASSIGN(auto made,
                    BatchPlanner::restore({static_cast<const std::byte*>(state), bytes}));
    *planner = new gossBatchPlanner{std::move(made)};
    return {};
  });
}

}  // extern "C"
