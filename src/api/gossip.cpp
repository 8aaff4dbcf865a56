// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// The entry points of gossip.h: check pointers, translate, call the engine, catch.
#include "gossamer/gossip.h"

#include <algorithm>
#include <cstring>

#include "api/last_error.h"
#include "collectives/gossip_matrix.h"
#include "engine/gossip_calls.h"

using goss::fail;
using goss::Status;
using goss::api::guarded;
using goss::collectives::GossipSchedule;
namespace collectives = goss::collectives;
namespace engine = goss::engine;

namespace {

Status null_argument(const char* function, const char* argument) {
  return fail(gossInvalidArgument, "%s : %s is NULL", function, argument);
}

// A struct of the caller whose first member says how much of it he knows.
template <class Struct>
Status check_size(const char* function, const Struct* given) {
  if (given == nullptr) return null_argument(function, "the struct");
  if (given->size >= sizeof(Struct)) return {};
  return fail(gossInvalidArgument, "%s : size is %zu, expected %zu: set it to that of the struct",
              function, given->size, sizeof(Struct));
}

Status check_range(const char* field, int value, int least, int most) {
  if (value >= least && value <= most) return {};
  return fail(gossInvalidArgument, "gossGossipCreate : %s is %d (%d to %d)", field, value, least,
              most);
}

goss::Result<engine::GossipSettings> settings_from(const gossGossipConfig_t* config, int nranks) {
  engine::GossipSettings settings;
  if (config == nullptr) return settings;
  if (config->size < sizeof(gossGossipConfig_t) || config->magic != GOSS_API_MAGIC) {
    return fail(gossInvalidArgument,
                "gossGossipCreate : config not initialised with GOSS_GOSSIP_CONFIG_INITIALIZER");
  }
  GOSS_TRY(check_range("topology", config->topology, 0, gossNumGossipTopologies - 1));
  GOSS_TRY(check_range("compression", config->compression, 0, gossNumGossipCompressions - 1));
  for (const auto& [field, value] :
       {std::pair{"hypercubeSkips", config->hypercubeSkips}, {"rotate", config->rotate},
        {"pushSum", config->pushSum}, {"deterministic", config->deterministic}}) {
    GOSS_TRY(check_range(field, value, 0, 1));
  }
  GOSS_TRY(check_range("timeoutMs", config->timeoutMs, 0, INT32_MAX));
  collectives::GossipOptions& options = settings.options;
  options.topology = static_cast<collectives::Topology>(config->topology);
  options.hypercube_skips = config->hypercubeSkips == 1;
  options.rotate = config->rotate == 1;
  options.seed = config->seed;
  options.global_every = config->globalEvery;
  options.compression = static_cast<collectives::Compression>(config->compression);
  options.bits = config->bits;
  options.push_sum = config->pushSum == 1;
  options.staleness = config->maxStale;
  GOSS_TRY(check_range("customPhases", config->customPhases, 0, INT32_MAX / nranks));
  if (config->custom != nullptr) {
    for (int p = 0; p < config->customPhases; ++p) {
      const int* phase = config->custom + static_cast<ptrdiff_t>(p) * nranks;
      options.custom.emplace_back(phase, phase + nranks);
    }
  }
  settings.deterministic = config->deterministic == 1;
  settings.min_alive = config->minAlive;
  settings.timeout = std::chrono::milliseconds(config->timeoutMs);
  return settings;
}

engine::GossipCall call_of(const gossGossipBuffer_t* buffers, size_t nbuffers, gossDataType_t type,
                           uint64_t step) {
  engine::GossipCall call;
  call.step = step;
  call.type = type;
  for (size_t i = 0; i < nbuffers; ++i) {
    call.buffers.push_back({static_cast<const std::byte*>(buffers[i].sendbuff),
                            static_cast<std::byte*>(buffers[i].recvbuff), buffers[i].count});
  }
  return call;
}

gossResult_t submit(const gossGossipBuffer_t* buffers, size_t nbuffers, gossDataType_t type,
                    uint64_t step, gossGossip_t gossip, gossStream_t stream,
                    gossGossipRequest_t* request) {
  return guarded([&]() -> Status {
    return engine::gossip_submit(gossip, call_of(buffers, nbuffers, type, step), stream, request);
  });
}

// A query of a living object.
template <class Fn>
gossResult_t query(gossGossip_t gossip, Fn fn) {
  return guarded([&]() -> Status {
    GOSS_TRY(engine::check_gossip(gossip));
    return fn(*gossip->gossip);
  });
}

Status check_place(const engine::Gossip& gossip, const GossipSchedule& schedule, int rank,
                   int round) {
  if (rank < 0 || rank >= gossip.parts().nranks || !schedule.alive().contains(rank)) {
    return fail(gossInvalidArgument, "gossGossipGetPeers : rank %d is none of the %d living ranks",
                rank, schedule.alive().size());
  }
  if (round < 0 || round >= schedule.rounds()) {
    return fail(gossInvalidArgument, "gossGossipGetPeers : round %d of %d", round,
                schedule.rounds());
  }
  return {};
}

Status fill_peers(const GossipSchedule& schedule, collectives::GossipAt at,
                  gossGossipPeers_t* out) {
  if (out->sendPeers == nullptr || out->receivePeers == nullptr || out->receiveParts == nullptr) {
    return null_argument("gossGossipGetPeers", "an array");
  }
  const collectives::Exchange exchange = schedule.exchange(at);
  out->sends = exchange.sends;
  out->receives = exchange.receives;
  out->ownParts = exchange.own_parts;
  out->totalParts = exchange.total_parts;
  for (int i = 0; i < exchange.sends; ++i) out->sendPeers[i] = schedule.send_peer(at, i);
  for (int i = 0; i < exchange.receives; ++i) {
    const collectives::Incoming incoming = schedule.receive(at, i);
    out->receivePeers[i] = incoming.peer;
    out->receiveParts[i] = incoming.parts;
  }
  return {};
}

}  // namespace

extern "C" {

gossResult_t gossGossipCreate(gossGossip_t* gossip, gossComm_t comm,
                              const gossGossipConfig_t* config) {
  return guarded([&]() -> Status {
    if (gossip == nullptr) return null_argument("gossGossipCreate", "gossip");
    *gossip = nullptr;
    GOSS_TRY(engine::check_handle(comm));
    GOSS_TRY(engine::check_ready(comm));
    GOSS_TRY_ASSIGN(const engine::GossipSettings settings, settings_from(config, comm->nranks));
    return engine::gossip_create(gossip, comm, settings);
  });
}

gossResult_t gossGossipDestroy(gossGossip_t gossip) {
  return guarded([&]() -> Status {
    return gossip == nullptr ? Status() : engine::gossip_destroy(gossip);
  });
}

gossResult_t gossGossipMix(const void* sendbuff, void* recvbuff, size_t count,
                           gossDataType_t datatype, uint64_t step, gossGossip_t gossip,
                           gossStream_t stream) {
  const gossGossipBuffer_t buffer = {sendbuff, recvbuff, count};
  return submit(&buffer, 1, datatype, step, gossip, stream, nullptr);
}

gossResult_t gossGossipMixBuffers(const gossGossipBuffer_t* buffers, size_t nbuffers,
                                  gossDataType_t datatype, uint64_t step, gossGossip_t gossip,
                                  gossStream_t stream) {
  if (buffers == nullptr && nbuffers > 0) {
    return guarded([&] { return null_argument("gossGossipMixBuffers", "buffers"); });
  }
  return submit(buffers, nbuffers, datatype, step, gossip, stream, nullptr);
}

gossResult_t gossGossipPost(const void* sendbuff, void* recvbuff, size_t count,
                            gossDataType_t datatype, uint64_t step, gossGossip_t gossip,
                            gossGossipRequest_t* request) {
  if (request == nullptr) {
    return guarded([&] { return null_argument("gossGossipPost", "request"); });
  }
  *request = nullptr;
  const gossGossipBuffer_t buffer = {sendbuff, recvbuff, count};
  return submit(&buffer, 1, datatype, step, gossip, nullptr, request);
}

gossResult_t gossGossipFlush(const gossGossipBuffer_t* buffers, size_t nbuffers,
                             gossDataType_t datatype, unsigned int call, gossGossip_t gossip) {
  return guarded([&]() -> Status {
    if (buffers == nullptr && nbuffers > 0) return null_argument("gossGossipFlush", "buffers");
    return engine::gossip_flush(gossip, call_of(buffers, nbuffers, datatype, 0), call);
  });
}

gossResult_t gossGossipTest(gossGossipRequest_t request, int* done) {
  return guarded([&]() -> Status {
    if (done == nullptr) return null_argument("gossGossipTest", "done");
    bool reached = false;
    GOSS_TRY(engine::gossip_test(request, &reached));
    *done = reached ? 1 : 0;
    return {};
  });
}

gossResult_t gossGossipWait(gossGossipRequest_t request) {
  return guarded([&] { return engine::gossip_wait(request); });
}

gossResult_t gossGossipGetInfo(gossGossip_t gossip, gossGossipInfo_t* info) {
  return query(gossip, [&](const engine::Gossip& object) -> Status {
    GOSS_TRY(check_size("gossGossipGetInfo", info));
    const GossipSchedule schedule = object.schedule();
    info->topology = static_cast<gossGossipTopology_t>(schedule.topology());
    info->living = schedule.alive().size();
    info->period = schedule.period();
    info->rounds = schedule.rounds();
    info->contraction = collectives::contraction(schedule);
    info->newestStep = object.newest_step();
    info->weight = object.weight();
    return {};
  });
}

gossResult_t gossGossipGetPeers(gossGossip_t gossip, uint64_t step, int round, int rank,
                                gossGossipPeers_t* peers) {
  return query(gossip, [&](const engine::Gossip& object) -> Status {
    GOSS_TRY(check_size("gossGossipGetPeers", peers));
    const GossipSchedule schedule = object.schedule();
    GOSS_TRY(check_place(object, schedule, rank, round));
    return fill_peers(schedule, {step, rank, round}, peers);
  });
}

gossResult_t gossGossipGetMatrix(gossGossip_t gossip, uint64_t step, double* matrix) {
  return query(gossip, [&](const engine::Gossip& object) -> Status {
    if (matrix == nullptr) return null_argument("gossGossipGetMatrix", "matrix");
    const std::vector<double> w = collectives::mixing_matrix(object.schedule(), step);
    std::copy(w.begin(), w.end(), matrix);
    return {};
  });
}

gossResult_t gossGossipGetAlive(gossGossip_t gossip, int* alive) {
  return query(gossip, [&](const engine::Gossip& object) -> Status {
    if (alive == nullptr) return null_argument("gossGossipGetAlive", "alive");
    const GossipSchedule schedule = object.schedule();
    for (int r = 0; r < object.parts().nranks; ++r) alive[r] = schedule.alive().contains(r) ? 1 : 0;
    return {};
  });
}

gossResult_t gossGossipGetStats(gossGossip_t gossip, gossGossipStats_t* stats) {
  return query(gossip, [&](const engine::Gossip& object) -> Status {
    GOSS_TRY(check_size("gossGossipGetStats", stats));
    const engine::GossipStats& from = object.stats;
    stats->mixes = from.mixes.value();
    stats->messages = from.messages.value();
    stats->bytes = from.bytes.value();
    stats->skipped = from.skipped.value();
    stats->late = from.late.value();
    stats->mostStale = from.most_stale.load(std::memory_order_relaxed);
    stats->repairs = from.repairs.value();
    stats->suspicions = from.suspicions.value();
    stats->weightSent = from.weight_sent.load(std::memory_order_relaxed);
    stats->weightReceived = from.weight_received.load(std::memory_order_relaxed);
    stats->weightReturned = from.weight_returned.load(std::memory_order_relaxed);
    stats->disagreement = from.disagreement.load(std::memory_order_relaxed);
    return {};
  });
}

}  // extern "C"
