// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// A good guest: the library changes nothing of the process that it was not asked to change, and
// minds neither fork nor exit.
#include <sys/resource.h>

#include <clocale>
#include <fstream>

#include "faults/ranks.h"
#include "support/process_state.h"

namespace goss::faults {
namespace {

using support::field;
using support::names_in;
using support::state_of_process;

void use_everything(Rank& rank) {
  if (rank.failed(rank.join())) std::exit(3);
  MixedWork work(&rank);
  for (uint64_t i = 0; i < 30; ++i) rank.failed(work.round(rank.comm, i));
  gossStream_t stream = nullptr;
  rank.expect(gossStreamCreate(&stream) == gossSuccess);
  std::vector<float> x(1000, 1.0f);
  gossAllReduce(x.data(), x.data(), x.size(), gossFloat, gossSum, rank.comm, stream);
  rank.expect(gossStreamSynchronize(stream) == gossSuccess);
  rank.expect(gossStreamDestroy(stream) == gossSuccess);
  gossComm_t part = nullptr;
  rank.expect(gossCommSplit(rank.comm, 0, 0, &part, nullptr) == gossSuccess);
  rank.expect(gossCommDestroy(part) == gossSuccess);
}

// Two ranks run `body`; what they find wrong is in report().text.
void expect_fine(const Ranks::Body& body) {
  Ranks ranks(2, body);
  ranks.expect_clean_end(kPatience);
  for (int r = 0; r < 2; ++r) {
    EXPECT_STREQ(ranks.report(r).text, "") << "rank " << r;
    EXPECT_EQ(ranks.report(r).wrong, 0) << "rank " << r;
  }
}

void complain(Rank& rank, const std::string& text) {
  if (rank.report.text[0] == '\0') keep_text(rank.report.text, text.c_str());
}

TEST(GuestTest, StateOfTheProcessIsUnchanged) {
  expect_fine([](Rank& rank) {
    std::setlocale(LC_ALL, "C.UTF-8");
    ::signal(SIGUSR1, [](int) {});
    sigset_t some;
    ::sigemptyset(&some);
    ::sigaddset(&some, SIGUSR2);
    ::sigprocmask(SIG_BLOCK, &some, nullptr);
    const auto before = state_of_process();
    use_everything(rank);
    const auto during = state_of_process();
    gossCommDestroy(rank.comm);
    const auto after = state_of_process();
    for (const auto& [name, value] : before) {
      if (during.at(name) != value) complain(rank, name + ": " + value + " -> " + during.at(name));
      if (after.at(name) != value) complain(rank, name + ": " + value + " -> " + after.at(name));
    }
  });
}

TEST(GuestTest, ProgramsOfOneHostLoadNoNetworkLibraries) {
  expect_fine([](Rank& rank) {
    use_everything(rank);
    std::ifstream maps("/proc/self/maps");
    for (std::string line; std::getline(maps, line);) {
      for (const char* name : {"gossamer_ucx", "libucp", "libucs", "libuct", "libucm"}) {
        if (line.find(name) != std::string::npos) complain(rank, line);
      }
    }
    gossCommDestroy(rank.comm);
  });
}

TEST(GuestTest, NoThreadsBeforeFirstUseAndOneBlockingAllSignalsAfter) {
  expect_fine([](Rank& rank) {
    int version = 0;
    gossGetVersion(&version);
    void* memory = nullptr;
    gossMemAlloc(&memory, 4096);
    const auto before = names_in("/proc/self/task");
    if (!support::under_thread_sanitizer() && before.size() != 1) {
      complain(rank, std::to_string(before.size()) + " threads before the first communicator");
    }
    gossMemFree(memory);
    use_everything(rank);
    int made = 0;
    for (const std::string& id : names_in("/proc/self/task")) {
      if (before.count(id) != 0) continue;
      ++made;
      const std::string text = field("/proc/self/task/" + id + "/status", "SigBlk");
      const uint64_t blocked = std::strtoull(text.c_str(), nullptr, 16);
      for (int s = 1; s <= SIGRTMAX; ++s) {
        if (s == SIGKILL || s == SIGSTOP || (s > 31 && s < SIGRTMIN)) continue;  // cannot be
        if ((blocked >> (s - 1) & 1) == 0) {
          complain(rank, "a thread of the library takes signal " + std::to_string(s));
        }
      }
    }
    if (made != 1) complain(rank, std::to_string(made) + " threads of the library");
    gossCommDestroy(rank.comm);
  });
}

TEST(GuestTest, DescriptorsAreCloseOnExecAndNoneIsLeft) {
  expect_fine([](Rank& rank) {
    // What the library keeps for the life of the process is there after a first communicator.
    use_everything(rank);
    rank.expect(gossBarrier(rank.comm, nullptr) == gossSuccess);
    for (const std::string& fd : names_in("/proc/self/fd")) {
      std::error_code gone;
      const std::string what = std::filesystem::read_symlink("/proc/self/fd/" + fd, gone);
      const bool ours = what.find("memfd:goss") != std::string::npos ||
                        what.find("anon_inode") != std::string::npos ||
                        what.find("socket:") != std::string::npos;
      if (!ours) continue;
      const std::string flags = field("/proc/self/fdinfo/" + fd, "flags");
      if (flags.empty()) continue;  // closed in between by the library's thread
      if ((std::strtoul(flags.c_str(), nullptr, 8) & O_CLOEXEC) == 0) {
        complain(rank, "descriptor " + fd + " (" + what + ") would survive an exec");
      }
    }
    gossCommDestroy(rank.comm);
    const size_t kept = names_in("/proc/self/fd").size();
    for (int i = 0; i < 5; ++i) {
      gossComm_t comms[2] = {nullptr, nullptr};
      rank.expect(gossCommInitAll(comms, 2, nullptr) == gossSuccess);
      gossGroupStart();
      for (gossComm_t comm : comms) gossBarrier(comm, nullptr);
      rank.expect(gossGroupEnd() == gossSuccess);
      for (gossComm_t comm : comms) gossCommDestroy(comm);
    }
    // The rendezvous closes a moment after it is over.
    if (!support::eventually(kPatience, [&] { return names_in("/proc/self/fd").size() <= kept; })) {
      complain(rank, std::to_string(kept) + " descriptors became " +
                         std::to_string(names_in("/proc/self/fd").size()));
    }
  });
}

TEST(GuestTest, RendezvousThatNobodyComesToIsClosed) {
  expect_fine([](Rank& rank) {
    use_everything(rank);
    gossCommDestroy(rank.comm);
    const size_t kept = names_in("/proc/self/fd").size();
    for (int i = 0; i < 5; ++i) {
      gossComm_t alone = nullptr;
      rank.expect(gossCommInitAll(&alone, 1, nullptr) == gossSuccess);
      gossCommDestroy(alone);
      gossUniqueId id;
      rank.expect(gossGetUniqueId(&id) == gossSuccess);
      rank.expect(gossCommInitRank(&alone, 1, id, 0) == gossSuccess);
      gossCommDestroy(alone);
      gossComm_t none[2] = {nullptr, nullptr};
      const int devices[2] = {GOSS_DEVICE_HOST, 7};
      rank.expect(gossCommInitAll(none, 2, devices) == gossInvalidArgument);
      for (gossComm_t comm : none) gossCommDestroy(comm);
    }
    if (!support::eventually(kPatience, [&] { return names_in("/proc/self/fd").size() <= kept; })) {
      complain(rank, std::to_string(kept) + " descriptors became " +
                         std::to_string(names_in("/proc/self/fd").size()));
    }
  });
}

// What a rank's forked child finds and does; code 0 when all is as it should be.
int use_in_child(gossComm_t comm) {
  float x = 1;
  if (gossAllReduce(&x, &x, 1, gossFloat, gossSum, comm, nullptr) != gossInvalidUsage) return 11;
  if (std::strstr(gossGetLastError(nullptr), "fork") == nullptr) return 12;
  if (gossGetLastError(comm) == nullptr) return 13;
  gossResult_t state = gossSuccess;
  if (gossCommGetAsyncError(comm, &state) != gossInvalidUsage) return 14;
  if (gossCommDestroy(comm) != gossSuccess) return 15;
  if (support::under_thread_sanitizer()) return 0;  // allows no threads after a fork
  gossComm_t alone = nullptr;
  gossUniqueId id;
  if (gossGetUniqueId(&id) != gossSuccess) return 16;
  if (gossCommInitRank(&alone, 1, id, 0) != gossSuccess) return 17;
  if (gossAllReduce(&x, &x, 1, gossFloat, gossSum, alone, nullptr) != gossSuccess) return 18;
  if (gossCommDestroy(alone) != gossSuccess) return 19;
  void* memory = nullptr;
  if (gossMemAlloc(&memory, 4096) != gossSuccess) return 20;
  return gossMemFree(memory) == gossSuccess ? 0 : 21;
}

void expect_child(Rank& rank, const std::function<void()>& body) {
  support::Process child(body);
  if (!child.ended_within(kPatience)) {
    complain(rank, "a forked child hangs");
  } else if (child.code() != 0) {
    complain(rank, "a forked child ended with " + std::to_string(child.code()));
  }
}

TEST(GuestTest, ForkedChildExecsOrExitsOrStartsAnewWithoutHarm) {
  expect_fine([](Rank& rank) {
    use_everything(rank);
    for (int i = 0; i < 3; ++i) {
      expect_child(rank, [] { ::execl("/bin/true", "true", nullptr); });
      expect_child(rank, [] { std::exit(0); });
      expect_child(rank, [&] { std::exit(use_in_child(rank.comm)); });
      // The parent goes on as before.
      rank.expect(gossBarrier(rank.comm, nullptr) == gossSuccess);
    }
    if (rank.failed(gossCommDestroy(rank.comm))) std::exit(5);
  });
}

// At any moment: the library's thread may be anywhere, and hold what the child needs.
TEST(GuestTest, ForkWhileTheLibraryThreadWorksIsHarmless) {
  const int forks = test_scale(40, 10);
  expect_fine([&](Rank& rank) {
    if (rank.failed(rank.join())) std::exit(3);
    gossStream_t stream = nullptr;
    rank.expect(gossStreamCreate(&stream) == gossSuccess);
    void* memory = nullptr;
    constexpr size_t kCount = 100'000;
    rank.expect(gossMemAlloc(&memory, kCount * sizeof(float)) == gossSuccess);
    auto* x = static_cast<float*>(memory);
    for (int i = 0; i < forks; ++i) {
      for (int k = 0; k < 20; ++k) {
        gossAllReduce(x, x, k % 2 == 0 ? 100 : kCount, gossFloat, gossMax, rank.comm, stream);
      }
      if (rank.rank == 0) expect_child(rank, [&] { std::exit(use_in_child(rank.comm)); });
    }
    rank.expect(gossStreamSynchronize(stream) == gossSuccess);
    rank.expect(gossStreamDestroy(stream) == gossSuccess);
    rank.expect(gossMemFree(memory) == gossSuccess);
    if (rank.failed(gossCommDestroy(rank.comm))) std::exit(5);
  });
}

TEST(GuestTest, ExitWithoutDestroyInsideAStreamOperationNeitherCrashesNorHangs) {
  const int times = test_scale(10, 3);
  for (int i = 0; i < times; ++i) {
    Moment moment;
    Ranks ranks(2, [&](Rank& rank) {
      if (rank.failed(rank.join())) std::exit(3);
      gossStream_t stream = nullptr;
      gossStreamCreate(&stream);
      static auto* const x = new std::vector<float>(1'000'000);  // still there while exit() runs
      for (int k = 0; k < 200; ++k) {
        gossAllReduce(x->data(), x->data(), x->size(), gossFloat, gossMax, rank.comm, stream);
      }
      moment.sleep_up_to(milliseconds(20));
      std::exit(0);
    });
    SCOPED_TRACE("seed " + std::to_string(moment.seed()));
    ranks.expect_clean_end(kPatience);
  }
}

TEST(GuestTest, ExitInASignalHandlerInsideACallNeitherCrashesNorHangs) {
  Ranks ranks(2, [](Rank& rank) {
    if (rank.failed(rank.join())) std::exit(3);
    rank.reach(1);
    if (rank.rank == 1) {
      rank.wait_for_go(1);
      std::exit(0);
    }
    // The main thread waits for ever; a child process cannot end it, so an alarm does: exit() from
    // the signal handler runs in the midst of the call.
    ::signal(SIGALRM, [](int) { std::exit(0); });
    ::alarm(1);
    gossBarrier(rank.comm, nullptr);
    std::exit(4);
  });
  ASSERT_TRUE(ranks.all_reach(1));
  ASSERT_TRUE(ranks.process(0).ended_within(kPatience)) << "exit() hangs";
  EXPECT_EQ(ranks.process(0).code(), 0);
  ranks.board().go = 1;
  ranks.expect_clean_end(kPatience);
}

}  // namespace
}  // namespace goss::faults
