// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// How messages end that do not simply succeed: by an abort while they flow, with a rank that fails.
#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <future>

#include "support/buffers.h"
#include "support/processes.h"
#include "support/ranks.h"
#include "support/test_scale.h"

namespace goss::test {
namespace {

using Clock = std::chrono::steady_clock;

class AbortedMessages : public ::testing::TestWithParam<Memory> {};

// Neither side ever waits for the other, so neither has a reason to look up.
TEST_P(AbortedMessages, EndWhileTheyFlow) {
  const size_t bytes = size_t{256} << 20;
  Comms comms = make_comms(2);
  Buffer out(GetParam(), bytes);
  Buffer in(GetParam(), bytes);
  gossResult_t codes[2];
  std::thread sender([&, comm = comms[0]] {
    codes[0] = gossSend(out.data(), bytes, gossUint8, 1, comm, nullptr);
  });
  std::thread receiver(
      [&, comm = comms[1]] { codes[1] = gossRecv(in.data(), bytes, gossUint8, 0, comm, nullptr); });
  ::usleep(5000);
  const auto begin = Clock::now();
  EXPECT_EQ(gossCommAbort(std::exchange(comms[1], nullptr)), gossSuccess);
  EXPECT_LT(Clock::now() - begin, std::chrono::milliseconds(100) * support::sanitizer_factor());
  sender.join();
  receiver.join();
  EXPECT_EQ(codes[0], gossRemoteError);
  EXPECT_EQ(codes[1], gossInvalidUsage);
}

INSTANTIATE_TEST_SUITE_P(Api, AbortedMessages, ::testing::Values(Memory::kPrivate, Memory::kShared),
                         [](const auto& memory) {
                           return memory.param == Memory::kShared ? "in_place" : "copied";
                         });

// The sender is free to use its memory again: who has read that has not received the message.
TEST(MessagesReadInPlace, AreNoSuccessOnceTheSenderHasFailed) {
  if (support::under_thread_sanitizer()) GTEST_SKIP() << "the race is what this is about";
  const size_t bytes = size_t{2} << 20;
  for (int round = 0; round < test_scale(60, 10); ++round) {
    Comms comms = make_comms(2);
    Buffer out(Memory::kShared, bytes);
    Buffer in(Memory::kPrivate, bytes);
    fill_message(out.data(), bytes, 0, 1, 0);
    gossResult_t code = gossSuccess;
    std::thread receiver(
        [&, comm = comms[1]] { code = gossRecv(in.data(), bytes, gossUint8, 0, comm, nullptr); });
    std::thread sender([&, comm = comms[0]] {
      if (gossSend(out.data(), bytes, gossUint8, 1, comm, nullptr) != gossSuccess) {
        std::fill_n(out.data(), bytes, std::byte{0});
      }
    });
    ::usleep(static_cast<useconds_t>(20 + 10 * round));
    EXPECT_EQ(gossCommAbort(std::exchange(comms[0], nullptr)), gossSuccess);
    sender.join();
    receiver.join();
    if (code == gossSuccess) require_message(in.data(), bytes, 0, 1, 0, "received");
  }
}

TEST(MessagesReadInPlace, AreLongerThanWhatDoesNotWait) {
  gossConfig_t config = default_config();
  config.timeoutMs = 3000;
  run_ranks(
      2,
      [](Rank& me) {
        Buffer out(Memory::kShared, 65536);
        Buffer in(Memory::kShared, 65536);
        fill_message(out.data(), out.bytes(), me.rank, 1 - me.rank, 0);
        // Both send first: a message of up to 64 KiB does not wait for its receiver.
        MUST(gossSend(out.data(), out.bytes(), gossUint8, 1 - me.rank, me.comm, nullptr));
        MUST(gossRecv(in.data(), in.bytes(), gossUint8, 1 - me.rank, me.comm, nullptr));
        require_message(in.data(), in.bytes(), 1 - me.rank, me.rank, 0, "64 KiB");
      },
      config);
}

}  // namespace
}  // namespace goss::test
