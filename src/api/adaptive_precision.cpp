// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// The entry points of adaptive.h about precision: check pointers, translate, call, catch.
#include <algorithm>
#include <string>

#include "adaptive/precision_controller.h"
#include "adaptive/precision_log.h"
#include "adaptive/precision_rule.h"
#include "api/adaptive.h"
#include "gossamer/adaptive.h"

using goss::Status;
using goss::adaptive::PrecisionController;
using goss::api::check_pointer;
using goss::api::check_size;
using goss::api::copy_state;
using goss::api::guarded;

struct gossPrecision {
  PrecisionController controller;
  std::string header;
  std::string line;
};

extern "C" {

gossResult_t gossPrecisionCreate(gossPrecision_t* controller, const gossPrecisionConfig_t* config) {
  return guarded([&]() -> Status {
    GOSS_TRY(check_pointer("gossPrecisionCreate", "controller", controller));
    *controller = nullptr;
    GOSS_TRY(check_pointer("gossPrecisionCreate", "config", config));
    GOSS_TRY_ASSIGN(const gossPrecisionConfig_t checked, goss::adaptive::read_config(config));
    *controller =
        new gossPrecision{PrecisionController(checked), goss::adaptive::log_header(checked), ""};
    return {};
  });
}

gossResult_t gossPrecisionDestroy(gossPrecision_t controller) {
  delete controller;
  return gossSuccess;
}

gossResult_t gossPrecisionDecide(gossPrecision_t controller, const gossBucket_t* buckets,
                                 size_t nbuckets, const float* losses, size_t count,
                                 gossDecision_t* decision) {
  return guarded([&]() -> Status {
    GOSS_TRY(check_pointer("gossPrecisionDecide", "controller", controller));
    if (nbuckets > 0) GOSS_TRY(check_pointer("gossPrecisionDecide", "buckets", buckets));
    if (count > 0) GOSS_TRY(check_pointer("gossPrecisionDecide", "losses", losses));
    GOSS_TRY(check_size("gossPrecisionDecide", "decision", decision));
    GOSS_TRY(controller->controller.decide({buckets, nbuckets}, {losses, count}));
    controller->line = goss::adaptive::log_line(controller->controller);
    const size_t size = decision->size;
    *decision = controller->controller.decision();
    decision->size = size;
    return {};
  });
}

gossResult_t gossPrecisionGetBits(gossPrecision_t controller, int* bits, uint64_t* hash) {
  return guarded([&]() -> Status {
    GOSS_TRY(check_pointer("gossPrecisionGetBits", "controller", controller));
    const auto now = controller->controller.bits();
    if (bits != nullptr) std::copy(now.begin(), now.end(), bits);
    if (hash != nullptr) *hash = controller->controller.hash();
    return {};
  });
}

gossResult_t gossPrecisionGetLog(gossPrecision_t controller, const char** header,
                                 const char** line) {
  return guarded([&]() -> Status {
    GOSS_TRY(check_pointer("gossPrecisionGetLog", "controller", controller));
    if (header != nullptr) *header = controller->header.c_str();
    if (line != nullptr) *line = controller->line.c_str();
    return {};
  });
}

gossResult_t gossPrecisionReplay(const char* log, size_t bytes, uint64_t* decisions) {
  return guarded([&]() -> Status {
    GOSS_TRY(check_pointer("gossPrecisionReplay", "log", log));
    GOSS_TRY_ASSIGN(const uint64_t agree, goss::adaptive::replay({log, bytes}));
    if (decisions != nullptr) *decisions = agree;
    return {};
  });
}

gossResult_t gossPrecisionSave(gossPrecision_t controller, void* state, size_t capacity_bytes,
                               size_t* bytes) {
  return guarded([&]() -> Status {
    GOSS_TRY(check_pointer("gossPrecisionSave", "controller", controller));
    GOSS_TRY(check_pointer("gossPrecisionSave", "bytes", bytes));
    const auto saved = controller->controller.save();
    return copy_state("gossPrecisionSave", saved, {state, capacity_bytes, bytes});
  });
}

gossResult_t gossPrecisionRestore(gossPrecision_t* controller, const void* state, size_t bytes) {
  return guarded([&]() -> Status {
    GOSS_TRY(check_pointer("gossPrecisionRestore", "controller", controller));
    *controller = nullptr;
    GOSS_TRY(check_pointer("gossPrecisionRestore", "state", state));
    GOSS_TRY_ASSIGN(auto made,
                    PrecisionController::restore({static_cast<const std::byte*>(state), bytes}));
    std::string header = goss::adaptive::log_header(made.config());
    *controller = new gossPrecision{std::move(made), std::move(header), ""};
    return {};
  });
}

}  // extern "C"
