// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Registered memory, windows, puts and signals.
#include <gtest/gtest.h>

#include <chrono>
#include <thread>
#include <vector>

#include "support/buffers.h"
#include "support/ranks.h"
#include "support/test_scale.h"

namespace goss::test {
namespace {

gossResult_t wait_for(int peer, int times, gossComm_t comm, gossStream_t stream = nullptr,
                      int sig_index = 0, int context = 0) {
  gossWaitSignalDesc_t wanted = {times, peer, sig_index, context};
  return gossWaitSignal(1, &wanted, comm, stream);
}

// Memory of gossMemAlloc that is a window.
class OwnWindow {
 public:
  OwnWindow(gossComm_t comm, size_t bytes) : comm_(comm) {
    MUST(gossMemAlloc(&memory_, bytes));
    MUST(gossCommWindowRegister(comm, memory_, bytes, &window_, GOSS_WIN_COLL_SYMMETRIC));
  }
  OwnWindow(const OwnWindow&) = delete;
  OwnWindow& operator=(const OwnWindow&) = delete;
  ~OwnWindow() {
    EXPECT_EQ(gossCommWindowDeregister(comm_, window_), gossSuccess) << last_error();
    EXPECT_EQ(gossMemFree(memory_), gossSuccess);
  }
  gossWindow_t window() const { return window_; }
  std::byte* data() const { return static_cast<std::byte*>(memory_); }

 private:
  gossComm_t comm_;
  void* memory_ = nullptr;
  gossWindow_t window_ = nullptr;
};

class Windows : public ::testing::TestWithParam<int> {};

// Everybody puts a block into every window, the own one too, again and again.
TEST_P(Windows, TakeBlocksFromAllRanksInOrder) {
  run_ranks(GetParam(), [](Rank& me) {
    constexpr size_t kMost = 300'000;
    OwnWindow mine(me.comm, kMost * static_cast<size_t>(me.nranks));
    for (unsigned round = 0; round < 6; ++round) {
      const size_t bytes = round % 3 == 0 ? 1 : round % 3 == 1 ? 4096 : kMost;
      std::vector<std::byte> block(bytes);
      fill(block.data(), bytes, me.rank, round);
      for (int peer = 0; peer < me.nranks; ++peer) {
        MUST(gossPutSignal(block.data(), bytes, gossInt8, peer, mine.window(),
                           kMost * static_cast<size_t>(me.rank), 0, 0, 0, me.comm, nullptr));
      }
      std::vector<gossWaitSignalDesc_t> wanted;
      for (int peer = 0; peer < me.nranks; ++peer) wanted.push_back({1, peer, 0, 0});
      MUST(gossWaitSignal(me.nranks, wanted.data(), me.comm, nullptr));
      for (int peer = 0; peer < me.nranks; ++peer) {
        require_content(mine.data() + kMost * static_cast<size_t>(peer), bytes, peer, round,
                        "round " + std::to_string(round));
      }
      MUST(gossBarrier(me.comm, nullptr));
    }
  });
}

TEST_P(Windows, WorkInGroupsAndOnStreams) {
  run_ranks(GetParam(), [](Rank& me) {
    constexpr size_t kCount = 5'000;
    const int next = (me.rank + 1) % me.nranks;
    const int previous = (me.rank + me.nranks - 1) % me.nranks;
    OwnWindow mine(me.comm, kCount * 4);
    gossStream_t stream = nullptr;
    MUST(gossStreamCreate(&stream));
    for (unsigned round = 0; round < 4; ++round) {
      gossStream_t where = round % 2 == 0 ? stream : nullptr;
      std::vector<std::byte> block(kCount * 4);
      fill(block.data(), block.size(), me.rank, round);
      MUST(gossGroupStart());
      MUST(wait_for(previous, 1, me.comm, where));  // before the put, which it must not stop
      MUST(gossPutSignal(block.data(), kCount, gossFloat, next, mine.window(), 0, 0, 0, 0, me.comm,
                         where));
      MUST(gossGroupEnd());
      MUST(gossStreamSynchronize(stream));
      require_content(mine.data(), kCount * 4, previous, round, "ring");
      MUST(gossBarrier(me.comm, nullptr));
    }
    MUST(gossStreamDestroy(stream));
  });
}

INSTANTIATE_TEST_SUITE_P(Window, Windows, ::testing::Values(1, 2, 4),
                         ::testing::PrintToStringParamName());

TEST(Window, OneThreadRegistersAndPutsForAllItsRanks) {
  Comms comms = make_comms(3);
  std::vector<void*> memory(3);
  std::vector<gossWindow_t> windows(3);
  MUST(gossGroupStart());
  for (int r = 0; r < 3; ++r) {
    const auto i = static_cast<size_t>(r);
    MUST(gossMemAlloc(&memory[i], 64 * (i + 1)));  // sizes may differ
    MUST(gossCommWindowRegister(comms[r], memory[i], 64 * (i + 1), &windows[i], 0));
    const int x = 1;
    EXPECT_EQ(gossPutSignal(&x, 1, gossInt, 0, windows[i], 0, 0, 0, 0, comms[r], nullptr),
              gossInvalidUsage);
    EXPECT_NE(last_error().find("not complete"), std::string::npos) << last_error();
  }
  EXPECT_EQ(gossGroupEnd(), gossInvalidUsage);  // those puts
  for (int r = 0; r < 3; ++r) {
    MUST(gossCommWindowDeregister(comms[r], windows[static_cast<size_t>(r)]));
  }

  MUST(gossGroupStart());
  for (int r = 0; r < 3; ++r) {
    const auto i = static_cast<size_t>(r);
    MUST(gossCommWindowRegister(comms[r], memory[i], 64 * (i + 1), &windows[i], 0));
  }
  MUST(gossGroupEnd());
  // Complete, whatever else is still queued.
  gossStream_t stream = nullptr;
  MUST(gossStreamCreate(&stream));
  int y[3] = {1, 2, 3};
  MUST(gossAllReduce(&y[0], &y[0], 1, gossInt, gossSum, comms[0], stream));
  const int x[3] = {10, 11, 12};
  MUST(gossGroupStart());
  for (int r = 1; r < 3; ++r) {
    MUST(gossAllReduce(&y[r], &y[r], 1, gossInt, gossSum, comms[r], nullptr));
  }
  for (int r = 0; r < 3; ++r) {
    const auto i = static_cast<size_t>(r);
    MUST(gossPutSignal(&x[i], 1, gossInt, (r + 1) % 3, windows[i], 60, 0, 0, 0, comms[r], nullptr));
    MUST(wait_for((r + 2) % 3, 1, comms[r]));
  }
  MUST(gossGroupEnd());
  MUST(gossStreamSynchronize(stream));
  MUST(gossStreamDestroy(stream));
  for (size_t i = 0; i < 3; ++i) {
    int got = 0;
    std::memcpy(&got, static_cast<std::byte*>(memory[i]) + 60, sizeof(got));
    EXPECT_EQ(got, 10 + static_cast<int>((i + 2) % 3));
    void* pointer = nullptr;
    MUST(gossWinGetUserPtr(comms[static_cast<int>(i)], windows[i], &pointer));
    EXPECT_EQ(pointer, memory[i]);
    // Behind the end of the smallest, within the own one.
    if (i == 0) continue;
    EXPECT_EQ(gossPutSignal(&x[0], 1, gossInt, 0, windows[i], 61, 0, 0, 0,
                            comms[static_cast<int>(i)], nullptr),
              gossInvalidArgument);
    EXPECT_NE(last_error().find("has 64 bytes"), std::string::npos) << last_error();
  }
  for (void* one : memory) MUST(gossMemFree(one));
}

TEST(Window, SignalsAreCountedPerPeerIndexAndContext) {
  run_ranks(3, [](Rank& me) {
    if (me.rank != 0) {
      for (int i = 0; i < 5; ++i) MUST(gossSignal(0, 3, 1, 0, me.comm, nullptr));
      MUST(gossSignal(0, 3, 2, 0, me.comm, nullptr));
      MUST(gossBarrier(me.comm, nullptr));
      return;
    }
    MUST(wait_for(1, 2, me.comm, nullptr, 3, 1));
    MUST(wait_for(1, 3, me.comm, nullptr, 3, 1));
    gossWaitSignalDesc_t rest[] = {{1, 2, 3, 2}, {4, 2, 3, 1}, {1, 1, 3, 2}, {1, 2, 3, 1}};
    MUST(gossWaitSignal(4, rest, me.comm, nullptr));
    MUST(gossBarrier(me.comm, nullptr));
  });
}

TEST(Window, AWaitWithoutASignalEndsWithTheTimeLimit) {
  gossConfig_t config = default_config();
  config.timeoutMs = 100;
  run_ranks(
      2,
      [](Rank& me) {
        if (me.rank == 0) {
          MUST_BE(gossTimeout, wait_for(1, 1, me.comm));
          require(last_error().find("wait for a signal(1 times sigIdx 0 ctx 0, from rank 1)") !=
                      std::string::npos,
                  last_error());
        } else {
          gossResult_t state = gossSuccess;
          while (state == gossSuccess) {
            MUST(gossCommGetAsyncError(me.comm, &state));
            std::this_thread::sleep_for(std::chrono::milliseconds(1));
          }
          require(state == gossTimeout, "the same failure");
        }
      },
      config);
}

TEST(Window, ARankThatLeavesEndsTheWaitForItsSignal) {
  run_ranks(2, [](Rank& me) {
    if (me.rank == 1) {
      MUST(gossSignal(0, 0, 0, 0, me.comm, nullptr));
      return;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    MUST(wait_for(1, 1, me.comm));  // that came before it left
    MUST_BE(gossRemoteError, wait_for(1, 1, me.comm));
    require(last_error().find("left") != std::string::npos, last_error());
  });
}

TEST(Window, NonBlockingCommunicatorsPutAndWait) {
  gossConfig_t config = default_config();
  config.blocking = 0;
  Comms comms = make_comms(2, config);
  const auto poll = [&] {
    for (int r : {0, 1}) {
      gossResult_t state = gossInProgress;
      while (state == gossInProgress) MUST(gossCommGetAsyncError(comms[r], &state));
      MUST(state);
    }
  };
  poll();
  void* memory[2] = {};
  gossWindow_t windows[2] = {};
  for (int r : {0, 1}) {
    MUST(gossMemAlloc(&memory[r], 4096));
    MUST_BE(gossInProgress, gossCommWindowRegister(comms[r], memory[r], 4096, &windows[r], 0));
  }
  poll();
  const int x[] = {7, 8};
  for (int r : {0, 1}) {
    MUST_BE(gossInProgress,
            gossPutSignal(&x[r], 1, gossInt, 1 - r, windows[r], 8, 0, 0, 0, comms[r], nullptr));
    MUST_BE(gossInProgress, wait_for(1 - r, 1, comms[r]));
  }
  poll();
  for (int r : {0, 1}) {
    EXPECT_EQ(static_cast<int*>(memory[r])[2], 8 - r);
    MUST(gossCommWindowDeregister(comms[r], windows[r]));
    MUST(gossMemFree(memory[r]));
  }
}

TEST(Window, WrongArgumentsAreRefusedAndTheCommunicatorGoesOn) {
  Comms comms = make_comms(1);
  Comms others = make_comms(1);
  gossComm_t comm = comms[0];
  void* memory = nullptr;
  void* out = nullptr;
  gossWindow_t window = nullptr;
  std::vector<int> ordinary(100);
  MUST(gossMemAlloc(&memory, 400));
  constexpr auto kWrong = gossInvalidArgument;
  EXPECT_EQ(gossCommWindowRegister(comm, ordinary.data(), 400, &window, 0), kWrong);
  EXPECT_NE(last_error().find("gossMemAlloc"), std::string::npos) << last_error();
  EXPECT_EQ(gossCommWindowRegister(comm, memory, 40'000, &window, 0), kWrong);
  EXPECT_EQ(gossCommWindowRegister(comm, nullptr, 400, &window, 0), kWrong);
  EXPECT_EQ(gossCommWindowRegister(comm, memory, 0, &window, 0), kWrong);
  EXPECT_EQ(gossCommWindowRegister(comm, memory, 400, nullptr, 0), kWrong);
  EXPECT_EQ(gossCommWindowRegister(comm, memory, 400, &window, 4), kWrong);
  EXPECT_EQ(gossCommWindowRegister(nullptr, memory, 400, &window, 0), kWrong);
  MUST(gossCommWindowRegister(comm, memory, 400, &window, GOSS_WIN_STRICT_ORDERING));
  EXPECT_EQ(gossWinGetUserPtr(comm, window, nullptr), kWrong);
  EXPECT_EQ(gossWinGetUserPtr(comm, nullptr, &out), kWrong);
  EXPECT_EQ(gossWinGetUserPtr(others[0], window, &out), kWrong);

  const auto put = [&](const void* from, size_t count, gossDataType_t type, int peer,
                       gossWindow_t to, size_t offset, int sig_index, int context, unsigned flags) {
    return gossPutSignal(from, count, type, peer, to, offset, sig_index, context, flags, comm,
                         nullptr);
  };
  const int* x = ordinary.data();
  EXPECT_EQ(put(nullptr, 1, gossInt, 0, window, 0, 0, 0, 0), kWrong);
  EXPECT_EQ(put(x, 1, gossNumTypes, 0, window, 0, 0, 0, 0), kWrong);
  EXPECT_EQ(put(x, 1, gossInt, 1, window, 0, 0, 0, 0), kWrong);
  EXPECT_EQ(put(x, 1, gossInt, 0, nullptr, 0, 0, 0, 0), kWrong);
  EXPECT_EQ(put(x, 1, gossInt, 0, window, 397, 0, 0, 0), kWrong);
  EXPECT_EQ(put(x, 1, gossInt, 0, window, SIZE_MAX, 0, 0, 0), kWrong);
  EXPECT_EQ(put(x, SIZE_MAX / 2, gossInt, 0, window, 0, 0, 0, 0), kWrong);
  EXPECT_EQ(put(x, 1, gossInt, 0, window, 0, GOSS_SIGNALS, 0, 0), kWrong);
  EXPECT_EQ(put(x, 1, gossInt, 0, window, 0, 0, -1, 0), kWrong);
  EXPECT_EQ(put(x, 1, gossInt, 0, window, 0, 0, 0, 1), kWrong);
  EXPECT_EQ(gossPutSignal(x, 1, gossInt, 0, window, 0, 0, 0, 0, others[0], nullptr), kWrong);
  EXPECT_EQ(gossSignal(1, 0, 0, 0, comm, nullptr), kWrong);
  EXPECT_EQ(gossSignal(0, 0, 0, 0, nullptr, nullptr), kWrong);
  EXPECT_EQ(wait_for(0, 0, comm), kWrong);
  EXPECT_EQ(wait_for(1, 1, comm), kWrong);
  EXPECT_EQ(wait_for(0, 1, comm, nullptr, -1), kWrong);
  EXPECT_EQ(wait_for(0, 1, comm, nullptr, 0, GOSS_SIGNAL_CONTEXTS), kWrong);
  EXPECT_EQ(gossWaitSignal(1, nullptr, comm, nullptr), kWrong);
  gossWaitSignalDesc_t wanted = {1, 0, 0, 0};
  EXPECT_EQ(gossWaitSignal(0, &wanted, comm, nullptr), kWrong);

  MUST(put(x, 100, gossInt, 0, window, 0, 0, 0, 0));
  MUST(gossWaitSignal(1, &wanted, comm, nullptr));
  MUST(gossCommWindowDeregister(comm, window));
  EXPECT_EQ(gossCommWindowDeregister(comm, window), kWrong);
  EXPECT_EQ(put(x, 1, gossInt, 0, window, 0, 0, 0, 0), kWrong);
  MUST(gossMemFree(memory));
}

TEST(Window, MemoryIsRegisteredOnce) {
  run_ranks(2, [](Rank& me) {
    void* shared = nullptr;
    std::vector<int> ordinary(100);
    MUST(gossMemAlloc(&shared, 1 << 20));
    void* handles[2] = {};
    MUST(gossCommRegister(me.comm, shared, 1 << 20, &handles[0]));
    MUST(gossCommRegister(me.comm, ordinary.data(), 400, &handles[1]));
    require(handles[0] != nullptr && handles[0] != handles[1], "handles");
    MUST(gossAllReduce(shared, shared, 1 << 18, gossInt, gossSum, me.comm, nullptr));
    for (void* handle : handles) {
      MUST(gossCommDeregister(me.comm, handle));
      MUST_BE(gossInvalidArgument, gossCommDeregister(me.comm, handle));
    }
    void* out = nullptr;
    MUST_BE(gossInvalidArgument, gossCommRegister(me.comm, nullptr, 400, &out));
    MUST_BE(gossInvalidArgument, gossCommRegister(me.comm, shared, 0, &out));
    MUST_BE(gossInvalidArgument, gossCommRegister(me.comm, shared, 400, nullptr));
    MUST_BE(gossInvalidArgument, gossCommRegister(nullptr, shared, 400, &out));
    MUST_BE(gossInvalidArgument, gossCommDeregister(me.comm, nullptr));
    MUST(gossMemFree(shared));
  });
}

}  // namespace
}  // namespace goss::test
