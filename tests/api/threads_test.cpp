// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Two threads and one communicator: what they may do at once, and that the rest is refused.
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <future>
#include <thread>

#include "support/ranks.h"
#include "support/test_scale.h"

namespace goss::test {
namespace {

TEST(Threads, MayAskForTheStateWhileAnotherDestroysTheCommunicator) {
  for (int round = 0; round < test_scale(100, 20); ++round) {
    Comms comms = make_comms(1);
    const gossComm_t comm = comms[0];
    std::atomic<bool> destroyed{false};
    std::thread watcher([&] {
      while (!destroyed) {
        gossResult_t state = gossSuccess;
        const gossResult_t code = gossCommGetAsyncError(comm, &state);
        EXPECT_TRUE(code == gossSuccess || code == gossInvalidArgument) << code;
        EXPECT_EQ(state, gossSuccess);
        EXPECT_NE(gossGetLastError(comm), nullptr);
      }
    });
    std::this_thread::sleep_for(std::chrono::microseconds(37 * (round % 5)));
    EXPECT_EQ(gossCommDestroy(comm), gossSuccess);
    destroyed = true;
    watcher.join();
    comms[0] = nullptr;
  }
}

TEST(Threads, ASecondOneInsideACommunicatorIsRefused) {
  std::promise<gossComm_t> inside;
  std::promise<void> refused;
  std::thread intruder([&] {
    const gossComm_t comm = inside.get_future().get();
    ::usleep(150'000);  // the owner waits for rank 1 by now
    EXPECT_EQ(gossBarrier(comm, nullptr), gossInvalidUsage);
    EXPECT_NE(last_error().find("thread"), std::string::npos) << last_error();
    EXPECT_EQ(gossGroupStart(), gossSuccess);
    EXPECT_EQ(gossBarrier(comm, nullptr), gossSuccess);
    EXPECT_EQ(gossGroupEnd(), gossInvalidUsage);
    gossResult_t state = gossInternalError;
    EXPECT_EQ(gossCommGetAsyncError(comm, &state), gossSuccess);  // allowed at any time
    EXPECT_EQ(state, gossSuccess);
    refused.set_value();
  });
  run_ranks(2, [&](Rank& me) {
    int x = me.rank;
    if (me.rank == 0) {
      inside.set_value(me.comm);
    } else {
      refused.get_future().wait();
    }
    MUST(gossAllReduce(&x, &x, 1, gossInt, gossSum, me.comm, nullptr));
    require(x == 1, "the call in progress goes on");
    MUST(gossBarrier(me.comm, nullptr));
  });
  intruder.join();
}

// One thread calls as fast as it can, and the other ends the communicator under it: every call
// works or is refused, also the one that was about to begin.
void end_while_calling(gossResult_t (*end)(gossComm_t)) {
  for (int round = 0; round < test_scale(300, 60); ++round) {
    Comms comms = make_comms(1);
    std::atomic<bool> calling{false};
    std::atomic<gossResult_t> code{gossSuccess};
    std::thread caller([&, comm = comms[0]] {
      int x = 1;
      while (code == gossSuccess) {
        code = gossAllReduce(&x, &x, 1, gossInt, gossSum, comm, nullptr);
        calling = true;
      }
      for (int i = 0; i < 20; ++i) {  // a careless program goes on for a while
        EXPECT_NE(gossAllReduce(&x, &x, 1, gossInt, gossSum, comm, nullptr), gossSuccess);
      }
    });
    while (!calling) std::this_thread::yield();
    std::this_thread::sleep_for(std::chrono::microseconds(13 * (round % 7)));
    EXPECT_EQ(end(std::exchange(comms[0], nullptr)), gossSuccess);
    caller.join();
    EXPECT_TRUE(code == gossInvalidUsage || code == gossInvalidArgument) << code;
  }
}

TEST(Threads, AnAbortedCommunicatorRefusesTheCallsOfAnother) { end_while_calling(gossCommAbort); }

TEST(Threads, ADestroyedCommunicatorRefusesTheCallsOfAnother) {
  end_while_calling(gossCommDestroy);
}

}  // namespace
}  // namespace goss::test
