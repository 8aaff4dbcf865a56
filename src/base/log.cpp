// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "base/log.h"

#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdarg>
#include <cstdio>

#include "base/env.h"
#include "base/host.h"
#include "base/status.h"

namespace goss {

namespace {

const char* level_name(LogLevel level) {
  switch (level) {
    case LogLevel::kNone: return "none";
    case LogLevel::kError: return "error";
    case LogLevel::kWarn: return "warn";
    case LogLevel::kInfo: return "info";
    case LogLevel::kDebug: return "debug";
  }
  return "?";
}

struct Log {
  const Log* previous;  // other threads may still use it
  LogLevel level = LogLevel::kWarn;
  int fd = STDERR_FILENO;
  std::string host = host_name();

  explicit Log(const Log* before) : previous(before) {
    const bool known = read_level();
    open_file();
    if (known) return;
    write_line(LogLevel::kWarn,
               format("%s=%s: expected none, error, warn, info or debug; taken as warn",
                      env_name(Env::kLog), env_text(Env::kLog)->c_str()));
  }

  void write_line(LogLevel line_level, const std::string& text) const {
    if (line_level > level) return;
    const std::string line = format("%s:%d gossamer %s %s\n", host.c_str(), ::getpid(),
                                    level_name(line_level), text.c_str());
    // One write per line, so that lines of several processes do not mix.
    if (::write(fd, line.data(), line.size()) < 0) return;
  }

 private:
  bool read_level() {
    const auto text = env_text(Env::kLog);
    if (!text) return true;
    for (LogLevel l :
         {LogLevel::kNone, LogLevel::kError, LogLevel::kWarn, LogLevel::kInfo, LogLevel::kDebug}) {
      if (*text != level_name(l)) continue;
      level = l;
      return true;
    }
    return false;
  }

  void open_file() {
    const auto file = env_text(Env::kLogFile);
    if (!file) return;
    std::string path;
    for (size_t i = 0; i < file->size(); ++i) {
      const char next = i + 1 < file->size() ? (*file)[i + 1] : '\0';
      if ((*file)[i] == '%' && (next == 'h' || next == 'p')) {
        path += next == 'h' ? host : std::to_string(::getpid());
        ++i;
      } else {
        path += (*file)[i];
      }
    }
    const int opened = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (opened >= 0) {
      fd = opened;
      return;
    }
    const Status why = fail_errno(errno, "%s=%s", env_name(Env::kLogFile), path.c_str());
    write_line(LogLevel::kWarn, why.message() + "; logging to standard error");
  }
};

// Never destroyed: the library's thread may log while the process ends.
std::atomic<const Log*>& current_log() {
  static std::atomic<const Log*> log{new Log(nullptr)};
  return log;
}

const Log& the_log() {
  return *current_log().load(std::memory_order_acquire);  // pairs with reset_log()
}

}  // namespace

void reset_log() {
  const Log* before = &the_log();
  current_log().store(new Log(before), std::memory_order_release);  // pairs with the_log()
}

bool log_enabled(LogLevel level) { return level <= the_log().level; }

void log(LogLevel level, const char* format, ...) {
  if (!log_enabled(level)) return;
  va_list args;
  va_start(args, format);
  const std::string text = vformat(format, args);
  va_end(args);
  the_log().write_line(level, text);
}

}  // namespace goss
