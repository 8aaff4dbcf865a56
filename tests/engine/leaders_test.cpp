// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Who speaks for a host: the rank nearest to its network adapter. The program runs with
// GOSS_TOPOLOGY_FILE of a machine with two CPUs, the adapter at the second.
#include <gtest/gtest.h>
#include <sched.h>

#include <cstdint>
#include <mutex>
#include <thread>

#include "engine/handle.h"
#include "engine/reach.h"
#include "engine/span.h"
#include "support/hosts.h"
#include "support/ranks.h"

namespace goss::test {
namespace {

using engine::Hosts;
using engine::Member;

TEST(Hosts, AreSpokenForByTheFirstWhereAllRanksAreAsNear) {
  const Hosts hosts({"a", "b", "a", "b", "c"});
  EXPECT_EQ(hosts.speaker, (std::vector<int>{0, 1, 4}));
  EXPECT_EQ(hosts.leaders(3), (std::vector<int>{0, 3, 4}));
  EXPECT_EQ(Hosts({"a", "a"}, {2, 2}).speaker, std::vector<int>{0});
}

TEST(Hosts, AreSpokenForByTheNearest) {
  const Hosts hosts({"a", "b", "a", "b", "b"}, {3, 2, 1, 3, 1});
  EXPECT_EQ(hosts.speaker, (std::vector<int>{2, 4}));
  EXPECT_EQ(hosts.leaders(0), (std::vector<int>{0, 4}));
  EXPECT_EQ(hosts.leaders(4), (std::vector<int>{2, 4}));
}

TEST(Hosts, InTurnComeOneAfterTheOther) {
  EXPECT_EQ(Hosts({"a", "b", "a", "c", "b"}).in_turn(), (std::vector<int>{0, 2, 1, 4, 3}));
}

std::string mask_of(int cpu) { return std::string(1, static_cast<char>(1 << cpu)); }

std::vector<Member> members_on(const std::vector<std::pair<const char*, int>>& places) {
  std::vector<Member> members;
  for (const auto& [host, cpu] : places) {
    members.emplace_back();
    members.back().host_id = host;
    members.back().cpus = mask_of(cpu);
  }
  return members;
}

TEST(Reaches, AreToldByTheFirstRankOfAHostAndReachEverybody) {
  std::vector<Member> members = members_on({{"a", 0}, {"b", 0}, {"a", 1}, {"b", 1}, {"c", 0}});
  std::vector<std::string> packed;
  for (int r = 0; r < 5; ++r) {
    const Result<std::string> told = engine::reaches_to_tell(members, r);
    ASSERT_TRUE(told.ok()) << told.status().message();
    EXPECT_EQ(told.value().size(), r < 2 ? 2u : 0u) << r;
    packed.push_back(engine::pack_reaches(told.value(), "address " + std::to_string(r)));
  }
  ASSERT_TRUE(engine::unpack_reaches(&packed, &members).ok());
  for (int r = 0; r < 5; ++r)
    EXPECT_EQ(packed[static_cast<size_t>(r)], "address " + std::to_string(r));
  EXPECT_LT(members[2].reach, members[0].reach);
  EXPECT_LT(members[3].reach, members[1].reach);
}

TEST(Reaches, ThatAreDamagedAreRefused) {
  std::vector<Member> members = members_on({{"a", 0}, {"a", 1}});
  const std::string whole = engine::pack_reaches("xy", "address");
  for (const std::string& bad :
       {std::string(), whole.substr(0, 3), whole.substr(0, 5), engine::pack_reaches("xyz", ""),
        std::string("\xff\xff\xff\xff", 4)}) {
    std::vector<std::string> packed{bad, engine::pack_reaches("", "")};
    EXPECT_FALSE(engine::unpack_reaches(&packed, &members).ok()) << bad.size();
  }
}

bool bind_to(int cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(cpu, &set);
  return ::sched_setaffinity(0, sizeof(set), &set) == 0;
}

// As run_ranks, with a CPU for each rank.
void run_bound(const std::vector<int>& cpus, const std::function<void(Rank&)>& fn) {
  gossUniqueId id;
  ASSERT_EQ(gossGetUniqueId(&id), gossSuccess) << last_error();
  std::mutex mutex;
  std::vector<std::thread> threads;
  for (size_t r = 0; r < cpus.size(); ++r) {
    threads.emplace_back([&, r] {
      Rank rank{static_cast<int>(r), static_cast<int>(cpus.size()), nullptr};
      try {
        require(bind_to(cpus[r]), "sched_setaffinity");
        MUST(gossCommInitRank(&rank.comm, rank.nranks, id, rank.rank));
        fn(rank);
        MUST(gossCommDestroy(rank.comm));
      } catch (const std::exception& error) {
        const std::lock_guard<std::mutex> lock(mutex);
        ADD_FAILURE() << "rank " << r << ": " << error.what();
        gossCommAbort(rank.comm);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

// In messages.
uint64_t sent_bytes(gossComm_t comm) { return comm->comm->span()->messenger()->sent_bytes(); }

class Speakers : public testing::Test {
 protected:
  void SetUp() override {
    cpu_set_t own;
    ASSERT_EQ(::sched_getaffinity(0, sizeof(own), &own), 0);
    if (!CPU_ISSET(0, &own) || !CPU_ISSET(1, &own)) {
      GTEST_SKIP() << "needs CPUs 0 and 1, which this process may not use";
    }
  }
};

TEST_F(Speakers, SendForTheirHostAndTheOthersDoNot) {
  const HostsOfThreads hosts({0, 0, 1, 1, 1});
  run_bound({0, 1, 0, 0, 1}, [](Rank& me) {
    constexpr size_t kCount = 5000;
    std::vector<int32_t> in(kCount, me.rank + 1);
    std::vector<int32_t> out(kCount);
    const uint64_t before = sent_bytes(me.comm);
    MUST(gossReduce(in.data(), out.data(), kCount, gossInt32, gossSum, 0, me.comm, nullptr));
    const uint64_t sent = sent_bytes(me.comm) - before;
    if (me.rank == 0) require(out[kCount - 1] == 15, "the sum");
    // Only sums of host 1 go anywhere.
    const bool whole = sent >= kCount * sizeof(int32_t);
    require(whole == (me.rank == 4), "sent " + std::to_string(sent) + " bytes");

    char text[2000];
    MUST(gossExplain(me.comm, "broadcast", 10, gossInt8, text, sizeof(text)));
    require(std::string(text).find("ranks 1, 4, nearest to the network") != std::string::npos,
            text);
  });
}

TEST_F(Speakers, GiveTheSameResultsWhoeverTheyAre) {
  const HostsOfThreads hosts({0, 1, 0, 1, 0});
  for (const std::vector<int>& cpus : {std::vector<int>{0, 0, 1, 1, 1}, {1, 0, 0, 1, 0}}) {
    run_bound(cpus, [](Rank& me) {
      for (const size_t count : {1, 300, 70'000}) {
        for (int root = 0; root < me.nranks; ++root) {
          std::vector<int32_t> in(count, me.rank + 1);
          std::vector<int32_t> out(count, -1);
          MUST(
              gossReduce(in.data(), out.data(), count, gossInt32, gossSum, root, me.comm, nullptr));
          if (me.rank == root) require(out.back() == 15, "reduce");
          MUST(gossBroadcast(in.data(), out.data(), count, gossInt32, root, me.comm, nullptr));
          require(out.front() == root + 1 && out.back() == root + 1, "broadcast");
          MUST(gossAllReduce(in.data(), out.data(), count, gossInt32, gossMax, me.comm, nullptr));
          require(out.front() == 5 && out.back() == 5, "all_reduce");
          MUST(gossBarrier(me.comm, nullptr));
        }
      }
    });
  }
}

TEST(Explained, PeersOfOtherHostsAreReachedByMessages) {
  const HostsOfThreads hosts({0, 1, 0});
  run_ranks(3, [](Rank& me) {
    char text[2000];
    MUST(gossExplainPeer(me.comm, (me.rank + 1) % 3, text, sizeof(text)));
    const std::string told(text);
    const bool together = me.rank == 2;  // with rank 0
    const auto has = [&](const char* what) { return told.find(what) != std::string::npos; };
    require(has(together ? "by: shared memory\n" : "by: messages\nover: UCX, a local network\n"),
            told);
    require(has("pretended 0 and pretended 1") == (me.rank == 0), told);
    require(has("shares: ") == together, told);
  });
}

}  // namespace
}  // namespace goss::test
