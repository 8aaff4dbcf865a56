// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// How messages end that do not simply succeed: by an abort while they flow, with a rank that fails,
// on several streams at once.
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
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
  std::atomic<int> begun{0};
  std::thread sender([&, comm = comms[0]] {
    ++begun;
    codes[0] = gossSend(out.data(), bytes, gossUint8, 1, comm, nullptr);
  });
  std::thread receiver([&, comm = comms[1]] {
    ++begun;
    codes[1] = gossRecv(in.data(), bytes, gossUint8, 0, comm, nullptr);
  });
  while (begun < 2) ::usleep(100);
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

TEST(MessagesOnStreams, ThatFailAreToldOnEachOfThem) {
  Comms comms = make_comms(2);
  gossStream_t streams[3];
  for (gossStream_t& stream : streams) MUST(gossStreamCreate(&stream));
  int in[3] = {0, 0, 0};
  MUST(gossGroupStart());
  for (int i = 0; i < 3; ++i) MUST(gossRecv(&in[i], 1, gossInt, 1, comms[0], streams[i]));
  MUST(gossGroupEnd());
  MUST(gossCommAbort(std::exchange(comms[1], nullptr)));
  for (gossStream_t stream : streams) {
    EXPECT_EQ(gossStreamSynchronize(stream), gossRemoteError) << last_error();
    EXPECT_NE(last_error().find("aborted"), std::string::npos) << last_error();
    EXPECT_EQ(gossStreamQuery(stream), gossRemoteError);
  }
  for (gossStream_t stream : streams) MUST(gossStreamDestroy(stream));
}

TEST(MessagesOnStreams, OfAnAbortedRankAreToldOnEachOfThem) {
  Comms comms = make_comms(2);
  gossStream_t streams[2];
  for (gossStream_t& stream : streams) MUST(gossStreamCreate(&stream));
  int in[2] = {0, 0};
  MUST(gossGroupStart());
  for (int i = 0; i < 2; ++i) MUST(gossRecv(&in[i], 1, gossInt, 1, comms[0], streams[i]));
  MUST(gossGroupEnd());
  MUST(gossCommAbort(std::exchange(comms[0], nullptr)));
  for (gossStream_t stream : streams) {
    EXPECT_EQ(gossStreamSynchronize(stream), gossInvalidUsage) << last_error();
    MUST(gossStreamDestroy(stream));
  }
}

TEST(MessagesOnStreams, OfANonBlockingRankAreInProgressUntilTheyAreThere) {
  gossConfig_t config = default_config();
  config.blocking = 0;
  Comms comms = make_comms(2, config);
  const auto state_of = [&](int rank) {
    gossResult_t state = gossInternalError;
    MUST(gossCommGetAsyncError(comms[rank], &state));
    return state;
  };
  while (state_of(0) == gossInProgress || state_of(1) == gossInProgress) ::usleep(100);
  gossStream_t stream;
  MUST(gossStreamCreate(&stream));
  uint64_t in[2] = {0, 0};
  MUST(gossGroupStart());
  MUST(gossRecv(&in[0], 1, gossUint64, 1, comms[0], stream));
  MUST(gossRecv(&in[1], 1, gossUint64, 1, comms[0], nullptr));
  MUST_BE(gossInProgress, gossGroupEnd());
  ::usleep(20'000);
  EXPECT_EQ(state_of(0), gossInProgress);  // nothing has been sent
  const uint64_t out[2] = {5, 6};
  for (const uint64_t& x : out) {
    MUST_BE(gossInProgress, gossSend(&x, 1, gossUint64, 0, comms[1], nullptr));
  }
  while (state_of(0) == gossInProgress) ::usleep(100);
  EXPECT_EQ(state_of(0), gossSuccess);
  EXPECT_EQ(in[1], 6u);
  MUST(gossStreamDestroy(stream));
}

// One communicator fails; the messages of the other, called without a stream, still use their
// buffers.
TEST(MessagesInGroups, AreOverWhenTheGroupEndsThoughAnotherCommunicatorFailed) {
  Comms failing = make_comms(2);
  Comms working = make_comms(2);
  MUST(gossCommAbort(std::exchange(failing[1], nullptr)));
  gossStream_t stream;
  MUST(gossStreamCreate(&stream));
  std::thread peer([&] {
    ::usleep(50'000);
    for (int x : {5, 6}) MUST(gossSend(&x, 1, gossInt, 0, working[1], nullptr));
  });
  int in[2] = {0, 0};
  MUST(gossGroupStart());
  MUST(gossBarrier(failing[0], nullptr));
  MUST(gossRecv(&in[0], 1, gossInt, 1, working[0], stream));
  MUST(gossRecv(&in[1], 1, gossInt, 1, working[0], nullptr));
  EXPECT_EQ(gossGroupEnd(), gossRemoteError);
  EXPECT_EQ(in[1], 6);
  peer.join();
  MUST(gossStreamDestroy(stream));
}

}  // namespace
}  // namespace goss::test
