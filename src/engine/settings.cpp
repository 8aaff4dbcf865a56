// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include <algorithm>
#include <cstddef>
#include <cstring>

#include "base/env.h"
#include "engine/communicator.h"

namespace goss::engine {

namespace {

// The caller's struct as this version knows it: fields that the caller's version lacks are
// undefined.
Result<gossConfig_t> read_config(const gossConfig_t* config) {
  gossConfig_t known = GOSS_CONFIG_INITIALIZER;
  if (config == nullptr) return known;
  constexpr size_t kHead = offsetof(gossConfig_t, blocking);
  if (config->size < kHead + sizeof(int)) {
    return fail(gossInvalidArgument,
                "config : size %zu is smaller than any version of gossConfig_t; start from "
                "GOSS_CONFIG_INITIALIZER",
                config->size);
  }
  if (config->magic != GOSS_API_MAGIC) {
    return fail(gossInvalidArgument, "config : not initialised with GOSS_CONFIG_INITIALIZER");
  }
  // A struct from a newer header may be longer; what this version does not know is ignored.
  std::memcpy(&known, config, std::min(config->size, sizeof(known)));
  known.size = sizeof(known);
  return known;
}

Status set_duration(int value, const char* field, std::chrono::milliseconds* out) {
  if (value == GOSS_CONFIG_UNDEF_INT) return {};
  if (value < 0) {
    return fail(gossInvalidArgument, "config : %s = %d (milliseconds, 0 or more)", field, value);
  }
  *out = std::chrono::milliseconds(value);
  return {};
}

}  // namespace

Result<Settings> Settings::from(const gossConfig_t* config) {
  GOSS_TRY_ASSIGN(const gossConfig_t given, read_config(config));
  Settings settings;
  GOSS_TRY_ASSIGN(settings.timeout, env_duration(Env::kTimeout, settings.timeout));
  GOSS_TRY_ASSIGN(settings.warn_after, env_duration(Env::kWarnAfter, settings.warn_after));
  GOSS_TRY_ASSIGN(settings.init_timeout, env_duration(Env::kInitTimeout, settings.init_timeout));
  GOSS_TRY_ASSIGN(settings.forced, forced_algorithm());
  GOSS_TRY_ASSIGN(settings.verify, env_flag(Env::kVerify, false));
  if (const auto codec = env_text(Env::kCodec)) {
    GOSS_TRY_ASSIGN(settings.codecs, CodecRules::parse(*codec, "GOSS_CODEC"));
  }
  if (const auto stores = env_text(Env::kStores); stores && *stores != "auto") {
    if (*stores != "cached" && *stores != "stream") {
      return fail(gossInvalidUsage, "GOSS_STORES=%s: expected auto, cached or stream",
                  stores->c_str());
    }
    settings.far = *stores == "stream";
  }
  if (const auto transport = env_text(Env::kTransport)) {
    if (*transport == "shm") {
      settings.transport = Transport::kShm;
    } else if (*transport == "ucx") {
      settings.transport = Transport::kMessages;
    } else if (*transport != "auto") {
      return fail(gossInvalidUsage, "GOSS_TRANSPORT=%s: expected auto, shm or ucx",
                  transport->c_str());
    }
  }
  GOSS_TRY(set_duration(given.timeoutMs, "timeoutMs", &settings.timeout));
  GOSS_TRY(set_duration(given.warnMs, "warnMs", &settings.warn_after));
  GOSS_TRY(set_duration(given.initTimeoutMs, "initTimeoutMs", &settings.init_timeout));
  if (given.blocking != GOSS_CONFIG_UNDEF_INT) {
    if (given.blocking != 0 && given.blocking != 1) {
      return fail(gossInvalidArgument, "config : blocking = %d (0 or 1)", given.blocking);
    }
    settings.blocking = given.blocking == 1;
  }
  if (given.device != GOSS_CONFIG_UNDEF_INT) {
    if (given.device < GOSS_DEVICE_HOST) {
      return fail(gossInvalidArgument, "config : device = %d (GOSS_DEVICE_HOST or an ordinal)",
                  given.device);
    }
    settings.device = given.device;
  }
  if (given.codec != nullptr) {
    GOSS_TRY_ASSIGN(settings.codecs, CodecRules::parse(given.codec, "config : codec"));
  }
  if (given.commName != nullptr) settings.name = std::string(given.commName).substr(0, 64);
  return settings;
}

}  // namespace goss::engine
