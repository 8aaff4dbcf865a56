// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Strangers on the root's port of a start-up: random, truncated, replayed and oversized streams,
// silent, slow and held connections, wrong secrets, ranks that do not exist. The job beside them
// must start as if nobody was there. Traffic stays on loopback, bounded in number and time.
#include <gtest/gtest.h>

#include <deque>
#include <random>

#include "strangers.h"
#include "support/test_scale.h"
#include "transport/bootstrap/dialer.h"

namespace goss::bootstrap {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

BadStreams bad_streams(const UniqueId& id) {
  const Hello hello = genuine_hello(id, 1, 4);
  return BadStreams(hello, record(id.secret, hello));
}

Target root_of(const LocalJob& job) { return {address_of(job.id), bad_streams(job.id)}; }

TEST(HostileRootPort, IsNeitherJoinedNorStalledNorCrashedByBadStreams) {
  LocalJob job(4);
  const int streams = test_scale(10'000, 400);
  Siege siege({root_of(job)}, streams);
  for (const size_t rank : {0u, 1u, 2u}) job.create(rank);
  bool last = false;
  const bool ended = LocalJob::until(
      [&] {
        siege.poll(100);
        job.connect_once();
        if (siege.over() && !last) {
          last = true;
          job.create(3);  // genuine, after all of them
        }
        return last && job.all_done();
      },
      seconds(60));
  EXPECT_TRUE(ended);
  job.expect_all_well();
  EXPECT_GE(job.root->refused(), static_cast<uint64_t>(streams) / 2);
}

TEST(HostileRootPort, StartsInTimeDuringAStormOfStrangers) {
  LocalJob job(4);
  Siege siege({root_of(job)}, 1'000'000);
  const auto began = Clock::now();
  for (int i = 0; i < 20; ++i) {
    siege.poll(200);
    job.root->poll();
  }
  job.create_all();
  EXPECT_TRUE(LocalJob::until(
      [&] {
        siege.poll(200);
        job.connect_once();
        return job.all_done();
      },
      seconds(10)));
  job.expect_all_well();
  EXPECT_LT(Clock::now() - began, seconds(5) * support::sanitizer_factor());
}

// More strangers than the root keeps come before and after every honest connection, between any two
// looks of that rank at its own.
TEST(HostileRootPort, KeepsHonestConnectionsAmongMoreStrangersThanItHasPlaces) {
  LocalJob job(4);
  job.create_all();
  std::deque<Stranger> strangers;
  const auto flood = [&](int count) {
    for (int i = 0; i < count; ++i) strangers.emplace_back(address_of(job.id), "", false);
  };
  EXPECT_TRUE(LocalJob::until(
      [&] {
        flood(100);
        job.connect_once();
        flood(100);
        for (int i = 0; i < 5; ++i) job.root->poll();
        while (strangers.size() > 400) strangers.pop_front();
        return job.all_done();
      },
      seconds(10)));
  job.expect_all_well();
  EXPECT_GT(job.root->refused(), 64u);
}

TEST(HostileRootPort, IsNotStalledByAThousandHeldConnections) {
  LocalJob job(4);
  std::vector<Stranger> held;
  std::mt19937 random(3);
  for (int i = 0; i < 1000; ++i) {
    // Silent, or half a hello.
    const std::string half = genuine_hello(job.id, 1, 4).serialize().substr(0, random() % 64);
    held.emplace_back(address_of(job.id), i % 2 == 0 ? "" : half, false);
    if (i % 50 == 0) job.root->poll();
  }
  const auto began = Clock::now();
  job.create_all();
  EXPECT_TRUE(LocalJob::until(
      [&] {
        for (Stranger& stranger : held) stranger.poll();
        job.connect_once();
        return job.all_done();
      },
      seconds(10)));
  job.expect_all_well();
  EXPECT_LT(Clock::now() - began, seconds(2) * support::sanitizer_factor());
}

TEST(HostileRootPort, ClosesSilentAndSlowConnectionsAfterFiveSeconds) {
  LocalJob job(2);
  job.create(0);
  Stranger silent(address_of(job.id), "", false);
  Stranger stopping(address_of(job.id), genuine_hello(job.id, 1, 2).serialize(), false);
  Stranger slow(address_of(job.id), std::string(1, 'G'), true);
  const auto began = Clock::now();
  int open = 3;
  EXPECT_TRUE(LocalJob::until(
      [&] {
        job.connect_once();
        job.wait();
        open = (silent.poll() ? 1 : 0) + (stopping.poll() ? 1 : 0) + (slow.poll() ? 1 : 0);
        return open == 0;
      },
      seconds(7)));
  EXPECT_GT(Clock::now() - began, seconds(4));
  job.create(1);
  EXPECT_TRUE(job.connect());
  job.expect_all_well();
}

TEST(HostileRootPort, TellsAStrangerNothingButANonce) {
  LocalJob job(2);
  job.create(0);
  Stranger stranger(address_of(job.id),
                    genuine_hello(job.id, 1, 2).serialize() +
                        "wrong proof of "
                        "thirty-two bytes in all",
                    false);
  EXPECT_TRUE(LocalJob::until(
      [&] {
        job.connect_once();
        return !stranger.poll();
      },
      seconds(2)));
  EXPECT_EQ(stranger.received(), kNonceBytes);
}

TEST(HostileRootPort, IsNotJoinedWithAnotherSecret) {
  LocalJob job(3);
  Options impostor = job.options[2];
  impostor.id.secret[0] ^= 1;
  impostor.timeout = milliseconds(800);
  Result<std::unique_ptr<Bootstrap>> made = Bootstrap::create(impostor);
  ASSERT_TRUE(made.ok());
  std::unique_ptr<Bootstrap> stranger = made.take();
  job.create(0);
  job.create(1);
  Status failure;
  EXPECT_TRUE(LocalJob::until(
      [&] {
        job.connect_once();
        const Result<bool> connected = stranger->connect();
        if (!connected.ok()) failure = connected.status();
        return !failure.ok();
      },
      seconds(3)));
  EXPECT_EQ(failure.code(), gossTimeout);
  EXPECT_NE(failure.message().find("another secret"), std::string::npos) << failure.message();
  job.create(2);
  EXPECT_TRUE(job.connect());
  job.expect_all_well();
}

// Knows the secret and still claims nonsense: an own bug rather than an attack.
TEST(HostileRootPort, RefusesRanksOutsideTheJobWithAnAnswer) {
  LocalJob job(4);
  for (const size_t rank : {0u, 1u, 2u}) job.create(rank);
  LocalJob::until([&] { return job.connect_once(), job.wait(), false; }, milliseconds(100));
  for (const auto& [rank, nranks] :
       {std::pair(4u, 4u), std::pair(0xffffffffu, 4u), std::pair(0u, 0u),
        std::pair(7u, 0xffffffffu), std::pair(0x80000000u, 0x80000001u)}) {
    Dialer dialer(address_of(job.id), job.id.secret, genuine_hello(job.id, rank, nranks));
    std::unique_ptr<Channel> channel;
    std::vector<Frame> frames;
    EXPECT_TRUE(LocalJob::until(
        [&] {
          job.connect_once();
          if (channel == nullptr) {
            channel = dialer.advance(Clock::now());
            if (channel != nullptr) channel->queue(FrameType::kJoin, Join{}.encode());
            return false;
          }
          channel->flush();
          channel->receive(&frames);
          return !frames.empty();
        },
        seconds(2)));
    ASSERT_FALSE(frames.empty());
    EXPECT_EQ(frames[0].type, FrameType::kFailed);
    EXPECT_EQ(Failure::decode(frames[0].payload)->code, gossInvalidUsage);
  }
  job.create(3);
  EXPECT_TRUE(job.connect());
  job.expect_all_well();
}

TEST(HostileRootPort, SurvivesRandomFramesOfOneWhoKnowsTheSecret) {
  std::mt19937 random(11);
  LocalJob job(4);
  const int rounds = test_scale(300, 50);
  for (int round = 0; round < rounds; ++round) {
    Dialer dialer(address_of(job.id), job.id.secret, genuine_hello(job.id, 1, 4));
    std::unique_ptr<Channel> channel;
    LocalJob::until(
        [&] {
          return job.root->poll(), channel = dialer.advance(Clock::now()), channel != nullptr;
        },
        seconds(2));
    ASSERT_NE(channel, nullptr);
    std::string payload(random() % 300, '\0');
    for (char& byte : payload) byte = static_cast<char>(random());
    channel->queue(static_cast<FrameType>(random() % 20), payload);
    channel->flush();
    for (int i = 0; i < 3; ++i) job.root->poll();
  }
  job.create_all();
  EXPECT_TRUE(job.connect());
  job.expect_all_well();
}

}  // namespace
}  // namespace goss::bootstrap
