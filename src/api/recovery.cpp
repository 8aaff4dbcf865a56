// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// The entry points of gossamer/recovery.h.
#include "engine/recovery.h"

#include <algorithm>

#include "api/submit.h"
#include "gossamer/gossamer.h"

using goss::fail;
using goss::Status;
using goss::api::guarded;
using goss::api::in_group;
using goss::api::null_argument;
using goss::engine::Settings;
namespace engine = goss::engine;

namespace {

// Of a communicator that is made from another one: its own, else the parent's.
goss::Result<Settings> settings_within(gossComm_t parent, const gossConfig_t* config) {
  if (config != nullptr) return Settings::from(config);
  Settings settings = parent->settings;
  settings.name.clear();
  return settings;
}

Status join_grown(gossComm_t* newcomm, int nranks, const gossUniqueId* id, int rank,
                  const gossConfig_t* config) {
  if (id == nullptr) {
    return fail(gossInvalidArgument, "gossCommGrow : a new rank (comm NULL) needs the id");
  }
  if (rank < 0 || rank >= nranks) {
    return fail(gossInvalidArgument, "gossCommGrow : invalid rank %d of %d ranks", rank, nranks);
  }
  engine::JoinOptions options;
  options.rank = rank;
  options.nranks = nranks;
  GOSS_TRY_ASSIGN(options.settings, Settings::from(config));
  GOSS_TRY_ASSIGN(options.id, goss::bootstrap::UniqueId::parse(*id));
  return engine::init_rank(newcomm, options);
}

}  // namespace

extern "C" {

gossResult_t gossCommGetLostRanks(gossComm_t comm, int* ranks, int capacity, int* count) {
  return guarded([&]() -> Status {
    constexpr char kName[] = "gossCommGetLostRanks";
    if (count == nullptr) return null_argument(kName, "count");
    if (ranks == nullptr && capacity != 0) return null_argument(kName, "ranks");
    if (capacity < 0) return fail(gossInvalidArgument, "%s : capacity %d", kName, capacity);
    GOSS_TRY(engine::check_ready(comm));
    const std::vector<int> lost = engine::lost_ranks(comm);
    *count = static_cast<int>(lost.size());
    std::copy_n(lost.begin(), std::min(*count, capacity), ranks);
    return {};
  });
}

gossResult_t gossCommShrink(gossComm_t comm, int* excludeRanksList, int excludeRanksCount,
                            gossComm_t* newcomm, gossConfig_t* config, int shrinkFlags) {
  return in_group([&]() -> Status {
    if (newcomm == nullptr) return null_argument("gossCommShrink", "newcomm");
    engine::hand_out(newcomm, nullptr);
    if (excludeRanksList == nullptr) return null_argument("gossCommShrink", "excludeRanksList");
    if (excludeRanksCount < 1) {
      return fail(gossInvalidArgument,
                  "gossCommShrink : %d ranks are left out; leave out 1 or more", excludeRanksCount);
    }
    if (shrinkFlags != GOSS_SHRINK_DEFAULT && shrinkFlags != GOSS_SHRINK_ABORT) {
      return fail(gossInvalidArgument, "gossCommShrink : unknown flags 0x%x", shrinkFlags);
    }
    GOSS_TRY(engine::check_ready(comm));
    GOSS_TRY_ASSIGN(const Settings settings, settings_within(comm, config));
    return engine::shrink(comm, {excludeRanksList, excludeRanksList + excludeRanksCount},
                          shrinkFlags == GOSS_SHRINK_ABORT, settings, newcomm);
  });
}

gossResult_t gossCommGetUniqueId(gossComm_t comm, gossUniqueId* uniqueId) {
  return guarded([&]() -> Status {
    if (uniqueId == nullptr) return null_argument("gossCommGetUniqueId", "uniqueId");
    GOSS_TRY(engine::check_ready(comm));
    return engine::unique_id(uniqueId);
  });
}

gossResult_t gossCommGrow(gossComm_t comm, int nRanks, const gossUniqueId* uniqueId, int rank,
                          gossComm_t* newcomm, gossConfig_t* config) {
  return in_group([&]() -> Status {
    if (newcomm == nullptr) return null_argument("gossCommGrow", "newcomm");
    engine::hand_out(newcomm, nullptr);
    if (comm == nullptr) return join_grown(newcomm, nRanks, uniqueId, rank, config);
    GOSS_TRY(engine::check_ready(comm));
    if (rank != -1) {
      return fail(
          gossInvalidArgument,
          "gossCommGrow : rank %d: a rank of the communicator keeps its number and gives -1", rank);
    }
    GOSS_TRY_ASSIGN(const Settings settings, settings_within(comm, config));
    std::optional<gossUniqueId> id;
    if (uniqueId != nullptr) id = *uniqueId;
    return engine::grow(comm, nRanks, id, settings, newcomm);
  });
}

gossResult_t gossCommRevoke(gossComm_t comm, int revokeFlags) {
  return guarded([&]() -> Status {
    if (comm == nullptr) return {};
    if (revokeFlags != GOSS_REVOKE_DEFAULT) {
      return fail(gossInvalidArgument, "gossCommRevoke : unknown flags 0x%x", revokeFlags);
    }
    return engine::revoke(comm);
  });
}

gossResult_t gossCommSuspend(gossComm_t comm, int flags) {
  return in_group([&]() -> Status {
    if (flags != GOSS_SUSPEND_MEM) {
      return fail(gossInvalidArgument, "gossCommSuspend : flags 0x%x: use GOSS_SUSPEND_MEM", flags);
    }
    return engine::suspend(comm);
  });
}

gossResult_t gossCommResume(gossComm_t comm) {
  return guarded([&] { return engine::resume(comm); });
}

gossResult_t gossCommMemStats(gossComm_t comm, gossCommMemStat_t stat, uint64_t* value) {
  return guarded([&]() -> Status {
    if (value == nullptr) return null_argument("gossCommMemStats", "value");
    GOSS_TRY(engine::check_ready(comm));
    GOSS_TRY_ASSIGN(*value, engine::memory_statistic(comm, stat));
    return {};
  });
}

gossResult_t gossCommInitRankScalable(gossComm_t* newcomm, int nranks, int myrank, int nId,
                                      gossUniqueId* commIds, gossConfig_t* config) {
  if (newcomm != nullptr && commIds != nullptr && nId >= 1 && nId <= nranks) {
    return gossCommInitRankConfig(newcomm, nranks, commIds[0], myrank, config);
  }
  return in_group([&]() -> Status {
    constexpr char kName[] = "gossCommInitRankScalable";
    if (newcomm == nullptr) return null_argument(kName, "newcomm");
    engine::hand_out(newcomm, nullptr);
    if (commIds == nullptr) return null_argument(kName, "commIds");
    return fail(gossInvalidArgument, "%s : %d ids for %d ranks (1..%d)", kName, nId, nranks,
                nranks);
  });
}

}  // extern "C"
