// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Every entry point of compression.h: check pointers, translate, call the engine, catch.
#include "gossamer/compression.h"

#include <algorithm>
#include <cstddef>
#include <cstring>

#include "api/submit.h"
#include "engine/call_options.h"
#include "engine/error_report.h"

using goss::fail;
using goss::Result;
using goss::Status;
using goss::api::guarded;
using goss::api::in_group;
using goss::api::messages;
using goss::api::null_argument;
using goss::api::send_bytes;
using goss::collectives::Kind;
using goss::engine::CallOptions;
using goss::engine::Feedback;
using goss::engine::Operation;
using goss::engine::Transfer;
namespace engine = goss::engine;

struct gossFeedback {
  static constexpr uint64_t kMagic = 0x676f737366656564ULL;  // "gossfeed"
  uint64_t magic = kMagic;
  engine::FeedbackPtr feedback;
};

namespace {

Status check_feedback(const gossFeedback* feedback, const char* call) {
  if (feedback == nullptr) return null_argument(call, "feedback");
  if (feedback->magic == gossFeedback::kMagic) return {};
  return fail(gossInvalidArgument, "%s : %p is not feedback, or was destroyed", call,
              static_cast<const void*>(feedback));
}

// The caller's struct as this version knows it.
Result<gossCollConfig_t> read_config(const gossCollConfig_t& config) {
  gossCollConfig_t known = GOSS_COLL_CONFIG_INITIALIZER;
  if (config.size < offsetof(gossCollConfig_t, codec) + sizeof(config.codec) ||
      config.magic != GOSS_API_MAGIC) {
    return fail(gossInvalidArgument,
                "config : not initialised with GOSS_COLL_CONFIG_INITIALIZER (size %zu)",
                config.size);
  }
  std::memcpy(&known, &config, std::min(config.size, sizeof(known)));
  return known;
}

Result<CallOptions> read_options(const gossCollConfig_t& config) {
  GOSS_TRY_ASSIGN(const gossCollConfig_t given, read_config(config));
  CallOptions options;
  if (given.codec != nullptr) {
    GOSS_TRY_ASSIGN(options.wish, engine::parse_wish(given.codec, "config : codec"));
  }
  if (given.feedback != nullptr) {
    GOSS_TRY(check_feedback(given.feedback, "config"));
    options.feedback = given.feedback->feedback;
  }
  options.seed = given.seed;
  if (given.step != GOSS_CONFIG_UNDEF_STEP) options.step = given.step;
  options.report = given.report;
  if (given.report != nullptr && given.report->size < sizeof(size_t)) {
    return fail(gossInvalidArgument,
                "config : report->size is %zu: set it to sizeof(gossErrorReport_t)",
                given.report->size);
  }
  if (given.measure != GOSS_CONFIG_UNDEF_INT && given.measure != 0 && given.measure != 1) {
    return fail(gossInvalidArgument, "config : measure = %d (0 or 1)", given.measure);
  }
  options.measure = given.measure == 1;
  if (options.measure && options.report == nullptr) {
    return fail(gossInvalidArgument, "config : measure = 1 needs a report");
  }
  return options;
}

gossResult_t submit_with(Operation operation, gossComm_t comm, gossStream_t stream,
                         const gossCollConfig_t* config) {
  return in_group([&]() -> Status {
    if (config == nullptr) return engine::submit(comm, operation, stream);
    GOSS_TRY(engine::check_ready(comm));
    Result<CallOptions> options = read_options(*config);
    if (!options.ok()) {
      comm->note_refusal(options.status());
      return options.take_status();
    }
    operation.options = &options.value();
    return engine::submit(comm, operation, stream);
  });
}

gossResult_t submit_message(Transfer message, gossComm_t comm, gossStream_t stream,
                            const gossCollConfig_t* config) {
  return in_group([&]() -> Status {
    const auto submit = [&] { return engine::submit(comm, messages(&message, 1), stream); };
    if (config == nullptr) return submit();
    GOSS_TRY(engine::check_ready(comm));
    const Result<CallOptions> options = read_options(*config);
    Status refusal = options.status();
    if (refusal.ok() && (options.value().feedback != nullptr || options.value().measure)) {
      refusal = fail(gossInvalidArgument, "config : messages have neither feedback nor measure");
    }
    if (!refusal.ok()) {
      comm->note_refusal(refusal);
      return refusal;
    }
    message.wish = options.value().wish;
    message.seed = options.value().seed;
    message.step = options.value().step;
    message.report = options.value().report;
    return submit();
  });
}

Operation buffers(Kind kind, const void* sendbuff, void* recvbuff, size_t count,
                  gossDataType_t type, gossRedOp_t op = gossSum, int root = 0) {
  Operation operation;
  operation.kind = kind;
  operation.type = type;
  operation.op = op;
  operation.root = root;
  operation.count = count;
  operation.buffer = {static_cast<const std::byte*>(sendbuff), static_cast<std::byte*>(recvbuff),
                      count};
  return operation;
}

}  // namespace

extern "C" {

gossResult_t gossCommGetErrorReport(gossComm_t comm, gossErrorReport_t* report) {
  return guarded([&]() -> Status {
    if (report == nullptr) return null_argument("gossCommGetErrorReport", "report");
    if (report->size < sizeof(size_t)) {
      return fail(gossInvalidArgument,
                  "gossCommGetErrorReport : size %zu: set it to sizeof(gossErrorReport_t)",
                  report->size);
    }
    GOSS_TRY(engine::check_ready(comm));
    gossErrorReport_t last = comm->comm->last_report();
    if (last.codec[0] == '\0') std::strcpy(last.codec, "none");
    engine::copy_report(last, report);
    return {};
  });
}

gossResult_t gossFeedbackCreate(gossFeedback_t* feedback, size_t count,
                                gossFeedbackStorage_t storage) {
  return guarded([&]() -> Status {
    if (feedback == nullptr) return null_argument("gossFeedbackCreate", "feedback");
    *feedback = nullptr;
    if (storage != gossFeedbackFloat32 && storage != gossFeedbackInt8) {
      return fail(gossInvalidArgument, "gossFeedbackCreate : invalid storage %d",
                  static_cast<int>(storage));
    }
    if (count > PTRDIFF_MAX / sizeof(float)) {
      return fail(gossInvalidArgument,
                  "gossFeedbackCreate : count %zu is larger than the address space", count);
    }
    auto made = std::make_unique<gossFeedback>();
    made->feedback = std::make_shared<Feedback>(count, static_cast<Feedback::Storage>(storage));
    *feedback = made.release();
    return {};
  });
}

gossResult_t gossFeedbackDestroy(gossFeedback_t feedback) {
  return guarded([&]() -> Status {
    if (feedback == nullptr) return {};
    GOSS_TRY(check_feedback(feedback, "gossFeedbackDestroy"));
    feedback->magic = 0;
    delete feedback;
    return {};
  });
}

gossResult_t gossFeedbackReset(gossFeedback_t feedback) {
  return guarded([&]() -> Status {
    GOSS_TRY(check_feedback(feedback, "gossFeedbackReset"));
    feedback->feedback->reset();
    return {};
  });
}

gossResult_t gossFeedbackSize(gossFeedback_t feedback, size_t* bytes) {
  return guarded([&]() -> Status {
    GOSS_TRY(check_feedback(feedback, "gossFeedbackSize"));
    if (bytes == nullptr) return null_argument("gossFeedbackSize", "bytes");
    *bytes = feedback->feedback->saved_bytes();
    return {};
  });
}

gossResult_t gossFeedbackSave(gossFeedback_t feedback, void* buffer, size_t size) {
  return guarded([&]() -> Status {
    GOSS_TRY(check_feedback(feedback, "gossFeedbackSave"));
    if (buffer == nullptr) return null_argument("gossFeedbackSave", "buffer");
    if (size != feedback->feedback->saved_bytes()) {
      return fail(gossInvalidArgument, "gossFeedbackSave : size %zu, but %zu are written", size,
                  feedback->feedback->saved_bytes());
    }
    feedback->feedback->save(static_cast<std::byte*>(buffer));
    return {};
  });
}

gossResult_t gossFeedbackRestore(gossFeedback_t feedback, const void* buffer, size_t size) {
  return guarded([&]() -> Status {
    GOSS_TRY(check_feedback(feedback, "gossFeedbackRestore"));
    if (buffer == nullptr) return null_argument("gossFeedbackRestore", "buffer");
    return feedback->feedback->restore({static_cast<const std::byte*>(buffer), size});
  });
}

gossResult_t gossAllReduceConfig(const void* sendbuff, void* recvbuff, size_t count,
                                 gossDataType_t datatype, gossRedOp_t op, gossComm_t comm,
                                 gossStream_t stream, gossCollConfig_t* config) {
  return submit_with(buffers(Kind::kAllReduce, sendbuff, recvbuff, count, datatype, op), comm,
                     stream, config);
}

gossResult_t gossBroadcastConfig(const void* sendbuff, void* recvbuff, size_t count,
                                 gossDataType_t datatype, int root, gossComm_t comm,
                                 gossStream_t stream, gossCollConfig_t* config) {
  return submit_with(buffers(Kind::kBroadcast, sendbuff, recvbuff, count, datatype, gossSum, root),
                     comm, stream, config);
}

gossResult_t gossReduceConfig(const void* sendbuff, void* recvbuff, size_t count,
                              gossDataType_t datatype, gossRedOp_t op, int root, gossComm_t comm,
                              gossStream_t stream, gossCollConfig_t* config) {
  return submit_with(buffers(Kind::kReduce, sendbuff, recvbuff, count, datatype, op, root), comm,
                     stream, config);
}

gossResult_t gossAllGatherConfig(const void* sendbuff, void* recvbuff, size_t sendcount,
                                 gossDataType_t datatype, gossComm_t comm, gossStream_t stream,
                                 gossCollConfig_t* config) {
  return submit_with(buffers(Kind::kAllGather, sendbuff, recvbuff, sendcount, datatype), comm,
                     stream, config);
}

gossResult_t gossReduceScatterConfig(const void* sendbuff, void* recvbuff, size_t recvcount,
                                     gossDataType_t datatype, gossRedOp_t op, gossComm_t comm,
                                     gossStream_t stream, gossCollConfig_t* config) {
  return submit_with(buffers(Kind::kReduceScatter, sendbuff, recvbuff, recvcount, datatype, op),
                     comm, stream, config);
}

gossResult_t gossAlltoAllConfig(const void* sendbuff, void* recvbuff, size_t count,
                                gossDataType_t datatype, gossComm_t comm, gossStream_t stream,
                                gossCollConfig_t* config) {
  return submit_with(buffers(Kind::kAllToAll, sendbuff, recvbuff, count, datatype), comm, stream,
                     config);
}

gossResult_t gossGatherConfig(const void* sendbuff, void* recvbuff, size_t count,
                              gossDataType_t datatype, int root, gossComm_t comm,
                              gossStream_t stream, gossCollConfig_t* config) {
  return submit_with(buffers(Kind::kGather, sendbuff, recvbuff, count, datatype, gossSum, root),
                     comm, stream, config);
}

gossResult_t gossScatterConfig(const void* sendbuff, void* recvbuff, size_t count,
                               gossDataType_t datatype, int root, gossComm_t comm,
                               gossStream_t stream, gossCollConfig_t* config) {
  return submit_with(buffers(Kind::kScatter, sendbuff, recvbuff, count, datatype, gossSum, root),
                     comm, stream, config);
}

gossResult_t gossSendConfig(const void* sendbuff, size_t count, gossDataType_t datatype, int peer,
                            gossComm_t comm, gossStream_t stream, gossCollConfig_t* config) {
  return submit_message({Transfer::Way::kSend, datatype, peer, count, send_bytes(sendbuff)}, comm,
                        stream, config);
}

gossResult_t gossRecvConfig(void* recvbuff, size_t count, gossDataType_t datatype, int peer,
                            gossComm_t comm, gossStream_t stream, gossCollConfig_t* config) {
  auto* const buffer = static_cast<std::byte*>(recvbuff);
  return submit_message({Transfer::Way::kReceive, datatype, peer, count, buffer}, comm, stream,
                        config);
}

gossResult_t gossEncodedSize(const char* codec, size_t count, size_t* bytes) {
  return guarded([&]() -> Status {
    if (codec == nullptr) return null_argument("gossEncodedSize", "codec");
    if (bytes == nullptr) return null_argument("gossEncodedSize", "bytes");
    GOSS_TRY_ASSIGN(*bytes, engine::encoded_size(codec, count));
    return {};
  });
}

}  // extern "C"
