// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Every entry point of gossamer.h: check pointers, translate, call the engine, catch.
#include <algorithm>
#include <cstring>

#include "api/submit.h"
#include "engine/calls.h"
#include "engine/group.h"
#include "engine/reactor.h"
#include "gossamer/gossamer.h"

using goss::fail;
using goss::Status;
using goss::api::guarded;
using goss::api::in_group;
using goss::api::null_argument;
using goss::api::submit;
using goss::collectives::Kind;
using goss::engine::Operation;
using goss::engine::Settings;
namespace engine = goss::engine;

namespace {

void put_text(const std::string& from, char* text, size_t size) {
  const size_t length = std::min(from.size(), size - 1);
  std::memcpy(text, from.data(), length);
  text[length] = '\0';
}

Status init(gossComm_t* comm, int nranks, const gossUniqueId& id, int rank,
            const gossConfig_t* config) {
  if (comm == nullptr) return null_argument("gossCommInitRank", "comm");
  engine::hand_out(comm, nullptr);
  if (nranks < 1 || rank < 0 || rank >= nranks) {
    return fail(gossInvalidArgument, "gossCommInitRank : invalid rank %d of %d ranks", rank,
                nranks);
  }
  engine::JoinOptions options;
  options.rank = rank;
  options.nranks = nranks;
  GOSS_TRY_ASSIGN(options.settings, Settings::from(config));
  GOSS_TRY_ASSIGN(options.id, goss::bootstrap::UniqueId::parse(id));
  return engine::init_rank(comm, options);
}

// For handles that may be NULL (success) or dead (gossInvalidArgument).
template <class Fn>
gossResult_t ending(gossComm_t comm, Fn fn) {
  return guarded([&]() -> Status { return comm == nullptr ? Status() : fn(comm); });
}

Operation buffers(Kind kind, const void* sendbuff, void* recvbuff, size_t count,
                  gossDataType_t type) {
  Operation operation;
  operation.kind = kind;
  operation.type = type;
  operation.count = count;
  operation.buffer = {static_cast<const std::byte*>(sendbuff), static_cast<std::byte*>(recvbuff),
                      count};
  return operation;
}

// Not inlined: the call that only extends a group shall not pay for their frames.
[[gnu::noinline]] gossResult_t all_reduce(const void* sendbuff, void* recvbuff, size_t count,
                                          gossDataType_t datatype, gossRedOp_t op, gossComm_t comm,
                                          gossStream_t stream) {
  Operation operation = buffers(Kind::kAllReduce, sendbuff, recvbuff, count, datatype);
  operation.op = op;
  return submit(operation, comm, stream);
}

[[gnu::noinline]] gossResult_t broadcast(const void* sendbuff, void* recvbuff, size_t count,
                                         gossDataType_t datatype, int root, gossComm_t comm,
                                         gossStream_t stream) {
  Operation operation = buffers(Kind::kBroadcast, sendbuff, recvbuff, count, datatype);
  operation.root = root;
  return submit(operation, comm, stream);
}

}  // namespace

extern "C" {

gossResult_t gossGetVersion(int* version) {
  return guarded([&]() -> Status {
    if (version == nullptr) return null_argument("gossGetVersion", "version");
    *version = GOSS_VERSION_CODE;
    return {};
  });
}

const char* gossGetErrorString(gossResult_t result) { return goss::to_string(result); }

const char* gossGetLastError(void* comm) {
  auto* handle = static_cast<gossComm_t>(comm);
  // Of no communicator of this process: the last failure of this thread.
  if (handle == nullptr || !engine::is_own(handle)) return goss::api::last_error();
  return goss::api::keep_text(engine::first_failure(handle).message());
}

gossResult_t gossGetUniqueId(gossUniqueId* uniqueId) {
  return guarded([&]() -> Status {
    if (uniqueId == nullptr) return null_argument("gossGetUniqueId", "uniqueId");
    return engine::unique_id(uniqueId);
  });
}

gossResult_t gossCommInitRank(gossComm_t* comm, int nranks, gossUniqueId id, int rank) {
  return in_group([&] { return init(comm, nranks, id, rank, nullptr); });
}

gossResult_t gossCommInitRankConfig(gossComm_t* comm, int nranks, gossUniqueId id, int rank,
                                    gossConfig_t* config) {
  return in_group([&] { return init(comm, nranks, id, rank, config); });
}

gossResult_t gossCommInitEnv(gossComm_t* comm, gossConfig_t* config) {
  return in_group([&]() -> Status {
    if (comm == nullptr) return null_argument("gossCommInitEnv", "comm");
    engine::hand_out(comm, nullptr);
    GOSS_TRY_ASSIGN(const Settings settings, Settings::from(config));
    return engine::init_from_environment(comm, settings);
  });
}

gossResult_t gossCommInitAll(gossComm_t* comms, int ndev, const int* devlist) {
  return in_group([&]() -> Status {
    if (comms == nullptr) return null_argument("gossCommInitAll", "comms");
    if (ndev < 1) return fail(gossInvalidArgument, "gossCommInitAll : invalid ndev %d", ndev);
    std::fill(comms, comms + ndev, nullptr);
    return engine::init_all(comms, ndev, devlist);
  });
}

gossResult_t gossCommSplit(gossComm_t comm, int color, int key, gossComm_t* newcomm,
                           gossConfig_t* config) {
  return in_group([&]() -> Status {
    if (newcomm == nullptr) return null_argument("gossCommSplit", "newcomm");
    engine::hand_out(newcomm, nullptr);
    GOSS_TRY(engine::check_ready(comm));
    Settings settings = comm->settings;
    settings.name.clear();
    if (config != nullptr) {
      GOSS_TRY_ASSIGN(settings, Settings::from(config));
    }
    return engine::split(comm, color, key, newcomm, settings);
  });
}

gossResult_t gossCommFinalize(gossComm_t comm) {
  return in_group([&]() -> Status {
    if (comm == nullptr) return {};
    GOSS_TRY(engine::check_handle(comm));
    return engine::finalize(comm);
  });
}

gossResult_t gossCommDestroy(gossComm_t comm) { return ending(comm, engine::destroy); }

gossResult_t gossCommAbort(gossComm_t comm) { return ending(comm, engine::abort); }

gossResult_t gossCommGetAsyncError(gossComm_t comm, gossResult_t* asyncError) {
  return guarded([&]() -> Status {
    if (asyncError == nullptr) return null_argument("gossCommGetAsyncError", "asyncError");
    if (comm == nullptr) return null_argument("gossCommGetAsyncError", "comm");
    Status state;
    GOSS_TRY(engine::async_error(comm, &state));
    *asyncError = state.code();
    return {};
  });
}

gossResult_t gossCommCount(const gossComm_t comm, int* count) {
  return guarded([&]() -> Status {
    if (count == nullptr) return null_argument("gossCommCount", "count");
    GOSS_TRY(engine::check_ready(comm));
    *count = comm->nranks;
    return {};
  });
}

gossResult_t gossCommUserRank(const gossComm_t comm, int* rank) {
  return guarded([&]() -> Status {
    if (rank == nullptr) return null_argument("gossCommUserRank", "rank");
    GOSS_TRY(engine::check_ready(comm));
    *rank = comm->rank;
    return {};
  });
}

gossResult_t gossCommCuDevice(const gossComm_t comm, int* device) {
  return guarded([&]() -> Status {
    if (device == nullptr) return null_argument("gossCommCuDevice", "device");
    GOSS_TRY(engine::check_ready(comm));
    *device = comm->settings.device;
    return {};
  });
}

gossResult_t gossCommGetStats(gossComm_t comm, gossCommStats_t* stats) {
  return guarded([&]() -> Status {
    if (stats == nullptr) return null_argument("gossCommGetStats", "stats");
    if (stats->size < sizeof(size_t)) {
      return fail(gossInvalidArgument,
                  "gossCommGetStats : size %zu: set it to sizeof(gossCommStats_t)", stats->size);
    }
    GOSS_TRY(engine::check_handle(comm));
    const gossCommStats_t all = engine::statistics(comm);
    const size_t bytes = std::min(stats->size, sizeof(all));
    const size_t size = stats->size;
    std::memcpy(stats, &all, bytes);
    stats->size = size;
    return {};
  });
}

gossResult_t gossAllReduce(const void* sendbuff, void* recvbuff, size_t count,
                           gossDataType_t datatype, gossRedOp_t op, gossComm_t comm,
                           gossStream_t stream) {
  const uint64_t how = engine::movement(Kind::kAllReduce, datatype, op, 0);
  if (engine::group_extend(comm, how, sendbuff, recvbuff, count, stream)) return gossSuccess;
  return all_reduce(sendbuff, recvbuff, count, datatype, op, comm, stream);
}

gossResult_t gossBroadcast(const void* sendbuff, void* recvbuff, size_t count,
                           gossDataType_t datatype, int root, gossComm_t comm,
                           gossStream_t stream) {
  const uint64_t how = engine::movement(Kind::kBroadcast, datatype, gossSum, root);
  if (engine::group_extend(comm, how, sendbuff, recvbuff, count, stream)) return gossSuccess;
  return broadcast(sendbuff, recvbuff, count, datatype, root, comm, stream);
}

gossResult_t gossBcast(void* buff, size_t count, gossDataType_t datatype, int root, gossComm_t comm,
                       gossStream_t stream) {
  return gossBroadcast(buff, buff, count, datatype, root, comm, stream);
}

gossResult_t gossReduce(const void* sendbuff, void* recvbuff, size_t count, gossDataType_t datatype,
                        gossRedOp_t op, int root, gossComm_t comm, gossStream_t stream) {
  Operation operation = buffers(Kind::kReduce, sendbuff, recvbuff, count, datatype);
  operation.op = op;
  operation.root = root;
  return submit(operation, comm, stream);
}

gossResult_t gossAllGather(const void* sendbuff, void* recvbuff, size_t sendcount,
                           gossDataType_t datatype, gossComm_t comm, gossStream_t stream) {
  return submit(buffers(Kind::kAllGather, sendbuff, recvbuff, sendcount, datatype), comm, stream);
}

gossResult_t gossReduceScatter(const void* sendbuff, void* recvbuff, size_t recvcount,
                               gossDataType_t datatype, gossRedOp_t op, gossComm_t comm,
                               gossStream_t stream) {
  Operation operation = buffers(Kind::kReduceScatter, sendbuff, recvbuff, recvcount, datatype);
  operation.op = op;
  return submit(operation, comm, stream);
}

gossResult_t gossAlltoAll(const void* sendbuff, void* recvbuff, size_t count,
                          gossDataType_t datatype, gossComm_t comm, gossStream_t stream) {
  return submit(buffers(Kind::kAllToAll, sendbuff, recvbuff, count, datatype), comm, stream);
}

gossResult_t gossGather(const void* sendbuff, void* recvbuff, size_t count, gossDataType_t datatype,
                        int root, gossComm_t comm, gossStream_t stream) {
  Operation operation = buffers(Kind::kGather, sendbuff, recvbuff, count, datatype);
  operation.root = root;
  return submit(operation, comm, stream);
}

gossResult_t gossScatter(const void* sendbuff, void* recvbuff, size_t count,
                         gossDataType_t datatype, int root, gossComm_t comm, gossStream_t stream) {
  Operation operation = buffers(Kind::kScatter, sendbuff, recvbuff, count, datatype);
  operation.root = root;
  return submit(operation, comm, stream);
}

gossResult_t gossBarrier(gossComm_t comm, gossStream_t stream) {
  return submit(Operation(), comm, stream);
}

gossResult_t gossGroupStart(void) {
  return guarded([]() -> Status {
    engine::group_start();
    return {};
  });
}

gossResult_t gossGroupEnd(void) {
  return guarded([] { return engine::group_end(); });
}

gossResult_t gossMemAlloc(void** ptr, size_t size) {
  return guarded([&]() -> Status {
    if (ptr == nullptr) return null_argument("gossMemAlloc", "ptr");
    *ptr = nullptr;
    if (size == 0) return fail(gossInvalidArgument, "gossMemAlloc : size is 0");
    GOSS_TRY_ASSIGN(*ptr, engine::allocate_memory(size));
    return {};
  });
}

gossResult_t gossMemFree(void* ptr) {
  return guarded([&]() -> Status { return ptr == nullptr ? Status() : engine::free_memory(ptr); });
}

gossResult_t gossStreamCreate(gossStream_t* stream) {
  return guarded([&]() -> Status {
    if (stream == nullptr) return null_argument("gossStreamCreate", "stream");
    return engine::stream_create(stream);
  });
}

gossResult_t gossStreamDestroy(gossStream_t stream) {
  return guarded([&]() -> Status {
    if (stream == nullptr) return {};
    GOSS_TRY(engine::check_stream(stream));
    const Status ignored = stream->stream->wait();  // told by gossStreamSynchronize
    static_cast<void>(ignored.ok());
    stream->magic = 0;
    delete stream;
    return {};
  });
}

gossResult_t gossStreamSynchronize(gossStream_t stream) {
  return guarded([&]() -> Status {
    GOSS_TRY(engine::check_stream(stream));
    return stream->stream->wait();
  });
}

gossResult_t gossStreamQuery(gossStream_t stream) {
  return guarded([&]() -> Status {
    GOSS_TRY(engine::check_stream(stream));
    Status first;
    const bool idle = stream->stream->idle(&first);
    if (first.ok() && !idle) return fail(gossInProgress, "work is in progress");
    return first;
  });
}

gossResult_t gossStreamAddCallback(gossStream_t stream, void (*fn)(void* data), void* data) {
  return guarded([&]() -> Status {
    if (fn == nullptr) return null_argument("gossStreamAddCallback", "fn");
    return engine::stream_push(stream, engine::make_callback_work([fn, data] { fn(data); }));
  });
}

gossResult_t gossStreamWaitEvent(gossStream_t stream, gossEvent_t event) {
  return guarded([&]() -> Status {
    GOSS_TRY(engine::check_event(event));
    return engine::stream_push(stream, engine::make_wait_event_work(event->event));
  });
}

gossResult_t gossEventCreate(gossEvent_t* event) {
  return guarded([&]() -> Status {
    if (event == nullptr) return null_argument("gossEventCreate", "event");
    *event = new gossEvent;
    (*event)->generation = engine::Reactor::generation();
    return {};
  });
}

gossResult_t gossEventDestroy(gossEvent_t event) {
  return guarded([&]() -> Status {
    if (event == nullptr) return {};
    GOSS_TRY(engine::check_event(event));
    event->magic = 0;
    delete event;
    return {};
  });
}

gossResult_t gossEventRecord(gossEvent_t event, gossStream_t stream) {
  return guarded([&]() -> Status {
    GOSS_TRY(engine::check_event(event));
    GOSS_TRY(engine::check_stream(stream));
    return engine::stream_push(stream, engine::make_record_work(&event->event));
  });
}

gossResult_t gossEventQuery(gossEvent_t event) {
  return guarded([&]() -> Status {
    GOSS_TRY(engine::check_event(event));
    const engine::EventPointPtr point = event->event.recorded();
    if (point == nullptr || point->reached()) return {};
    return fail(gossInProgress, "the event has not happened yet");
  });
}

gossResult_t gossEventSynchronize(gossEvent_t event) {
  return guarded([&]() -> Status {
    GOSS_TRY(engine::check_event(event));
    if (const engine::EventPointPtr point = event->event.recorded()) point->wait();
    return {};
  });
}

gossResult_t gossExplainPeer(gossComm_t comm, int peer, char* text, size_t size) {
  return guarded([&]() -> Status {
    if (text == nullptr) return null_argument("gossExplainPeer", "text");
    if (size == 0) return fail(gossInvalidArgument, "gossExplainPeer : size is 0");
    GOSS_TRY(engine::check_ready(comm));
    if (peer < 0 || peer >= comm->nranks) {
      return fail(gossInvalidArgument, "gossExplainPeer : peer %d of %d ranks", peer, comm->nranks);
    }
    put_text(engine::explain_peer(comm, peer), text, size);
    return {};
  });
}

gossResult_t gossExplain(gossComm_t comm, const char* collective_name, size_t count,
                         gossDataType_t datatype, char* text, size_t size) {
  return guarded([&]() -> Status {
    if (collective_name == nullptr) return null_argument("gossExplain", "collective");
    if (text == nullptr) return null_argument("gossExplain", "text");
    if (size == 0) return fail(gossInvalidArgument, "gossExplain : size is 0");
    GOSS_TRY(engine::check_ready(comm));
    if (!goss::valid_type(datatype)) {
      return fail(gossInvalidArgument, "gossExplain : invalid type %d", static_cast<int>(datatype));
    }
    size_t bytes = 0;
    const auto nranks = static_cast<size_t>(comm->nranks);
    if (!goss::checked_multiply(count, nranks * goss::type_size(datatype), &bytes)) {
      return fail(gossInvalidArgument,
                  "gossExplain : count %zu of %s is larger than the address space", count,
                  goss::type_name(datatype));
    }
    std::string known;
    for (int k = 0; k < goss::collectives::kNumKinds; ++k) {
      const auto kind = static_cast<Kind>(k);
      known += std::string(k == 0 ? "" : ", ") + kind_name(kind);
      if (std::strcmp(collective_name, kind_name(kind)) != 0) continue;
      put_text(engine::explain(comm, kind, count, datatype), text, size);
      return {};
    }
    return fail(gossInvalidArgument, "gossExplain : unknown collective '%s' (%s)", collective_name,
                known.c_str());
  });
}

}  // extern "C"
