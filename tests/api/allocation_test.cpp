// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Calls whose thread gets no more memory at some point, one allocation after the other: an
// operation that had begun fails for all ranks, and a group does not run without one of its calls.
#include <gtest/gtest.h>

#include <array>
#include <cstdlib>
#include <functional>
#include <new>

#include "support/ranks.h"

namespace {
thread_local long allocations_left = -1;  // negative: any number
}

void* operator new(size_t bytes) {
  if (allocations_left > 0 && --allocations_left == 0) throw std::bad_alloc();
  if (void* memory = std::malloc(bytes)) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }

namespace goss::test {
namespace {

struct Buffers {
  std::vector<char> from = std::vector<char>(300'000, 1);
  std::vector<char> to = std::vector<char>(300'000);
};
using Call = std::function<gossResult_t(gossComm_t, int peer, Buffers*)>;

// Rank 0 may make `allowed` allocations in its call. True when it had enough.
bool call_with(long allowed, const Call& call) {
  bool enough = false;
  gossConfig_t config = default_config();
  config.timeoutMs = 20'000;
  run_ranks(
      2,
      [&](Rank& me) {
        Buffers buffers;
        if (me.rank == 0) allocations_left = allowed + 1;
        const gossResult_t code = call(me.comm, 1 - me.rank, &buffers);
        const bool failed_here = me.rank == 0 && allocations_left == 0;
        allocations_left = -1;
        if (me.rank == 0) enough = !failed_here;
        if (failed_here) require(code == gossSystemError, "rank 0: " + std::to_string(code));
        gossResult_t state = gossInternalError;
        MUST(gossCommGetAsyncError(me.comm, &state));
        require(state == code, "the call gave " + std::to_string(code) + ", the state is " +
                                   std::to_string(state));
        require(code == gossSuccess || code == gossSystemError, std::to_string(code));
      },
      config);
  return enough;
}

void lack_memory_everywhere(const Call& call) {
  for (long allowed = 0; allowed < 500; ++allowed) {
    SCOPED_TRACE("allocations: " + std::to_string(allowed));
    if (call_with(allowed, call) || testing::Test::HasFailure()) return;
  }
  FAIL() << "no end to the allocations";
}

TEST(LackOfMemory, FailsAnAllReduceOnAllRanks) {
  lack_memory_everywhere([](gossComm_t comm, int, Buffers* b) {
    return gossAllReduce(b->from.data(), b->to.data(), b->to.size(), gossInt8, gossSum, comm,
                         nullptr);
  });
}

TEST(LackOfMemory, FailsAMessageOnBothRanks) {
  lack_memory_everywhere([](gossComm_t comm, int peer, Buffers* b) {
    return peer == 1 ? gossSend(b->from.data(), b->from.size(), gossInt8, peer, comm, nullptr)
                     : gossRecv(b->to.data(), b->to.size(), gossInt8, peer, comm, nullptr);
  });
}

TEST(LackOfMemory, InACallOfAGroupFailsTheGroup) {
  for (long allowed = 0; allowed < 100; ++allowed) {
    Comms comms = make_comms(1);
    std::array<int, 200> x{};
    std::array<int, 200> y{};
    gossResult_t first = gossSuccess;
    MUST(gossGroupStart());
    allocations_left = allowed + 1;
    for (size_t i = 0; i < x.size(); ++i) {
      for (const bool sends : {true, false}) {
        const gossResult_t code = sends ? gossSend(&x[i], 1, gossInt, 0, comms[0], nullptr)
                                        : gossRecv(&y[i], 1, gossInt, 0, comms[0], nullptr);
        if (first == gossSuccess) first = code;
      }
    }
    const bool enough = allocations_left != 0;
    allocations_left = -1;
    EXPECT_EQ(first, enough ? gossSuccess : gossSystemError);
    EXPECT_EQ(gossGroupEnd(), first) << "allocations: " << allowed;
    if (enough) return;
  }
  FAIL() << "no end to the allocations";
}

}  // namespace
}  // namespace goss::test
