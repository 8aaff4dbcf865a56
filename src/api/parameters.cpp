// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// The entry points of gossamer/parameters.h.
#include "gossamer/parameters.h"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <limits>
#include <string_view>
#include <vector>

#include "api/submit.h"
#include "base/env.h"
#include "base/log.h"

using goss::Env;
using goss::env_name;
using goss::EnvEntry;
using goss::fail;
using goss::Result;
using goss::Status;
using goss::api::guarded;
using goss::api::null_argument;
namespace engine = goss::engine;

struct gossParam {
  const EnvEntry* entry;
};

namespace {

const std::vector<gossParam>& all_parameters() {
  static const std::vector<gossParam>* const all = [] {
    auto* made = new std::vector<gossParam>;
    for (const EnvEntry& entry : goss::env_table()) made->push_back({&entry});
    return made;
  }();
  return *all;
}

Result<gossParamHandle_t> find(const char* function, const char* key) {
  if (key == nullptr) return null_argument(function, "key");
  constexpr std::string_view kPrefix = "GOSS_";
  for (const gossParam& parameter : all_parameters()) {
    const std::string_view name = parameter.entry->name;
    if (name == key || name.substr(kPrefix.size()) == key) return &parameter;
  }
  return fail(gossInvalidArgument, "%s : there is no variable %s; gossParamDumpAll lists all",
              function, key);
}

std::string text_of(const EnvEntry& entry) {
  const auto text = goss::env_text(entry.id);
  if (!text) return entry.fallback;
  return entry.id == Env::kSecret ? "(set)" : *text;
}

Result<int64_t> number_of(const EnvEntry& entry) {
  const std::string_view values = entry.values;
  if (values == "duration") {
    GOSS_TRY_ASSIGN(const auto unset, goss::parse_duration(entry.id, entry.fallback));
    GOSS_TRY_ASSIGN(const auto value, goss::env_duration(entry.id, unset));
    return value.count();
  }
  if (values.empty() || values[0] < '0' || values[0] > '9') {
    return fail(gossInvalidArgument, "%s is no number (%s)", entry.name, entry.values);
  }
  const bool has_default = entry.fallback[0] >= '0' && entry.fallback[0] <= '9';
  if (!goss::env_text(entry.id) && !has_default) {
    return fail(gossInvalidUsage, "%s is not set (%s)", entry.name, entry.fallback);
  }
  const int fallback = has_default ? std::atoi(entry.fallback) : 0;
  GOSS_TRY_ASSIGN(const int value,
                  goss::env_int(entry.id, fallback, 0, std::numeric_limits<int>::max()));
  return int64_t{value};
}

template <class T>
gossResult_t get_number(gossParamHandle_t handle, T* out) {
  return guarded([&]() -> Status {
    if (handle == nullptr) return null_argument("gossParamGet", "handle");
    if (out == nullptr) return null_argument("gossParamGet", "out");
    GOSS_TRY_ASSIGN(const int64_t value, number_of(*handle->entry));
    if (!std::in_range<T>(value)) {
      return fail(gossInvalidArgument, "%s=%lld does not fit into %zu bits", handle->entry->name,
                  static_cast<long long>(value), 8 * sizeof(T));
    }
    *out = static_cast<T>(value);
    return {};
  });
}

// Until the thread's next call.
const std::string& keep(std::string text) {
  thread_local std::string kept;
  kept = std::move(text);
  return kept;
}

}  // namespace

extern "C" {

gossResult_t gossParamBind(gossParamHandle_t* out, const char* key) {
  return guarded([&]() -> Status {
    if (out == nullptr) return null_argument("gossParamBind", "out");
    GOSS_TRY_ASSIGN(*out, find("gossParamBind", key));
    return {};
  });
}

gossResult_t gossParamGetI8(gossParamHandle_t handle, int8_t* out) {
  return get_number(handle, out);
}
gossResult_t gossParamGetI16(gossParamHandle_t handle, int16_t* out) {
  return get_number(handle, out);
}
gossResult_t gossParamGetI32(gossParamHandle_t handle, int32_t* out) {
  return get_number(handle, out);
}
gossResult_t gossParamGetI64(gossParamHandle_t handle, int64_t* out) {
  return get_number(handle, out);
}
gossResult_t gossParamGetU8(gossParamHandle_t handle, uint8_t* out) {
  return get_number(handle, out);
}
gossResult_t gossParamGetU16(gossParamHandle_t handle, uint16_t* out) {
  return get_number(handle, out);
}
gossResult_t gossParamGetU32(gossParamHandle_t handle, uint32_t* out) {
  return get_number(handle, out);
}
gossResult_t gossParamGetU64(gossParamHandle_t handle, uint64_t* out) {
  return get_number(handle, out);
}

gossResult_t gossParamGetStr(gossParamHandle_t handle, const char** out) {
  return guarded([&]() -> Status {
    if (handle == nullptr) return null_argument("gossParamGetStr", "handle");
    if (out == nullptr) return null_argument("gossParamGetStr", "out");
    *out = keep(text_of(*handle->entry)).c_str();
    return {};
  });
}

gossResult_t gossParamGet(gossParamHandle_t handle, void* out, int maxLen, int* len) {
  return guarded([&]() -> Status {
    if (handle == nullptr) return null_argument("gossParamGet", "handle");
    if (out == nullptr) return null_argument("gossParamGet", "out");
    if (len == nullptr) return null_argument("gossParamGet", "len");
    if (maxLen < 1) return fail(gossInvalidArgument, "gossParamGet : maxLen %d", maxLen);
    const std::string text = text_of(*handle->entry);
    const size_t length = std::min(text.size(), static_cast<size_t>(maxLen) - 1);
    std::memcpy(out, text.data(), length);
    static_cast<char*>(out)[length] = '\0';
    *len = static_cast<int>(text.size());
    return {};
  });
}

gossResult_t gossParamGetParameter(const char* key, const char** value, int* valueLen) {
  return guarded([&]() -> Status {
    constexpr char kName[] = "gossParamGetParameter";
    if (value == nullptr) return null_argument(kName, "value");
    if (valueLen == nullptr) return null_argument(kName, "valueLen");
    GOSS_TRY_ASSIGN(const gossParamHandle_t parameter, find(kName, key));
    const std::string& text = keep(text_of(*parameter->entry));
    *value = text.c_str();
    *valueLen = static_cast<int>(text.size());
    return {};
  });
}

gossResult_t gossParamGetAllParameterKeys(const char*** table, int* tableLen) {
  return guarded([&]() -> Status {
    constexpr char kName[] = "gossParamGetAllParameterKeys";
    if (table == nullptr) return null_argument(kName, "table");
    if (tableLen == nullptr) return null_argument(kName, "tableLen");
    static std::vector<const char*>* const names = [] {
      auto* made = new std::vector<const char*>;
      for (const gossParam& parameter : all_parameters()) made->push_back(parameter.entry->name);
      return made;
    }();
    *table = names->data();
    *tableLen = static_cast<int>(names->size());
    return {};
  });
}

void gossParamDumpAll(void) {
  static_cast<void>(guarded([]() -> Status {
    for (const gossParam& parameter : all_parameters()) {
      std::printf("%s=%s\n", parameter.entry->name, text_of(*parameter.entry).c_str());
    }
    return {};
  }));
}

void gossResetDebugInit(void) {
  static_cast<void>(guarded([]() -> Status {
    goss::reset_log();
    return {};
  }));
}

gossResult_t gossGroupSimulateEnd(gossSimInfo_t* simInfo) {
  return guarded([&]() -> Status {
    double microseconds = 0;
    const Status status = engine::group_simulate_end(&microseconds);
    if (!status.ok() || simInfo == nullptr) return status;
    if (simInfo->size < sizeof(gossSimInfo_t) || simInfo->magic != GOSS_API_MAGIC) {
      return fail(gossInvalidArgument,
                  "gossGroupSimulateEnd : not initialised with GOSS_SIM_INFO_INITIALIZER");
    }
    simInfo->estimatedTime = static_cast<float>(microseconds);
    return {};
  });
}

}  // extern "C"
