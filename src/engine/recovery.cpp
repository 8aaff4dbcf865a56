// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// The calls of gossamer/recovery.h below the C boundary: shrink, grow, revoke, suspend.
#include "engine/recovery.h"

#include <algorithm>

#include "engine/calls.h"
#include "engine/group.h"
#include "engine/membership.h"
#include "engine/span.h"

namespace goss::engine {

namespace {

// Calls of this rank that are under way fail, and those of the others.
void stop_calls(gossComm* parent) {
  Communicator& comm = *parent->comm;
  const Status stopped = fail(gossRemoteError, "%s stopped communicator '%s' to shrink it",
                              comm.name_of(comm.rank()).c_str(), comm.settings().name.c_str());
  comm.stop(stopped, stopped);
}

// They return soon after that, whatever thread is inside.
void await_exit(gossComm* parent) {
  constexpr int kRounds = 20'000;  // some seconds
  for (int round = 0; round < kRounds; ++round) {
    if (!parent->busy.load(std::memory_order_relaxed)) return;
    nap(round);
  }
}

Status enter_parent(gossComm* parent, const Inside& inside, bool blocking) {
  if (!inside.entered()) return inside.refusal();
  if (parent->finalized) {
    return fail(gossInvalidUsage, "refused: the communicator has been finalized");
  }
  return blocking || in_group() ? wait_queued(parent) : Status();
}

}  // namespace

Status shrink(gossComm* parent, std::vector<int> excluded, bool stop, const Settings& settings,
              gossComm** out) {
  std::sort(excluded.begin(), excluded.end());
  excluded.erase(std::unique(excluded.begin(), excluded.end()), excluded.end());
  for (int r : excluded) {
    if (r < 0 || r >= parent->nranks) {
      return fail(gossInvalidArgument, "gossCommShrink : invalid rank %d (ranks are 0..%d)", r,
                  parent->nranks - 1);
    }
    if (r == parent->rank) {
      return fail(
          gossInvalidArgument,
          "gossCommShrink : rank %d is in its own list; ranks that are left out do not call", r);
    }
  }
  GOSS_TRY(
      check_place(static_cast<int>(parent->nranks - static_cast<int>(excluded.size())), settings));
  if (stop) {
    stop_calls(parent);
    await_exit(parent);
  }
  const Inside inside(parent);
  GOSS_TRY(enter_parent(parent, inside, settings.blocking));
  return make_from(parent, make_shrink(parent->comm.get(), excluded, settings), settings, out);
}

Status grow(gossComm* parent, int nranks, const std::optional<gossUniqueId>& id,
            const Settings& settings, gossComm** out) {
  if (nranks <= parent->nranks) {
    return fail(gossInvalidArgument,
                "gossCommGrow : %d ranks: the communicator has %d, give more than that", nranks,
                parent->nranks);
  }
  GOSS_TRY(check_place(nranks, settings));
  return or_lose(parent, [&]() -> Status {
    const Inside inside(parent);
    GOSS_TRY(enter_parent(parent, inside, settings.blocking));
    return make_from(parent, make_grow(parent->comm.get(), nranks, id, settings), settings, out);
  });
}

Status revoke(gossComm* handle) {
  Status status = fail(gossInvalidArgument, "%p is not a communicator, or was destroyed",
                       static_cast<void*>(handle));
  while_living(handle, [&] {
    status = check_ready(handle);
    if (!status.ok()) return;
    if (handle->finalized || handle->revoked.exchange(true)) {
      status = fail(gossInvalidArgument, "gossCommRevoke : the communicator was %s before",
                    handle->finalized ? "finalized" : "revoked");
      return;
    }
    Communicator& comm = *handle->comm;
    comm.stop(
        fail(gossInvalidUsage, "communicator '%s' was revoked by this rank: shrink or destroy it",
             comm.settings().name.c_str()),
        fail(gossRemoteError, "%s revoked communicator '%s'", comm.name_of(comm.rank()).c_str(),
             comm.settings().name.c_str()));
  });
  return status;
}

std::vector<int> lost_ranks(gossComm* handle) {
  Communicator& comm = *handle->comm;
  std::vector<int> lost;
  for (int r = 0; r < comm.nranks(); ++r) {
    if (r == comm.rank()) continue;
    const int there = comm.parts().job_ranks[static_cast<size_t>(r)];
    if (comm.has_left(r) || comm.parts().job->is_dead(there)) lost.push_back(r);
  }
  return lost;
}

Status suspend(gossComm* handle) {
  GOSS_TRY(check_ready(handle));
  if (in_group()) {
    return fail(gossInvalidUsage, "refused: a group gives no memory back: suspend after its end");
  }
  Operation barrier;
  barrier.kind = collectives::Kind::kBarrier;
  barrier.suspends = true;
  const Status status = submit(handle, barrier, nullptr);
  // From the call on, not from its end: all ranks refuse the same calls.
  if (status.ok() || status.code() == gossInProgress) handle->suspended = true;
  return status;
}

Status resume(gossComm* handle) {
  GOSS_TRY(check_ready(handle));
  if (!handle->comm->suspended()) {
    return fail(gossInvalidUsage, "refused: the communicator is not suspended");
  }
  handle->comm->resume();
  handle->suspended = false;
  return {};
}

Result<uint64_t> memory_statistic(gossComm* handle, gossCommMemStat_t stat) {
  uint64_t staging = handle->comm->stats.staging_bytes.value();
  const Span* span = handle->comm->span();
  if (span != nullptr && span->local() != nullptr) {
    staging += span->local()->stats.staging_bytes.value();
  }
  const uint64_t persistent = statistics(handle).private_bytes + sizeof(shm::RankArea) +
                              static_cast<uint64_t>(handle->nranks) * sizeof(PairState);
  switch (stat) {
    case gossStatGpuMemSuspend: return staging;
    case gossStatGpuMemSuspended: return uint64_t{handle->comm->suspended()};
    case gossStatGpuMemPersist: return persistent;
    case gossStatGpuMemTotal: return staging + persistent;
  }
  return fail(gossInvalidArgument, "gossCommMemStats : unknown statistic %d (0..%d)",
              static_cast<int>(stat), gossStatGpuMemTotal);
}

}  // namespace goss::engine
