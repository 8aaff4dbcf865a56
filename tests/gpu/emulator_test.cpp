// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// The emulator runs kernels as a device would, and sees what a device would silently get wrong.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>
#include <vector>

#include "device/gpu_runtime.h"

namespace {

using gpu_emulator::Misuse;
using gpu_emulator::Order;
using testing::HasSubstr;

constexpr unsigned kThreads = 96;

GPU_KERNEL(kThreads) void number_threads(unsigned* out) {
  out[gpu_block() * kThreads + gpu_thread()] = gpu_block() * 1000 + gpu_thread();
}
TEST(GpuEmulator, EveryThreadOfEveryBlockRunsOnce) {
  std::vector<unsigned> out(3 * kThreads);
  ASSERT_EQ(gpu_launch(number_threads, 3, kThreads, nullptr, out.data()), gpuSuccess);
  for (unsigned i = 0; i < out.size(); ++i) EXPECT_EQ(out[i], i / kThreads * 1000 + i % kThreads);
}

struct TeamResults {
  unsigned* exchanged;
  unsigned* of_five;
  unsigned* ballots;
};
GPU_KERNEL(kThreads) void use_team(TeamResults out) {
  const unsigned i = gpu_thread();
  unsigned sum = i;
  sum += team_exchange<1>(sum);
  sum += team_exchange<2>(sum);
  out.exchanged[i] = sum;
  out.of_five[i] = team_value_of(i, 5);
  out.ballots[i] = team_ballot(i % 3 == 0);
}
TEST(GpuEmulator, TeamsExchangeTheirOwnValues) {
  std::vector<unsigned> exchanged(kThreads), of_five(kThreads), ballots(kThreads);
  for (const Order order : {Order::kAscending, Order::kDescending}) {
    gpu_emulator::set_order(order);
    ASSERT_EQ(gpu_launch(use_team, 1, kThreads, nullptr,
                         TeamResults{exchanged.data(), of_five.data(), ballots.data()}),
              gpuSuccess);
    for (unsigned i = 0; i < kThreads; ++i) {
      EXPECT_EQ(exchanged[i], i / 4 * 16 + 6);
      EXPECT_EQ(of_five[i], i / 32 * 32 + 5);
      for (unsigned k = 0; k < 32; ++k) {
        EXPECT_EQ(ballots[i] >> k & 1, (i / 32 * 32 + k) % 3 == 0 ? 1u : 0u);
      }
    }
  }
  gpu_emulator::set_order(Order::kAscending);
}

struct Reversal {
  unsigned* numbers;
  bool with_barrier;
};
GPU_KERNEL(kThreads) void reverse(Reversal a) {
  GPU_SHARED unsigned shared[kThreads];
  const unsigned i = gpu_thread();
  shared[i] = a.numbers[i];
  if (a.with_barrier) gpu_barrier();
  a.numbers[i] = shared[kThreads - 1 - i];
}
std::vector<unsigned> reversed(Order order, bool with_barrier) {
  std::vector<unsigned> numbers(kThreads);
  std::iota(numbers.begin(), numbers.end(), order == Order::kAscending ? 1000 : 2000);
  gpu_emulator::set_order(order);
  EXPECT_EQ(gpu_launch(reverse, 1, kThreads, nullptr, Reversal{numbers.data(), with_barrier}),
            gpuSuccess);
  gpu_emulator::set_order(Order::kAscending);
  return numbers;
}
TEST(GpuEmulator, ABarrierMakesSharedMemorySeenByAll) {
  for (const Order order : {Order::kAscending, Order::kDescending}) {
    const std::vector<unsigned> numbers = reversed(order, true);
    for (unsigned i = 1; i < kThreads; ++i) EXPECT_EQ(numbers[i], numbers[i - 1] - 1);
  }
}
TEST(GpuEmulator, AMissingBarrierShows) {
  const std::vector<unsigned> numbers = reversed(Order::kAscending, false);
  EXPECT_NE(numbers[0], 1000 + kThreads - 1);
}

// ---- misuse -------------------------------------------------------------------------------------

template <class Kernel>
std::string misuse_of(Kernel kernel) {
  try {
    (void)gpu_launch(kernel, 2, kThreads, nullptr, 0);
  } catch (const Misuse& misuse) {
    return misuse.what();
  }
  return "";
}

GPU_KERNEL(kThreads) void only_some_reach_the_barrier(int) {
  if (gpu_thread() < 40) gpu_barrier();
}
TEST(GpuEmulator, ABarrierThatNotAllReachIsAnError) {
  EXPECT_THAT(misuse_of(only_some_reach_the_barrier),
              testing::AllOf(HasSubstr("block 0: thread 0 waits at gpu_barrier"),
                             HasSubstr("thread 40 has left")));
}

GPU_KERNEL(kThreads) void two_barriers(int) {
  if (gpu_thread() < 40) {
    gpu_barrier();
  } else {
    gpu_barrier();
  }
}
TEST(GpuEmulator, DifferentBarriersAreAnError) {
  EXPECT_THAT(misuse_of(two_barriers), HasSubstr("thread 95 at gpu_barrier of line"));
}

GPU_KERNEL(kThreads) void half_a_team(int) {
  if (gpu_thread() % 32 < 16) (void)team_ballot(true);
}
TEST(GpuEmulator, HalfATeamIsAnError) {
  EXPECT_THAT(misuse_of(half_a_team), HasSubstr("thread 0 waits at team_ballot"));
}

GPU_KERNEL(kThreads) void different_exchanges(int) {
  if (gpu_thread() % 2 == 0) {
    (void)team_exchange<1>(1u);
  } else {
    (void)team_exchange<2>(1u);
  }
}
TEST(GpuEmulator, DifferentExchangesOfATeamAreAnError) {
  EXPECT_THAT(misuse_of(different_exchanges), HasSubstr("team_exchange<1>"));
}

GPU_KERNEL(kThreads) void barrier_and_team(int) {
  if (gpu_thread() < 32) {
    gpu_barrier();
  } else {
    (void)team_ballot(gpu_thread() < 50);
    if (gpu_thread() < 64) gpu_barrier();
    if (gpu_thread() >= 64) (void)team_value_of(1, gpu_thread() - 64);
  }
}
TEST(GpuEmulator, TheWaitsOfABlockThatIsStuckAreNamed) {
  EXPECT_THAT(misuse_of(barrier_and_team), HasSubstr("thread 64 has left"));
}

TEST(GpuEmulator, WorksAfterAnError) {
  (void)misuse_of(half_a_team);
  const std::vector<unsigned> numbers = reversed(Order::kAscending, true);
  EXPECT_EQ(numbers[0], 1000 + kThreads - 1);
}

// ---- memory -------------------------------------------------------------------------------------

#if defined(__SANITIZE_ADDRESS__)

struct Access {
  unsigned* memory;
  unsigned index;
};
GPU_KERNEL(kThreads) void write_shared(Access a) {
  GPU_SHARED unsigned shared[kThreads];
  shared[gpu_thread() + a.index] = 1;
  a.memory[0] = shared[0];
}
GPU_KERNEL(kThreads) void read_global(Access a) {
  if (gpu_thread() == 0) a.memory[0] = a.memory[a.index];
}

TEST(GpuEmulatorDeathTest, WritingBeyondSharedMemoryIsSeen) {
  std::vector<unsigned> memory(1);
  EXPECT_EQ(gpu_launch(write_shared, 1, kThreads, nullptr, Access{memory.data(), 0}), gpuSuccess);
  EXPECT_DEATH((void)gpu_launch(write_shared, 1, kThreads, nullptr, Access{memory.data(), 1}),
               "out of bounds|global-buffer-overflow");
}
TEST(GpuEmulatorDeathTest, ReadingBeyondMemoryOfTheDeviceIsSeen) {
  void* memory = nullptr;
  ASSERT_EQ(gpuMalloc(&memory, 400), gpuSuccess);
  auto* words = static_cast<unsigned*>(memory);
  EXPECT_EQ(gpu_launch(read_global, 1, kThreads, nullptr, Access{words, 99}), gpuSuccess);
  EXPECT_DEATH((void)gpu_launch(read_global, 1, kThreads, nullptr, Access{words, 100}),
               "heap-buffer-overflow");
  EXPECT_EQ(gpuFree(memory), gpuSuccess);
}

#endif

}  // namespace
