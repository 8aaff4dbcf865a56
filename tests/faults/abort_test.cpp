// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// A rank that aborts: the others are told who did, whatever they wait in, and everybody leaves.
#include <sys/mman.h>

#include <algorithm>
#include <thread>

#include "faults/ranks.h"

namespace goss::faults {
namespace {

using ::testing::HasSubstr;

enum class Inside { kSmall, kLarge, kShared, kStream, kGroup, kMessages, kNothing };
constexpr const char* kNames[] = {"Small", "Large",    "Shared", "Stream",
                                  "Group", "Messages", "Nothing"};

gossResult_t wait_inside(gossComm_t comm, Inside inside) {
  void* memory = nullptr;
  constexpr size_t kCount = 500000;
  if (gossMemAlloc(&memory, kCount * sizeof(float)) != gossSuccess) std::exit(7);
  auto* x = static_cast<float*>(memory);
  std::vector<float> y(3 * kCount);
  switch (inside) {
    case Inside::kSmall: return gossAllReduce(x, x, 2, gossFloat, gossSum, comm, nullptr);
    case Inside::kLarge:
      return gossAllReduce(y.data(), y.data(), kCount, gossFloat, gossSum, comm, nullptr);
    case Inside::kShared: return gossAllReduce(x, x, kCount, gossFloat, gossSum, comm, nullptr);
    case Inside::kStream: {
      gossStream_t stream = nullptr;
      gossStreamCreate(&stream);
      for (int i = 0; i < 3; ++i) gossAllReduce(x, x, 100, gossFloat, gossSum, comm, stream);
      const gossResult_t result = gossStreamSynchronize(stream);
      gossStreamDestroy(stream);
      return result;
    }
    case Inside::kGroup:
      gossGroupStart();
      gossBarrier(comm, nullptr);
      gossAllReduce(x, x, 100, gossFloat, gossSum, comm, nullptr);
      return gossGroupEnd();
    case Inside::kMessages:
      gossGroupStart();
      for (int peer = 0; peer < 3; ++peer) {  // rank 0 or 2 does not receive
        gossSend(x, kCount, gossFloat, peer, comm, nullptr);
        gossRecv(y.data() + peer * kCount, kCount, gossFloat, peer, comm, nullptr);
      }
      return gossGroupEnd();
    case Inside::kNothing: {
      gossResult_t state = gossSuccess;
      support::eventually(kPatience, [&] {
        gossCommGetAsyncError(comm, &state);
        return state != gossSuccess;
      });
      return state;
    }
  }
  return gossInternalError;
}

class AbortTest : public ::testing::TestWithParam<Inside> {};

TEST_P(AbortTest, OthersAreToldWhoAborted) {
  for (int aborter : {0, 2}) {
    Ranks ranks(3, [&](Rank& rank) {
      gossConfig_t config = GOSS_CONFIG_INITIALIZER;
      config.commName = "model";
      if (rank.failed(rank.join(&config))) std::exit(3);
      rank.expect(gossBarrier(rank.comm, nullptr) == gossSuccess);
      rank.reach(1);
      if (rank.rank == aborter) {
        rank.wait_for_go(1);
      } else {
        rank.failed(wait_inside(rank.comm, GetParam()));
      }
      abort_and_exit(rank);
    });
    ASSERT_TRUE(ranks.all_reach(1));
    support::sleep_for(milliseconds(30));
    const int64_t aborted = now_ns();
    ranks.board().go = 1;
    ranks.expect_same_report(gossRemoteError, aborted, {aborter});
    ranks.expect_clean_end(kPromise);
    EXPECT_THAT(std::string(ranks.report(1).text),
                HasSubstr("rank " + std::to_string(aborter) + " (host "));
    EXPECT_THAT(std::string(ranks.report(1).text), HasSubstr("aborted communicator 'model'"));
  }
}

INSTANTIATE_TEST_SUITE_P(Inside, AbortTest,
                         ::testing::Values(Inside::kSmall, Inside::kLarge, Inside::kShared,
                                           Inside::kStream, Inside::kGroup, Inside::kMessages,
                                           Inside::kNothing),
                         [](const auto& test) {
                           return std::string(kNames[static_cast<int>(test.param)]);
                         });

// From a thread of its own while the rank waits inside a call: that call returns first.
TEST(AbortFromAThreadTest, EndsTheRunningCallInBoundedTime) {
  Ranks ranks(3, [](Rank& rank) {
    if (rank.failed(rank.join())) std::exit(3);
    rank.expect(gossBarrier(rank.comm, nullptr) == gossSuccess);
    rank.reach(1);
    if (rank.rank == 2) {  // never arrives, and does not leave
      rank.wait_for_go(2);
      std::exit(0);
    }
    std::vector<float> x(200000);
    std::thread other;
    if (rank.rank == 1) {
      other = std::thread([&] {
        rank.wait_for_go(1);
        support::sleep_for(milliseconds(20));
        const int64_t begin = now_ns();
        if (gossCommAbort(rank.comm) != gossSuccess) ++rank.report.wrong;
        rank.report.rounds = static_cast<uint64_t>(ms_between(begin, now_ns()));
        rank.reach(2);
      });
    }
    const gossResult_t result =
        gossAllReduce(x.data(), x.data(), x.size(), gossFloat, gossSum, rank.comm, nullptr);
    rank.report.code = result;
    rank.report.failed_at = now_ns();
    if (rank.rank == 1) {
      other.join();
    } else {
      keep_text(rank.report.text, gossGetLastError(rank.comm));
      gossCommAbort(rank.comm);
      rank.reach(2);
    }
    std::exit(0);
  });
  ASSERT_TRUE(ranks.all_reach(1));
  const int64_t begin = now_ns();
  ranks.board().go = 1;
  ASSERT_TRUE(support::eventually(
      kPatience, [&] { return ranks.report(0).stage == 2 && ranks.report(1).stage == 2; }));
  EXPECT_LE(ms_between(begin, now_ns()), kPromise.count());
  EXPECT_LE(ranks.report(1).rounds, 100u * support::sanitizer_factor()) << "ms of the abort";
  EXPECT_EQ(ranks.report(1).wrong, 0);
  EXPECT_EQ(ranks.report(1).code, gossInvalidUsage);
  EXPECT_EQ(ranks.report(0).code, gossRemoteError);
  EXPECT_THAT(std::string(ranks.report(0).text), HasSubstr("rank 1 (host "));
  ranks.board().go = 2;
  ranks.expect_clean_end(kPromise);
}

// Nobody may write to the buffers of a call that has returned, whatever it returned.
TEST(AbortFromAThreadTest, BuffersOfAFailedCallAreNotTouchedAnyMore) {
  Ranks ranks(3, [](Rank& rank) {
    if (rank.failed(rank.join())) std::exit(3);
    constexpr size_t kCount = 1'000'000;
    void* memory = nullptr;
    rank.expect(gossMemAlloc(&memory, kCount * sizeof(float)) == gossSuccess);
    auto* x = static_cast<float*>(memory);
    gossResult_t result = gossSuccess;
    for (uint64_t i = 0; result == gossSuccess; ++i) {
      result = gossAllReduce(x, x, kCount, gossFloat, gossMax, rank.comm, nullptr);
      rank.report.rounds = i + 1;
    }
    rank.failed(result);
    std::fill(x, x + kCount, static_cast<float>(rank.rank + 1));
    support::sleep_for(milliseconds(200));
    rank.expect(std::count(x, x + kCount, static_cast<float>(rank.rank + 1)) == kCount);
    gossMemFree(memory);
    abort_and_exit(rank);
  });
  ASSERT_TRUE(ranks.all_complete(2));
  Moment moment;
  moment.sleep_up_to(milliseconds(10));
  const int64_t killed = ranks.kill(1);
  ranks.expect_clean_end(kPatience, {1});
  ranks.expect_same_report(gossRemoteError, killed, {1});
}

constexpr size_t kFreedBytes = size_t{4} << 20;

// Memory of its own pages: after free_pages() nothing lies there.
void* allocate_pages(bool shared) {
  void* memory = nullptr;
  if (shared) return gossMemAlloc(&memory, kFreedBytes) == gossSuccess ? memory : nullptr;
  return ::mmap(nullptr, kFreedBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}
bool free_pages(void* memory, bool shared) {
  return shared ? gossMemFree(memory) == gossSuccess : ::munmap(memory, kFreedBytes) == 0;
}

struct Freed {
  const char* name;
  bool shared;
  bool stream;  // the library's thread does the work
};

void PrintTo(const Freed& freed, std::ostream* out) { *out << freed.name; }

class FreedBuffersTest : public ::testing::TestWithParam<Freed> {};

// What was a buffer of the failed call is freed and belongs to something else, at once.
TEST_P(FreedBuffersTest, OfAFailedCallAreNotTouchedWhenTheyHoldSomethingElse) {
  const auto [name, shared, stream] = GetParam();
  const int times = test_scale(6, 2);
  for (int i = 0; i < times; ++i) {
    Moment moment;
    Ranks ranks(4, [shared = shared, stream = stream](Rank& rank) {
      if (rank.failed(rank.join())) std::exit(3);
      gossStream_t queue = nullptr;
      if (stream) rank.expect(gossStreamCreate(&queue) == gossSuccess);
      void* in = allocate_pages(shared);
      void* out = allocate_pages(shared);
      gossResult_t result = gossSuccess;
      for (uint64_t k = 0; result == gossSuccess; ++k) {
        result = gossAllReduce(in, out, kFreedBytes, gossInt8, gossMax, rank.comm, queue);
        if (stream) result = gossStreamSynchronize(queue);
        rank.report.rounds = k + 1;
      }
      rank.failed(result);
      for (void* memory : {in, out}) {
        rank.expect(free_pages(memory, shared));
        void* again = ::mmap(memory, kFreedBytes, PROT_READ | PROT_WRITE,
                             MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
        rank.expect(again == memory);  // else the old memory is still there
        if (again == memory) std::memset(memory, 0x5a, kFreedBytes);
      }
      support::sleep_for(milliseconds(100));
      for (const void* memory : {in, out}) {
        const auto* bytes = static_cast<const unsigned char*>(memory);
        rank.expect(std::count(bytes, bytes + kFreedBytes, 0x5a) == kFreedBytes);
      }
      abort_and_exit(rank);
    });
    SCOPED_TRACE("seed " + std::to_string(moment.seed()));
    ASSERT_TRUE(ranks.all_complete(2));
    moment.sleep_up_to(milliseconds(10));
    const int64_t killed = ranks.kill(i % 4);
    ranks.expect_clean_end(kPatience, {i % 4});
    ranks.expect_same_report(gossRemoteError, killed, {i % 4});
  }
}

INSTANTIATE_TEST_SUITE_P(Abort, FreedBuffersTest,
                         ::testing::Values(Freed{"Private", false, false},
                                           Freed{"Shared", true, false},
                                           Freed{"PrivateOnAStream", false, true},
                                           Freed{"SharedOnAStream", true, true}),
                         [](const auto& test) { return std::string(test.param.name); });

}  // namespace
}  // namespace goss::faults
