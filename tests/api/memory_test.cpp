// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// gossMemAlloc: its own rules, and collectives whose ranks mix it with private memory.
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <random>
#include <thread>

#include "support/ranks.h"
#include "support/reference.h"
#include "support/scoped_env.h"
#include "support/test_scale.h"

namespace goss::test {
namespace {

TEST(MemAlloc, GivesZeroedAlignedMemory) {
  for (size_t size : {1, 4096, 100'000, 1 << 22}) {
    void* memory = nullptr;
    ASSERT_EQ(gossMemAlloc(&memory, size), gossSuccess) << last_error();
    EXPECT_EQ(reinterpret_cast<uintptr_t>(memory) % 4096, 0u);
    const auto* bytes = static_cast<const char*>(memory);
    for (size_t i = 0; i < size; ++i) ASSERT_EQ(bytes[i], 0);
    std::memset(memory, 1, size);
    EXPECT_EQ(gossMemFree(memory), gossSuccess);
  }
}

TEST(MemAlloc, RefusesWhatMakesNoSense) {
  void* memory = nullptr;
  EXPECT_EQ(gossMemAlloc(nullptr, 10), gossInvalidArgument);
  EXPECT_EQ(gossMemAlloc(&memory, 0), gossInvalidArgument);
  EXPECT_EQ(gossMemAlloc(&memory, SIZE_MAX / 2), gossSystemError);
  EXPECT_NE(last_error().find("9223372036854775"), std::string::npos) << last_error();
  EXPECT_EQ(memory, nullptr);
  EXPECT_EQ(gossMemFree(nullptr), gossSuccess);
  int mine = 0;
  EXPECT_EQ(gossMemFree(&mine), gossInvalidArgument);
  ASSERT_EQ(gossMemAlloc(&memory, 10), gossSuccess);
  EXPECT_EQ(gossMemFree(static_cast<char*>(memory) + 1), gossInvalidArgument);
  EXPECT_EQ(gossMemFree(memory), gossSuccess);
  EXPECT_EQ(gossMemFree(memory), gossInvalidArgument);
}

// A buffer of one of several kinds, as the ranks of one call may mix them.
class Buffer {
 public:
  enum Kind { kPrivate, kShared, kSharedInside, kWhole, kKinds };

  Buffer(Kind kind, size_t count) : kind_(kind) {
    const size_t offset = kind == kSharedInside ? 1237 : 0;  // neither a page nor a line
    if (kind == kPrivate) {
      private_.resize(count + offset);
      data_ = private_.data();
      return;
    }
    void* memory = nullptr;
    // Peers store their results into kWhole: it has no page in common with anything else.
    const size_t more = kind == kWhole ? 0 : 100;
    MUST(gossMemAlloc(&memory, (count + offset + more) * sizeof(uint32_t)));
    base_ = memory;
    data_ = static_cast<uint32_t*>(memory) + offset;
  }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  ~Buffer() {
    EXPECT_EQ(gossMemFree(base_), gossSuccess);  // NULL: success
  }
  uint32_t* data() { return data_; }

 private:
  Kind kind_;
  std::vector<uint32_t> private_;
  void* base_ = nullptr;
  uint32_t* data_ = nullptr;
};

Buffer::Kind kind_of(unsigned random, int rank) {
  return static_cast<Buffer::Kind>((random >> (3 * rank)) % Buffer::kKinds);
}

uint32_t term(int rank, unsigned round, size_t i) {
  return static_cast<uint32_t>(rank + 1) * 1000003u + round * 77u + static_cast<uint32_t>(i);
}

void scribble(uint32_t* data, size_t count) { std::memset(data, 0xee, count * sizeof(*data)); }

// Right after the call the owner scribbles over its input and frees everything: a rank that still
// read it would have a wrong result.
void all_reduce_round(Rank& me, unsigned round, unsigned random, size_t count) {
  const bool in_place = (random >> 29) % 2 == 0;
  Buffer send(kind_of(random, me.rank), count);
  Buffer recv(kind_of(random * 31, me.rank), count);
  uint32_t* source = in_place ? recv.data() : send.data();
  for (size_t i = 0; i < count; ++i) source[i] = term(me.rank, round, i);
  MUST(gossAllReduce(source, recv.data(), count, gossUint32, gossSum, me.comm, nullptr));
  if (!in_place) scribble(source, count);
  uint32_t expected = 0;
  for (int r = 0; r < me.nranks; ++r) expected += term(r, round, 0);
  for (size_t i = 0; i < count; ++i, expected += static_cast<uint32_t>(me.nranks)) {
    if (recv.data()[i] != expected) {
      require(false, "round " + std::to_string(round) + ", count " + std::to_string(count) +
                         (in_place ? ", in place" : "") + ", element " + std::to_string(i));
    }
  }
  scribble(recv.data(), count);
}

void broadcast_round(Rank& me, unsigned round, unsigned random, size_t count) {
  const int root = static_cast<int>(round) % me.nranks;
  const bool in_place = (random >> 29) % 2 == 0;
  Buffer send(kind_of(random, me.rank), count);
  Buffer recv(kind_of(random * 31, me.rank), count);
  uint32_t* source = in_place ? recv.data() : send.data();
  for (size_t i = 0; i < count && me.rank == root; ++i) source[i] = term(root, round, i);
  MUST(gossBroadcast(source, recv.data(), count, gossUint32, root, me.comm, nullptr));
  if (!in_place) scribble(source, count);
  for (size_t i = 0; i < count; ++i) {
    if (recv.data()[i] != term(root, round, i)) {
      require(false, "broadcast round " + std::to_string(round) + ", count " +
                         std::to_string(count) + ", element " + std::to_string(i));
    }
  }
  scribble(recv.data(), count);
}

constexpr size_t kThreshold = 256 * 1024 / sizeof(uint32_t);  // from here on: in place

void mixed_rounds(Rank& me, unsigned rounds, unsigned seed) {
  std::mt19937 random(seed);  // the same on all ranks
  const size_t counts[] = {100,     kThreshold - 1, kThreshold, kThreshold + 1,
                           100'003, 65'536 * 3,     700'001,    1'100'003};
  for (unsigned round = 0; round < rounds; ++round) {
    const size_t count = counts[round % std::size(counts)];
    const auto bits = static_cast<unsigned>(random());
    if (round % 3 == 2) {
      broadcast_round(me, round, bits, count);
    } else {
      all_reduce_round(me, round, bits, count);
    }
  }
}

class MixedMemory : public testing::TestWithParam<const char*> {};

TEST_P(MixedMemory, GivesTheSameResultsAsPrivateMemory) {
  const ScopedEnv env("GOSS_ALGO", GetParam());
  for (int n : {2, 3, 5}) {
    run_ranks(n, [&](Rank& me) {
      mixed_rounds(me, static_cast<unsigned>(test_scale(84, 21)), static_cast<unsigned>(n));
    });
  }
}

INSTANTIATE_TEST_SUITE_P(Api, MixedMemory, testing::Values("auto", "oneshot", "twoshot"),
                         [](const auto& p) { return std::string(p.param); });

// Large results are read in place or from cells, depending on how far apart the CPUs are.
TEST(MemAlloc, GivesTheSameResultsHoweverTheyAreWritten) {
  for (const char* stores : {"stream", "cached"}) {
    const ScopedEnv env("GOSS_STORES", stores);
    run_ranks(3, [](Rank& me) { mixed_rounds(me, static_cast<unsigned>(test_scale(48, 16)), 9); });
  }
}

// In place and read in place at once: a rank must not overwrite its input before all have read it.
TEST_P(MixedMemory, InPlaceOnAllRanksIsNotOverwrittenTooEarly) {
  const ScopedEnv env("GOSS_ALGO", GetParam());
  run_ranks(4, [&](Rank& me) {
    const size_t count = 500'000;
    Buffer x(Buffer::kWhole, count);
    for (unsigned round = 0; round < static_cast<unsigned>(test_scale(20, 5)); ++round) {
      for (size_t i = 0; i < count; ++i) x.data()[i] = term(me.rank, round, i);
      MUST(gossAllReduce(x.data(), x.data(), count, gossUint32, gossSum, me.comm, nullptr));
      uint32_t expected = 0;
      for (int r = 0; r < 4; ++r) expected += term(r, round, 0);
      for (size_t i = 0; i < count; ++i, expected += 4) {
        if (x.data()[i] != expected) require(false, "element " + std::to_string(i));
      }
    }
  });
}

// One rank aborts while the others store results into one another's buffers.
TEST(MemAlloc, OfACallThatWasAbortedIsNotStoredToAnyMore) {
  constexpr int kRanks = 4;
  constexpr size_t kCount = 400'000;
  for (int attempt = 0; attempt < test_scale(10, 3); ++attempt) {
    std::atomic<int> failed{0};
    std::atomic<int> checked{0};
    std::vector<std::thread> threads;
    Comms comms = make_comms(kRanks);
    std::atomic<bool> running{false};
    std::atomic<int> overwritten{0};
    const auto rank = [&](int r, gossComm_t comm) {
      Buffer in(Buffer::kWhole, kCount);
      Buffer out(Buffer::kWhole, kCount);
      while (gossAllReduce(in.data(), out.data(), kCount, gossUint32, gossSum, comm, nullptr) ==
             gossSuccess) {
        running = true;
      }
      scribble(out.data(), kCount);
      ++failed;
      while (failed < kRanks) ::usleep(100);
      ::usleep(1000);
      for (size_t i = 0; i < kCount; ++i) overwritten += out.data()[i] != 0xeeeeeeeeu ? 1 : 0;
      ++checked;
      while (checked < kRanks) ::usleep(100);
    };
    for (int r = 0; r < kRanks; ++r) threads.emplace_back(rank, r, comms[r]);
    while (!running) ::usleep(100);
    ::usleep(static_cast<useconds_t>(137 * attempt));
    EXPECT_EQ(gossCommAbort(std::exchange(comms[1], nullptr)), gossSuccess);
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(overwritten, 0) << "attempt " << attempt;
  }
}

// One allocation for everything: sub-ranges of it as separate buffers.
TEST(MemAlloc, MayHoldManyBuffersOfOneCall) {
  run_ranks(3, [](Rank& me) {
    constexpr size_t kCount = 90'001;
    Buffer pool(Buffer::kShared, 3 * kCount);
    for (unsigned round = 0; round < 9; ++round) {
      uint32_t* send = pool.data() + round % 3 * kCount;
      uint32_t* recv = pool.data() + (round + 1) % 3 * kCount;
      for (size_t i = 0; i < kCount; ++i) send[i] = term(me.rank, round, i);
      MUST(gossAllReduce(send, recv, kCount, gossUint32, gossMax, me.comm, nullptr));
      for (size_t i = 0; i < kCount; ++i) {
        require(recv[i] == term(2, round, i), "round " + std::to_string(round));
        require(send[i] == term(me.rank, round, i), "the send buffer was changed");
      }
    }
  });
}

TEST(MemAlloc, WorksOnStreamsAndInGroups) {
  run_ranks(2, [](Rank& me) {
    constexpr size_t kCount = 200'000;
    gossStream_t stream = nullptr;
    MUST(gossStreamCreate(&stream));
    Buffer a(Buffer::kShared, kCount);
    Buffer b(Buffer::kSharedInside, kCount);
    for (size_t i = 0; i < kCount; ++i) a.data()[i] = b.data()[i] = term(me.rank, 0, i);
    MUST(gossAllReduce(a.data(), a.data(), kCount, gossUint32, gossSum, me.comm, stream));
    MUST(gossGroupStart());
    MUST(gossAllReduce(b.data(), b.data(), kCount, gossUint32, gossSum, me.comm, stream));
    MUST(gossBcast(b.data(), kCount, gossUint32, 1, me.comm, stream));
    MUST(gossGroupEnd());
    MUST(gossStreamSynchronize(stream));
    for (size_t i = 0; i < kCount; ++i) {
      require(a.data()[i] == term(0, 0, i) + term(1, 0, i), "all-reduce");
      require(b.data()[i] == a.data()[i], "group");
    }
    MUST(gossStreamDestroy(stream));
  });
}

}  // namespace
}  // namespace goss::test
