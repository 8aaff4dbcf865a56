// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "transport/ucx/quiet.h"

#include <ucs/debug/log_def.h>

#include <cstdio>

#include "base/env.h"
#include "base/log.h"

namespace goss::ucx {

namespace {

bool user_set(const char* name) { return launcher_text(name).has_value(); }

// UCX warns of what is no error here, a peer that is gone above all; fate() has the words for that.
ucs_log_func_rc_t pass_on(const char* file, unsigned line, const char*, ucs_log_level_t level,
                          const ucs_log_component_config_t*, const char* message, va_list args) {
  if (level > UCS_LOG_LEVEL_WARN || !log_enabled(LogLevel::kDebug)) return UCS_LOG_FUNC_RC_STOP;
  char text[512];
  std::vsnprintf(text, sizeof(text), message, args);
  log(LogLevel::kDebug, "UCX: %s (%s:%u)", text, file, line);
  return UCS_LOG_FUNC_RC_STOP;
}

}  // namespace

void redirect_log() {
  if (!user_set("UCX_LOG_LEVEL") && !user_set("UCX_LOG_FILE")) ucs_log_push_handler(pass_on);
}

}  // namespace goss::ucx
