// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Log lines: "host:pid gossamer warn text", to standard error or GOSS_LOG_FILE. Any thread.
// Nothing on the data path logs above debug.
#pragma once

namespace goss {

enum class LogLevel { kNone, kError, kWarn, kInfo, kDebug };

bool log_enabled(LogLevel level);
// Read GOSS_LOG and GOSS_LOG_FILE again.
void reset_log();
[[gnu::format(printf, 2, 3)]] void log(LogLevel level, const char* format, ...);

}  // namespace goss
