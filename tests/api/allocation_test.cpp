// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Calls whose thread gets no more memory at some point, one allocation after the other: they fail
// for all ranks, whether they had begun or not, and a group does not run without one of its calls.
#include <gtest/gtest.h>

#include <array>
#include <cstdlib>
#include <functional>
#include <new>

#include "support/ranks.h"

namespace {
thread_local long allocations_left = -1;  // negative: any number
}

// Not inlined: gcc would take malloc() and free() for parts of somebody else's pairs.
[[gnu::noinline]] void* operator new(size_t bytes) {
  if (allocations_left > 0 && --allocations_left == 0) throw std::bad_alloc();
  if (void* memory = std::malloc(bytes)) return memory;
  throw std::bad_alloc();
}
// As std::stable_sort() asks, which can do without.
[[gnu::noinline]] void* operator new(size_t bytes, const std::nothrow_t&) noexcept {
  return std::malloc(bytes);
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, size_t) noexcept { std::free(memory); }

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
        // Rank 1 may have had all that it needed when rank 0 failed.
        const bool failed_later = me.rank == 1 && code == gossSuccess && state == gossSystemError;
        require(state == code || failed_later, "the call gave " + std::to_string(code) +
                                                   ", the state is " + std::to_string(state));
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

struct Queue {
  Queue() { MUST(gossStreamCreate(&stream)); }
  Queue(const Queue&) = delete;
  Queue& operator=(const Queue&) = delete;
  ~Queue() { EXPECT_EQ(gossStreamDestroy(stream), gossSuccess) << last_error(); }
  gossStream_t stream = nullptr;
};
using QueueCall = std::function<gossResult_t(gossComm_t, int peer, Buffers*, gossStream_t)>;

// Rank 0 may make `allowed` allocations in its calls: both ranks hear of it, rank 1 when it waits.
// True when it had enough.
bool queue_with(long allowed, const QueueCall& call) {
  bool enough = false;
  gossConfig_t config = default_config();
  config.timeoutMs = 20'000;
  run_ranks(
      2,
      [&](Rank& me) {
        Buffers buffers;
        const Queue queue;
        if (me.rank == 0) allocations_left = allowed + 1;
        const gossResult_t code = call(me.comm, 1 - me.rank, &buffers, queue.stream);
        const bool failed_here = me.rank == 0 && allocations_left == 0;
        allocations_left = -1;
        if (me.rank == 0) enough = !failed_here;
        if (failed_here || code != gossSuccess) {
          require(code == gossSystemError, "the call gave " + std::to_string(code));
        }
        const gossResult_t end = gossStreamSynchronize(queue.stream);
        gossResult_t state = gossInternalError;
        MUST(gossCommGetAsyncError(me.comm, &state));
        if (failed_here) {
          require(state == gossSystemError, "rank 0 is in state " + std::to_string(state));
        } else {
          const gossResult_t first = code != gossSuccess ? code : end;
          require(first == state, "the first failure was " + std::to_string(first) +
                                      ", the state is " + std::to_string(state));
        }
        const std::string error = gossGetLastError(me.comm);
        require(state == gossSuccess || state == gossSystemError, error);
        require(state == gossSuccess || error.find("rank 0") != std::string::npos, error);
      },
      config);
  return enough;
}

void lack_memory_in_queues(const QueueCall& call) {
  for (long allowed = 0; allowed < 500; ++allowed) {
    SCOPED_TRACE("allocations: " + std::to_string(allowed));
    if (queue_with(allowed, call) || testing::Test::HasFailure()) return;
  }
  FAIL() << "no end to the allocations";
}

TEST(LackOfMemory, BeforeAnOperationIsOnItsStreamFailsAllRanks) {
  lack_memory_in_queues([](gossComm_t comm, int, Buffers* b, gossStream_t stream) {
    return gossAllReduce(b->from.data(), b->to.data(), b->to.size(), gossInt8, gossSum, comm,
                         stream);
  });
}

TEST(LackOfMemory, BeforeAMessageIsOnItsStreamFailsBothRanks) {
  lack_memory_in_queues([](gossComm_t comm, int peer, Buffers* b, gossStream_t stream) {
    return peer == 1 ? gossSend(b->from.data(), b->from.size(), gossInt8, peer, comm, stream)
                     : gossRecv(b->to.data(), b->to.size(), gossInt8, peer, comm, stream);
  });
}

TEST(LackOfMemory, OfCountsOfBlocksFailsAllRanks) {
  lack_memory_in_queues([](gossComm_t comm, int, Buffers* b, gossStream_t stream) {
    const size_t counts[] = {1000, 1000};
    const size_t places[] = {0, 3000};
    return gossAlltoAllv(b->from.data(), counts, places, b->to.data(), counts, places, gossInt8,
                         comm, stream);
  });
}

// Some calls on a stream, some on none.
TEST(LackOfMemory, InAGroupThatIsPartlyQueuedFailsAllRanks) {
  lack_memory_in_queues([](gossComm_t comm, int peer, Buffers* b, gossStream_t stream) {
    char* from = b->from.data();
    char* to = b->to.data();
    gossResult_t first = gossGroupStart();
    const auto keep = [&](gossResult_t code) {
      if (first == gossSuccess) first = code;
    };
    keep(gossAllReduce(from, to, 100, gossInt8, gossSum, comm, stream));
    keep(gossBroadcast(from, to + 1000, 100'000, gossInt8, 0, comm, nullptr));
    keep(gossSend(from, 50'000, gossInt8, peer, comm, nullptr));
    keep(gossRecv(to + 200'000, 50'000, gossInt8, peer, comm, stream));
    keep(gossGroupEnd());
    return first;
  });
}

// The parent only when the other ranks may not have heard of the split's end.
TEST(LackOfMemory, InASplitFailsItOnAllRanks) {
  for (long allowed = 0; allowed < 500; ++allowed) {
    SCOPED_TRACE("allocations: " + std::to_string(allowed));
    bool enough = false;
    run_ranks(2, [&](Rank& me) {
      gossComm_t made = nullptr;
      if (me.rank == 0) allocations_left = allowed + 1;
      const gossResult_t code = gossCommSplit(me.comm, 0, 0, &made, nullptr);
      if (me.rank == 0) enough = allocations_left != 0;
      allocations_left = -1;
      require((code == gossSuccess) == (made != nullptr), std::to_string(code));
      if (made == nullptr) return;
      // It may have been complete for this rank before the other one failed.
      const gossResult_t used = gossBarrier(made, nullptr);
      MUST(gossCommDestroy(made));
      require(me.rank == 1 || used == gossSuccess, std::to_string(used));
    });
    if (enough || testing::Test::HasFailure()) return;
  }
  FAIL() << "no end to the allocations";
}

// One thread, two communicators: neither waits for the other's calls for ever.
TEST(LackOfMemory, InAGroupFailsEveryCommunicatorOfIt) {
  for (long allowed = 0; allowed < 500; ++allowed) {
    SCOPED_TRACE("allocations: " + std::to_string(allowed));
    Comms comms = make_comms(2);
    std::vector<char> x(300'000);
    std::vector<char> y(300'000);
    allocations_left = allowed + 1;
    gossResult_t first = gossGroupStart();
    for (int r : {0, 1}) {
      const gossResult_t code = gossAllReduce((r == 0 ? x : y).data(), (r == 0 ? x : y).data(),
                                              x.size(), gossInt8, gossSum, comms[r], nullptr);
      if (first == gossSuccess) first = code;
    }
    const gossResult_t end = gossGroupEnd();
    const bool enough = allocations_left != 0;
    allocations_left = -1;
    if (first == gossSuccess) first = end;
    ASSERT_EQ(first, enough ? gossSuccess : gossSystemError);
    for (int r : {0, 1}) {
      EXPECT_EQ(enough ? state_of(comms[r]) : failed_state_of(comms[r]), first) << "rank " << r;
    }
    if (enough) return;
  }
  FAIL() << "no end to the allocations";
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
