// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// The start-up of a job whose ranks share one thread: joining, all-gathers, and every way in which
// ranks can disagree, be missing or die.
#include <gtest/gtest.h>
#include <unistd.h>

#include "local_job.h"
#include "transport/bootstrap/dialer.h"
#include "transport/bootstrap/messages.h"

namespace goss::bootstrap {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

std::vector<std::string> blocks_of(size_t n, const std::function<size_t(size_t)>& bytes) {
  std::vector<std::string> blocks;
  for (size_t rank = 0; rank < n; ++rank) {
    blocks.push_back(std::string(bytes(rank), static_cast<char>('a' + rank % 26)));
  }
  return blocks;
}

class StartOf : public ::testing::TestWithParam<int> {};

TEST_P(StartOf, RanksInOneThreadConnectsAndAllGathersEverySize) {
  const auto n = static_cast<size_t>(GetParam());
  LocalJob job(GetParam());
  job.create_all();
  ASSERT_TRUE(job.connect());
  for (size_t rank = 0; rank < n; ++rank) {
    ASSERT_TRUE(job.failures[rank].ok()) << job.failures[rank].message();
    EXPECT_EQ(job.ranks[rank]->session_key(), job.ranks[0]->session_key());
  }
  const std::vector<std::function<size_t(size_t)>> sizes = {
      [](size_t) { return size_t{0}; },
      [](size_t rank) { return rank; },
      [](size_t) { return size_t{100}; },
      [](size_t rank) { return rank * 3001; },
      [](size_t rank) { return rank % 2 == 0 ? size_t{65'536} : size_t{0}; },
      [](size_t) { return size_t{65'536}; }};
  for (const auto& size : sizes) {
    const std::vector<std::string> mine = blocks_of(n, size);
    std::vector<std::vector<std::string>> all;
    ASSERT_TRUE(job.allgather(mine, &all));
    for (size_t rank = 0; rank < n; ++rank) {
      ASSERT_TRUE(job.failures[rank].ok()) << job.failures[rank].message();
      EXPECT_TRUE(all[rank] == mine) << "rank " << rank;
    }
  }
  if (n > 1) {
    EXPECT_TRUE(
        LocalJob::until([&] { return job.root->poll(), job.root->finished(); }, seconds(2)));
  }
}

INSTANTIATE_TEST_SUITE_P(N, StartOf, ::testing::Range(1, 18),
                         [](const auto& test) { return "n" + std::to_string(test.param); });

TEST(Start, OfOneRankNeedsNoRoot) {
  Options options;
  Result<std::unique_ptr<Bootstrap>> made = Bootstrap::create(options);
  ASSERT_TRUE(made.ok());
  const Result<bool> connected = made.value()->connect();
  ASSERT_TRUE(connected.ok());
  EXPECT_TRUE(connected.value());
  std::vector<std::string> all;
  const Result<bool> gathered = made.value()->allgather("me", &all);
  ASSERT_TRUE(gathered.ok() && gathered.value());
  EXPECT_EQ(all, std::vector<std::string>{"me"});
  EXPECT_NE(made.value()->take_mesh(), nullptr);
}

TEST(Start, RefusesRanksOutsideTheJob) {
  for (const auto& [rank, nranks] : {std::pair(-1, 2), std::pair(2, 2), std::pair(0, 0),
                                     std::pair(0, -5), std::pair(0, 65'537)}) {
    Options options;
    options.rank = rank;
    options.nranks = nranks;
    EXPECT_EQ(Bootstrap::create(options).status().code(), gossInvalidArgument);
  }
}

TEST(Start, HasADifferentSessionKeyForEachJobOfOneSecret) {
  std::vector<Secret> keys;
  UniqueId id;
  for (int run = 0; run < 2; ++run) {
    LocalJob job(2);
    if (run == 0) id = job.id;
    job.root.reset();
    Result<std::unique_ptr<Root>> root = Root::create_at(id);
    ASSERT_TRUE(root.ok()) << root.status().message();
    job.root = root.take();
    job.options[0].id = job.options[1].id = id;
    job.create_all();
    ASSERT_TRUE(job.connect());
    ASSERT_TRUE(job.failures[0].ok()) << job.failures[0].message();
    keys.push_back(job.ranks[0]->session_key());
  }
  EXPECT_NE(keys[0], keys[1]);
}

TEST(Start, RetriesUntilTheRootListens) {
  LocalJob job(3);
  const UniqueId made_by_environment = [&] {
    UniqueId id = job.id;
    id.root_listens = false;
    return id;
  }();
  job.root.reset();
  for (Options& options : job.options) options.id = made_by_environment;
  job.create_all();
  EXPECT_FALSE(job.connect(milliseconds(700)));
  job.expect_all_well();
  Result<std::unique_ptr<Root>> root = Root::create_at(made_by_environment);
  ASSERT_TRUE(root.ok()) << root.status().message();
  job.root = root.take();
  ASSERT_TRUE(job.connect(seconds(3)));
  job.expect_all_well();
}

TEST(Start, FailsSoonWhenTheMakerOfTheUniqueIdIsGone) {
  LocalJob job(2, seconds(20));
  job.root.reset();
  job.create_all();
  ASSERT_TRUE(job.connect(seconds(1)));
  job.expect_failures(gossRemoteError, {"nobody listens at 127.0.0.1:"});
}

TEST(Start, RefusesAPortInUse) {
  LocalJob job(2);
  const Result<std::unique_ptr<Root>> second = Root::create_at(job.id);
  EXPECT_EQ(second.status().code(), gossSystemError);
  EXPECT_NE(second.status().message().find("127.0.0.1:"), std::string::npos);
}

TEST(Start, NamesTheMissingRanksWhenTimeIsUp) {
  LocalJob job(8, milliseconds(1500));
  for (const size_t rank : {0u, 1u, 3u, 4u}) job.create(rank);
  ASSERT_TRUE(job.connect(seconds(3)));
  job.expect_failures(gossTimeout, {"ranks 2, 5-7 (4 of 8)"});
}

TEST(Start, NamesTheRootWhenItIsNotReached) {
  LocalJob job(2, milliseconds(300));
  job.root.reset();
  job.options[1].id.root_listens = false;
  job.create(1);
  ASSERT_TRUE(job.connect(seconds(2)));
  job.expect_failures(gossTimeout, {"127.0.0.1:", "Connection refused", "GOSS_ADDR"});
}

TEST(Start, TellsBothSidesOfDifferentRankCounts) {
  LocalJob job(4);
  job.options[2].nranks = 5;
  job.create_all();
  ASSERT_TRUE(job.connect(seconds(2)));
  char host[65] = "";
  ::gethostname(host, 64);
  job.expect_failures(gossInvalidUsage, {"nranks=4", "rank 2 on ", "nranks=5", host});
}

TEST(Start, TellsBothSidesOfDifferentSettings) {
  LocalJob job(4);
  job.options[3].hello = "v2";
  job.options[3].hello_text = "version 2";
  job.create_all();
  ASSERT_TRUE(job.connect(seconds(2)));
  job.expect_failures(gossInvalidUsage, {"rank 3 on ", "[version 2]", "[version 1]", "rank "});
}

TEST(Start, TellsALateRankWhyTheJobHasFailed) {
  LocalJob job(3);
  job.options[1].nranks = 4;
  job.create(0);
  job.create(1);
  ASSERT_TRUE(job.connect(seconds(2)));
  job.create(2);
  ASSERT_TRUE(job.connect(seconds(2)));
  job.expect_failures(gossInvalidUsage, {"nranks=3", "rank 1 on ", "nranks=4"});
}

TEST(Start, RefusesASecondClaimOfARankAndGoesOn) {
  LocalJob job(3);
  job.options.push_back(job.options[1]);  // a fourth process that believes to be rank 1
  job.ranks.resize(4);
  job.failures.resize(4);
  job.done.assign(4, 0);
  job.create(0);
  job.create(1);
  const auto joined = [&] { return job.connect_once(), job.wait(), false; };
  LocalJob::until(joined, milliseconds(200));
  job.create(3);
  LocalJob::until(joined, milliseconds(200));
  EXPECT_EQ(job.failures[3].code(), gossInvalidUsage) << job.failures[3].message();
  EXPECT_NE(job.failures[3].message().find("rank 1 is taken"), std::string::npos);
  job.ranks[3].reset();
  job.create(2);
  ASSERT_TRUE(job.connect(seconds(2)));
  for (int rank = 0; rank < 3; ++rank) EXPECT_TRUE(job.failures[static_cast<size_t>(rank)].ok());
}

TEST(Start, TellsAllOfARankThatCannotListen) {
  for (const bool comes_first : {true, false}) {
    LocalJob job(3);
    const auto join = [&](size_t rank) {
      job.create(rank);
      LocalJob::until([&] { return job.connect_once(), job.wait(), false; }, milliseconds(150));
    };
    if (!comes_first) join(0);
    {
      const test::ScopedEnv wrong("GOSS_IFNAME", "no-such-interface");
      join(2);
    }
    if (comes_first) join(0);
    job.create(1);
    ASSERT_TRUE(job.connect(seconds(3)));
    EXPECT_EQ(job.failures[2].code(), gossSystemError);
    for (const size_t rank : {0u, 1u}) {
      EXPECT_EQ(job.failures[rank].code(), gossRemoteError);
      EXPECT_NE(job.failures[rank].message().find("rank 2 gave up"), std::string::npos);
      EXPECT_NE(job.failures[rank].message().find("no-such-interface"), std::string::npos);
    }
  }
}

TEST(Start, TellsAllOfARankThatGivesUpRightAfterItsJoin) {
  LocalJob job(3);
  job.create(0);
  job.create(1);
  Hello hello;
  hello.rank = 2;
  hello.nranks = 3;
  hello.job = job.id.job;
  Dialer dialer(address_of(job.id), job.id.secret, hello);
  std::unique_ptr<Channel> channel;
  ASSERT_TRUE(LocalJob::until(
      [&] {
        job.root->poll();
        channel = dialer.advance(Clock::now());
        return channel != nullptr;
      },
      seconds(2)));
  Join join;
  join.mesh = address_of(job.id);
  join.host = "elsewhere";
  join.hello = job.options[2].hello;
  channel->queue(FrameType::kJoin, join.encode());
  channel->queue(FrameType::kGiveUp, Failure{2, gossSystemError, "no room"}.encode());
  channel->flush();  // both arrive at once
  ASSERT_TRUE(job.connect(seconds(3)));
  job.expect_failures(gossRemoteError, {"rank 2 on elsewhere gave up: no room"});
}

TEST(Start, BlamesARankThatEndsBetweenItsProofAndItsJoin) {
  for (const bool comes_first : {true, false}) {
    LocalJob job(3);
    if (!comes_first) job.create(0);
    Hello hello;
    hello.rank = 2;
    hello.nranks = 3;
    hello.job = job.id.job;
    Dialer dialer(address_of(job.id), job.id.secret, hello);
    ASSERT_TRUE(LocalJob::until(
        [&] {
          job.root->poll();
          return dialer.advance(Clock::now()) != nullptr;  // and closed at once
        },
        seconds(2)));
    if (comes_first) job.create(0);
    job.create(1);
    ASSERT_TRUE(job.connect(seconds(1)));
    job.expect_failures(gossRemoteError, {"rank 2 died during start-up"});
  }
}

TEST(Start, LetsARestartedRankTakeItsPlaceAgain) {
  LocalJob job(3);
  job.create(0);
  job.create(1);
  const auto joined = [&] { return job.connect_once(), job.wait(), false; };
  LocalJob::until(joined, milliseconds(150));
  job.ranks[1].reset();
  job.create(1);
  LocalJob::until(joined, milliseconds(600));
  job.create(2);
  ASSERT_TRUE(job.connect(seconds(2)));
  job.expect_all_well();
}

TEST(Start, ReportsTheDeathOfAWaitingRankWithinASecond) {
  LocalJob job(5);
  for (const size_t rank : {0u, 1u, 2u, 3u}) job.create(rank);
  LocalJob::until([&] { return job.connect_once(), job.wait(), false; }, milliseconds(150));
  job.ranks[2].reset();
  ASSERT_TRUE(job.connect(seconds(1)));
  job.expect_failures(gossRemoteError, {"rank 2 on ", "died during start-up"});
}

TEST(Start, NamesTheRankWhoseProcessHeldTheRoot) {
  LocalJob job(4);
  for (const size_t rank : {1u, 2u}) job.create(rank);
  LocalJob::until([&] { return job.connect_once(), job.wait(), false; }, milliseconds(150));
  job.root.reset();
  ASSERT_TRUE(job.connect(seconds(1)));
  // All ranks share the root's process here, so rank 1, the lowest, counts as its owner.
  EXPECT_EQ(job.failures[2].code(), gossRemoteError);
  EXPECT_NE(job.failures[2].message().find("rank 1 died"), std::string::npos)
      << job.failures[2].message();
  EXPECT_EQ(job.failures[1].code(), gossRemoteError);
}

TEST(Start, NamesTheSameDeadRankEverywhereDuringAnAllGather) {
  for (int n : {2, 3, 8, 13, 16}) {
    LocalJob job(n);
    job.create_all();
    ASSERT_TRUE(job.connect());
    const auto victim = static_cast<size_t>(n / 2);
    job.ranks[victim].reset();
    std::vector<std::vector<std::string>> all;
    ASSERT_TRUE(job.allgather(std::vector<std::string>(job.size(), "x"), &all, seconds(1)));
    job.expect_failures(gossRemoteError, {format("rank %zu ", victim), "died during start-up"});
  }
}

TEST(Start, NamesOneOfTwoThatDieTogetherEverywhere) {
  LocalJob job(16);
  job.create_all();
  ASSERT_TRUE(job.connect());
  job.ranks[11].reset();
  job.ranks[6].reset();
  std::vector<std::vector<std::string>> all;
  ASSERT_TRUE(job.allgather(std::vector<std::string>(16, "x"), &all, seconds(1)));
  job.expect_failures(gossRemoteError, {"rank 6 "});
}

TEST(Start, NamesTheRankThatNeverAllGathers) {
  LocalJob job(6, milliseconds(400));
  job.create_all();
  ASSERT_TRUE(job.connect());
  std::unique_ptr<Bootstrap> idle = std::move(job.ranks[4]);
  std::vector<std::vector<std::string>> all;
  ASSERT_TRUE(job.allgather(std::vector<std::string>(6, "x"), &all, seconds(2)));
  job.expect_failures(gossTimeout, {"4"});
}

TEST(Start, HasOneLimitForConnectingAndAllGathering) {
  LocalJob job(2, milliseconds(500));
  job.create_all();
  ASSERT_TRUE(job.connect());
  const auto end = Clock::now() + job.options[0].timeout;
  while (Clock::now() < end) job.wait();
  std::vector<std::string> all;
  const Result<bool> gathered = job.ranks[0]->allgather("x", &all);
  EXPECT_EQ(gathered.status().code(), gossTimeout);
  EXPECT_NE(gathered.status().message().find("rank 1"), std::string::npos)
      << gathered.status().message();
}

}  // namespace
}  // namespace goss::bootstrap
