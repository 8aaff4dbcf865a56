// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "base/env.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <unistd.h>

#include <array>
#include <chrono>
#include <clocale>
#include <cstdlib>
#include <filesystem>
#include <set>
#include <string>

#include "support/scoped_env.h"

namespace goss {
namespace {

using std::chrono::milliseconds;
using test::ScopedEnv;
using testing::HasSubstr;

TEST(EnvTable, IsInAlphabeticalOrderWithoutGaps) {
  std::string previous;
  std::set<Env> ids;
  for (const EnvEntry& entry : env_table()) {
    EXPECT_LT(previous, entry.name);
    previous = entry.name;
    ids.insert(entry.id);
    EXPECT_EQ(env_name(entry.id), entry.name);
    EXPECT_TRUE(previous.starts_with("GOSS_")) << previous;
    EXPECT_NE(std::string(entry.values), "") << previous;
    EXPECT_NE(std::string(entry.fallback), "") << previous;
    EXPECT_NE(std::string(entry.help), "") << previous;
  }
  EXPECT_EQ(ids.size(), env_table().size());
  EXPECT_EQ(static_cast<size_t>(*ids.rbegin()) + 1, env_table().size());
}

TEST(EnvText, UnsetAndEmptyAreTheSame) {
  const ScopedEnv unset("GOSS_ADDR", nullptr);
  EXPECT_EQ(env_text(Env::kAddr), std::nullopt);
  const ScopedEnv empty("GOSS_ADDR", "");
  EXPECT_EQ(env_text(Env::kAddr), std::nullopt);
  const ScopedEnv set("GOSS_ADDR", "host7");
  EXPECT_EQ(env_text(Env::kAddr), "host7");
}

TEST(LauncherText, ReadsVariablesOfOthers) {
  const ScopedEnv set("OMPI_COMM_WORLD_RANK", "3");
  EXPECT_EQ(launcher_text("OMPI_COMM_WORLD_RANK"), "3");
  const ScopedEnv unset("OMPI_COMM_WORLD_RANK", nullptr);
  EXPECT_EQ(launcher_text("OMPI_COMM_WORLD_RANK"), std::nullopt);
}

TEST(EnvInt, TakesTheFallbackWhenUnset) {
  const ScopedEnv unset("GOSS_RANK", nullptr);
  EXPECT_EQ(env_int(Env::kRank, 5, 0, 9).value(), 5);
}

TEST(EnvInt, TakesBothEndsOfTheRange) {
  const ScopedEnv low("GOSS_RANK", "-2");
  EXPECT_EQ(env_int(Env::kRank, 0, -2, 9).value(), -2);
  const ScopedEnv high("GOSS_RANK", "9");
  EXPECT_EQ(env_int(Env::kRank, 0, -2, 9).value(), 9);
}

TEST(EnvInt, RefusesAnythingElseNamingVariableValueAndRange) {
  for (const char* bad : {"10", "-1", "x", "3x", "3 ", "3.5", " ", "99999999999999999999"}) {
    const ScopedEnv set("GOSS_RANK", bad);
    const Result<int> result = env_int(Env::kRank, 0, 0, 9);
    ASSERT_FALSE(result.ok()) << bad;
    EXPECT_EQ(result.status().code(), gossInvalidUsage);
    EXPECT_THAT(result.status().message(), HasSubstr(std::string("GOSS_RANK=") + bad));
    EXPECT_THAT(result.status().message(), HasSubstr("from 0 to 9"));
  }
}

TEST(EnvFlag, IsZeroOrOne) {
  const ScopedEnv unset("GOSS_INSECURE", nullptr);
  EXPECT_TRUE(env_flag(Env::kInsecure, true).value());
  EXPECT_FALSE(env_flag(Env::kInsecure, false).value());
  const ScopedEnv one("GOSS_INSECURE", "1");
  EXPECT_TRUE(env_flag(Env::kInsecure, false).value());
  const ScopedEnv zero("GOSS_INSECURE", "0");
  EXPECT_FALSE(env_flag(Env::kInsecure, true).value());
  for (const char* bad : {"2", "yes", "true", "-1"}) {
    const ScopedEnv set("GOSS_INSECURE", bad);
    EXPECT_EQ(env_flag(Env::kInsecure, false).status().code(), gossInvalidUsage) << bad;
  }
}

TEST(EnvDuration, UnderstandsEveryUnit) {
  const struct {
    const char* text;
    milliseconds expected;
  } cases[] = {{"30", milliseconds(30'000)},   {"30s", milliseconds(30'000)},
               {"1500ms", milliseconds(1500)}, {"10m", milliseconds(600'000)},
               {"0", milliseconds(0)},         {"0s", milliseconds(0)},
               {"0.5", milliseconds(500)},     {"1.5m", milliseconds(90'000)}};
  for (const auto& c : cases) {
    const ScopedEnv set("GOSS_TIMEOUT", c.text);
    const Result<milliseconds> result = env_duration(Env::kTimeout, milliseconds(1));
    ASSERT_TRUE(result.ok()) << c.text;
    EXPECT_EQ(result.value(), c.expected) << c.text;
  }
  const ScopedEnv unset("GOSS_TIMEOUT", nullptr);
  EXPECT_EQ(env_duration(Env::kTimeout, milliseconds(7)).value(), milliseconds(7));
}

// A locale whose decimal sign is a comma, made in a folder of its own and gone with this object.
class CommaLocale {
 public:
  CommaLocale() : before_(std::setlocale(LC_NUMERIC, nullptr)) {
    char folder[] = "/tmp/gossamer-locale-XXXXXX";
    if (::mkdtemp(folder) == nullptr) return;
    folder_ = folder;
    const std::string make =
        "localedef -i de_DE -f UTF-8 " + folder_ + "/de_DE.UTF-8 >/dev/null 2>&1";
    if (std::system(make.c_str()) != 0) return;
    const ScopedEnv path("LOCPATH", folder_.c_str());
    set_ = std::setlocale(LC_NUMERIC, "de_DE.UTF-8") != nullptr;
  }
  CommaLocale(const CommaLocale&) = delete;
  CommaLocale& operator=(const CommaLocale&) = delete;
  ~CommaLocale() {
    std::setlocale(LC_NUMERIC, before_.c_str());
    if (!folder_.empty()) std::filesystem::remove_all(folder_);
  }
  bool set() const { return set_; }

 private:
  std::string before_;
  std::string folder_;
  bool set_ = false;
};

TEST(EnvDuration, ReadsAPointInALocaleOfCommas) {
  const CommaLocale locale;
  if (!locale.set()) GTEST_SKIP() << "localedef can make no de_DE.UTF-8 here: package locales";
  ASSERT_STREQ(std::localeconv()->decimal_point, ",");
  const ScopedEnv set("GOSS_TIMEOUT", "1.5s");
  const Result<milliseconds> result = env_duration(Env::kTimeout, milliseconds(1));
  ASSERT_TRUE(result.ok()) << result.status().message();
  EXPECT_EQ(result.value(), milliseconds(1500));
}

TEST(EnvDuration, RefusesWhatIsNoDuration) {
  for (const char* bad :
       {"-1", "-0.001s", "x", "s", "3h", "30d", "1 s", "1e9", "nan", "inf", "ms"}) {
    const ScopedEnv set("GOSS_TIMEOUT", bad);
    const Result<milliseconds> result = env_duration(Env::kTimeout, milliseconds(1));
    ASSERT_FALSE(result.ok()) << bad;
    EXPECT_EQ(result.status().code(), gossInvalidUsage);
    EXPECT_THAT(result.status().message(), HasSubstr(std::string("GOSS_TIMEOUT=") + bad));
  }
}

TEST(EnvMarkdown, HasARowForEveryVariable) {
  const std::string text = env_markdown();
  for (const EnvEntry& entry : env_table()) {
    EXPECT_THAT(text, HasSubstr(std::string("| `") + entry.name + "` | "));
  }
}

TEST(EnvOverlay, AddsWhatIsUnsetAndTakesItAway) {
  const ScopedEnv kept("GOSS_TEST_KEPT", "user");
  const ScopedEnv unset("GOSS_TEST_ADDED", nullptr);
  char** const before = environ;
  {
    const EnvOverlay overlay(std::array{"GOSS_TEST_KEPT=ours", "GOSS_TEST_ADDED=ours"});
    EXPECT_EQ(launcher_text("GOSS_TEST_KEPT"), "user");
    EXPECT_EQ(launcher_text("GOSS_TEST_ADDED"), "ours");
  }
  EXPECT_EQ(environ, before);
  EXPECT_EQ(launcher_text("GOSS_TEST_ADDED"), std::nullopt);
}

}  // namespace
}  // namespace goss
