// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// The log reads its settings once, so each case runs in a process of its own (death tests that are
// started anew).
#include "base/log.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>

namespace goss {
namespace {

using testing::ExitedWithCode;

class LogDeathTest : public testing::Test {
 protected:
  LogDeathTest() { GTEST_FLAG_SET(death_test_style, "threadsafe"); }
};

// One line per level, then the end.
[[noreturn]] void write_all_levels(const char* level) {
  if (level == nullptr) {
    ::unsetenv("GOSS_LOG");
  } else {
    ::setenv("GOSS_LOG", level, 1);
  }
  ::unsetenv("GOSS_LOG_FILE");
  log(LogLevel::kError, "e%d", 1);
  log(LogLevel::kWarn, "w%d", 2);
  log(LogLevel::kInfo, "i%d", 3);
  log(LogLevel::kDebug, "d%d", 4);
  ::_exit(0);
}

TEST_F(LogDeathTest, ShowsWarningsWhenNothingIsSet) {
  EXPECT_EXIT(write_all_levels(nullptr), ExitedWithCode(0),
              "^[^ ]+:[0-9]+ gossamer error e1\n[^ ]+:[0-9]+ gossamer warn w2\n$");
}

TEST_F(LogDeathTest, NoneIsSilent) {
  EXPECT_EXIT(write_all_levels("none"), ExitedWithCode(0), "^$");
}

TEST_F(LogDeathTest, ErrorShowsErrorsOnly) {
  EXPECT_EXIT(write_all_levels("error"), ExitedWithCode(0), "^[^ ]+ gossamer error e1\n$");
}

TEST_F(LogDeathTest, InfoShowsInfo) {
  EXPECT_EXIT(write_all_levels("info"), ExitedWithCode(0), "gossamer info i3\n$");
}

TEST_F(LogDeathTest, DebugShowsEverything) {
  EXPECT_EXIT(write_all_levels("debug"), ExitedWithCode(0), "gossamer debug d4\n$");
}

TEST_F(LogDeathTest, EnabledAgreesWithWhatIsWritten) {
  const auto check = [] {
    ::setenv("GOSS_LOG", "info", 1);
    const bool right = log_enabled(LogLevel::kError) && log_enabled(LogLevel::kInfo) &&
                       !log_enabled(LogLevel::kDebug);
    ::_exit(right ? 0 : 1);
  };
  EXPECT_EXIT(check(), ExitedWithCode(0), "");
}

TEST_F(LogDeathTest, GoesToAFileNamedByHostAndProcess) {
  const auto check = [] {
    const std::string prefix = testing::TempDir() + "goss_log_test.";
    ::setenv("GOSS_LOG", "warn", 1);
    ::setenv("GOSS_LOG_FILE", (prefix + "%h.%p").c_str(), 1);
    log(LogLevel::kWarn, "to a file");
    char host[256] = {};
    ::gethostname(host, sizeof(host) - 1);
    const std::string path = prefix + host + "." + std::to_string(::getpid());
    std::ifstream file(path);
    const std::string text{std::istreambuf_iterator<char>(file), {}};
    ::unlink(path.c_str());
    ::_exit(text.find("gossamer warn to a file\n") != std::string::npos ? 0 : 1);
  };
  EXPECT_EXIT(check(), ExitedWithCode(0), "^$");
}

TEST_F(LogDeathTest, AnUnwritableFileMeansStandardError) {
  const auto check = [] {
    ::unsetenv("GOSS_LOG");
    ::setenv("GOSS_LOG_FILE", "/nowhere/at/all", 1);
    log(LogLevel::kError, "still seen");
    ::_exit(0);
  };
  EXPECT_EXIT(check(), ExitedWithCode(0),
              "gossamer warn GOSS_LOG_FILE=/nowhere/at/all: No such file or directory; logging to "
              "standard error\n.*gossamer error still seen");
}

TEST_F(LogDeathTest, AnUnknownLevelIsNamedAndMeansWarn) {
  EXPECT_EXIT(write_all_levels("loud"), ExitedWithCode(0),
              "gossamer warn GOSS_LOG=loud: expected none, error, warn, info or debug; taken as "
              "warn\n.*e1\n.*w2\n$");
}

TEST_F(LogDeathTest, StillWritesAfterExitHasRunTheDestructors) {
  const auto check = [] {
    std::atexit([] { log(LogLevel::kError, "late"); });  // runs after destructors of what comes
    log(LogLevel::kError, "early");
    std::exit(0);
  };
  EXPECT_EXIT(check(), ExitedWithCode(0),
              "^[^ ]+:[0-9]+ gossamer error early\n"
              "[^ ]+:[0-9]+ gossamer error late\n$");
}

}  // namespace
}  // namespace goss
