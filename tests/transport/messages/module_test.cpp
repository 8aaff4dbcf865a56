// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Where the module is looked for, what is said when it cannot be used, and what loading it does to
// the process.
#include <dlfcn.h>
#include <sys/mman.h>

#include <cstring>

#include "support/process_state.h"
#include "support/scoped_env.h"
#include "transport/messages/messengers.h"

namespace goss::transport::test {
namespace {

using goss::test::ScopedEnv;

std::string refusal() {
  Result<MessengerPtr> opened = open_messenger({0, 1});
  if (opened.ok()) return "";
  EXPECT_EQ(opened.status().code(), gossSystemError);
  return opened.status().message();
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

TEST(MessengerModule, SaysWhichFileIsMissingAndWhatToDo) {
  const ScopedEnv folder("GOSS_MODULE_DIR", "/nowhere");
  const std::string text = refusal();
  EXPECT_TRUE(contains(text, "/nowhere/libgossamer_ucx.so")) << text;
  EXPECT_TRUE(contains(text, "libucx0")) << text;
  EXPECT_TRUE(contains(text, "GOSS_MODULE_DIR")) << text;
}

TEST(MessengerModule, IsLookedForBesideTheLibrary) {
  const ScopedEnv folder("GOSS_MODULE_DIR", nullptr);
  const std::string text = refusal();
  const std::string self = std::filesystem::read_symlink("/proc/self/exe").parent_path();
  EXPECT_TRUE(contains(text, self + "/gossamer/libgossamer_ucx.so")) << text;
}

TEST(MessengerModule, SaysWhyAFileCannotBeLoaded) {
  const support::TemporaryDirectory directory;
  std::ofstream(directory.path() + "/libgossamer_ucx.so") << "no library";
  const ScopedEnv folder("GOSS_MODULE_DIR", directory.path().c_str());
  const std::string text = refusal();
  EXPECT_TRUE(contains(text, directory.path())) << text;
  EXPECT_TRUE(contains(text, "cannot be loaded")) << text;
}

TEST(MessengerModule, OfAnotherVersionIsRefused) {
  const ScopedEnv folder("GOSS_MODULE_DIR", GOSS_OTHER_MODULE);
  const std::string text = refusal();
  EXPECT_TRUE(contains(text, "version " + std::to_string(GOSS_VERSION_CODE + 1))) << text;
  EXPECT_TRUE(contains(text, "version " + std::to_string(GOSS_VERSION_CODE))) << text;
}

// The first instructions of functions that UCX is known to replace.
std::map<std::string, std::string> memory_functions() {
  std::map<std::string, std::string> code;
  for (const char* name : {"mmap", "munmap", "mremap", "madvise", "sbrk", "shmat"}) {
    const void* const function = ::dlsym(RTLD_DEFAULT, name);
    if (function != nullptr) code[name] = std::string(static_cast<const char*>(function), 8);
  }
  return code;
}

TEST(MessengerModule, LeavesTheProcessAsItWas) {
  const auto state = support::state_of_process();
  const auto code = memory_functions();
  const auto threads = support::names_in("/proc/self/task");
  GOSS_MESSENGERS(ranks, 2);
  std::vector<std::byte> value(100'000, std::byte{1}), got(100'000);
  MessageRequest send, receive;
  ranks[0].send(1, {1, 1}, value, &send);
  ranks[1].receive(0, {1, 1}, got, &receive);
  ASSERT_TRUE(ranks.ended(receive) && ranks.ended(send));
  EXPECT_EQ(support::state_of_process(), state);
  for (const auto& [name, bytes] : memory_functions()) {
    EXPECT_EQ(bytes, code.at(name)) << name << " was replaced";
  }
  for (const std::string& id : support::names_in("/proc/self/task")) {
    if (threads.count(id) != 0) continue;
    const std::string text = support::field("/proc/self/task/" + id + "/status", "SigBlk");
    const uint64_t blocked = std::strtoull(text.c_str(), nullptr, 16);
    for (const int signal : {SIGINT, SIGTERM, SIGUSR1, SIGCHLD, SIGALRM, SIGPIPE}) {
      EXPECT_NE(blocked >> (signal - 1) & 1, 0U) << "a thread takes signal " << signal;
    }
  }
}

TEST(MessengerModule, PrintsNothing) {
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  {
    Messengers ranks(2);
    if (ranks.failure().ok()) {
      MessageRequest receive;
      std::vector<std::byte> never(10);
      ranks[1].receive(0, {1, 1}, never, &receive);
      ranks.progress_for(milliseconds(50));
      ranks.destroy(0);
      EXPECT_TRUE(ranks.ended(receive));
    }
  }
  EXPECT_EQ(testing::internal::GetCapturedStdout(), "");
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
}

}  // namespace
}  // namespace goss::transport::test
