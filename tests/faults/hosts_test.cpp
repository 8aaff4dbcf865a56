// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Jobs of several hosts, which are network namespaces: collectives over UCX's TCP, and what is
// promised when a rank is killed or a host falls silent.
#include "faults/ranks.h"
#include "support/network.h"

namespace goss::faults {
namespace {

using support::Network;
using testing::HasSubstr;

// Rank r is on host r / per_host.
Ranks::Body on_hosts(const Network& network, int per_host, const Ranks::Body& body) {
  return [&network, per_host, body](Rank& rank) {
    network.enter(rank.rank / per_host);
    body(rank);
  };
}

// The kinds that MixedWork leaves out, on `count` elements of a block.
gossResult_t blocks(Rank& rank, size_t count) {
  const auto n = static_cast<size_t>(rank.n);
  const auto value = [](size_t r, size_t i) { return static_cast<int32_t>(r * 1000 + i % 977); };
  const auto own = static_cast<size_t>(rank.rank);
  std::vector<int32_t> in(n * count);
  std::vector<int32_t> out(n * count);
  for (size_t i = 0; i < in.size(); ++i) in[i] = value(own, i);
  const auto sum = [&](size_t i) {
    int32_t all = 0;
    for (size_t r = 0; r < n; ++r) all += value(r, i);
    return all;
  };
  const auto check = [&](size_t elements, auto expected) {
    bool right = true;
    for (size_t i = 0; i < elements; ++i) right &= out[i] == expected(i);
    rank.expect(right);
  };
  const int root = rank.n - 1;
  gossResult_t result = gossAllGather(in.data(), out.data(), count, gossInt32, rank.comm, nullptr);
  if (result != gossSuccess) return result;
  check(n * count, [&](size_t i) { return value(i / count, i % count); });
  result = gossReduceScatter(in.data(), out.data(), count, gossInt32, gossSum, rank.comm, nullptr);
  if (result != gossSuccess) return result;
  check(count, [&](size_t i) { return sum(own * count + i); });
  result = gossReduce(in.data(), out.data(), count, gossInt32, gossSum, root, rank.comm, nullptr);
  if (result != gossSuccess) return result;
  if (rank.rank == root) check(count, sum);
  result = gossScatter(in.data(), out.data(), count, gossInt32, root, rank.comm, nullptr);
  if (result != gossSuccess) return result;
  check(count, [&](size_t i) { return value(static_cast<size_t>(root), own * count + i); });
  result = gossGather(in.data(), out.data(), count, gossInt32, root, rank.comm, nullptr);
  if (result != gossSuccess || rank.rank != root) return result;
  check(n * count, [&](size_t i) { return value(i / count, i % count); });
  return result;
}

void work(Rank& rank) {
  if (rank.failed(rank.join())) std::exit(3);
  for (const size_t count : {1, 100, 5000, 100'000}) {
    if (rank.failed(blocks(rank, count))) std::exit(7);
  }
  MixedWork mixed(&rank);
  if (rank.failed(mixed.run())) std::exit(4);
  if (rank.failed(gossCommDestroy(rank.comm))) std::exit(6);
  std::exit(0);
}

class HostsTest : public testing::TestWithParam<int> {
 protected:
  void SetUp() override {
    const std::string missing = Network::missing();
    if (!missing.empty()) GTEST_SKIP() << missing;
  }
};

TEST_P(HostsTest, EveryCollectiveGivesTheRightResultOverTcp) {
  const Network network(GetParam());
  ASSERT_EQ(network.failure(), "");
  Ranks ranks(2 * GetParam(), on_hosts(network, 2, [](Rank& rank) {
                rank.board.last_round = static_cast<uint64_t>(test_scale(63, 21));
                work(rank);
              }));
  ranks.expect_clean_end(3 * kPatience);
  for (int r = 0; r < ranks.size(); ++r) {
    EXPECT_STREQ(ranks.report(r).text, "") << "rank " << r;
    EXPECT_EQ(ranks.report(r).wrong, 0) << "rank " << r;
  }
}

INSTANTIATE_TEST_SUITE_P(Faults, HostsTest, testing::Values(2, 4),
                         [](const auto& p) { return std::to_string(p.param) + "Hosts"; });

void work_until_it_fails(Rank& rank) {
  if (rank.failed(rank.join())) std::exit(3);
  // Connects all pairs: UCX 1.13.1 ends a process that loses a peer while it connects to it.
  if (rank.failed(blocks(rank, 1))) std::exit(7);
  MixedWork mixed(&rank);
  rank.failed(mixed.run());
  support::sleep_for(milliseconds(300));  // others may still ask who decides
  abort_and_exit(rank);
}

using HostsFaultTest = HostsTest;

TEST_F(HostsFaultTest, AKilledRankIsReportedByAllWithinASecond) {
  const Network network(2);
  ASSERT_EQ(network.failure(), "");
  Ranks ranks(4, on_hosts(network, 2, work_until_it_fails));
  ASSERT_TRUE(ranks.all_complete(10));
  const int64_t at = ranks.kill(3);
  ranks.expect_same_report(gossRemoteError, at, {3});
  EXPECT_THAT(std::string(ranks.report(0).text), HasSubstr("rank 3 "));
  EXPECT_THAT(std::string(ranks.report(0).text), HasSubstr("died"));
  ranks.expect_clean_end(kPatience, {3});
}

TEST_F(HostsFaultTest, ASilentHostIsReportedWithinFiveSeconds) {
  Network network(2, Network::Cables::kRelays);
  if (!network.failure().empty()) GTEST_SKIP() << network.failure();
  Ranks ranks(4, on_hosts(network, 2, work_until_it_fails));
  ASSERT_TRUE(ranks.all_complete(10));
  const int64_t at = support::now_ns();
  network.cable(1).blackhole = true;
  for (int r = 0; r < 4; ++r) {
    const Report& got = ranks.report(r);
    ASSERT_TRUE(support::eventually(2 * kPatience, [&] { return got.failed_at != 0; })) << r;
    EXPECT_EQ(got.code, gossRemoteError) << got.text;
    EXPECT_LE(ms_between(at, got.failed_at), 5 * kPromise.count()) << "rank " << r;
  }
  // Both sides of the cut agree among themselves.
  EXPECT_STREQ(ranks.report(0).text, ranks.report(1).text);
  EXPECT_STREQ(ranks.report(2).text, ranks.report(3).text);
  ranks.expect_clean_end(kPatience);
}

// ---- what was sent before the end of its sender ------------------------------------------------

constexpr size_t kSends = 8;
constexpr size_t kSentBytes = size_t{64} << 10;  // all of them are more than a window

// Rank 0 sends and leaves at once, by `leave`; rank 1 takes its time.
Ranks::Body send_and_leave(const std::function<void(Rank&)>& leave) {
  return [leave](Rank& rank) {
    ::setenv("GOSS_HOSTID", std::to_string(rank.rank).c_str(), 1);
    ::setenv("UCX_TLS", "tcp", 1);
    if (rank.failed(rank.join())) std::exit(3);
    std::vector<std::vector<uint8_t>> data(kSends, std::vector<uint8_t>(kSentBytes));
    for (size_t i = 0; i < kSends; ++i) {
      if (rank.rank == 0) data[i].assign(kSentBytes, static_cast<uint8_t>(i + 1));
      if (rank.rank == 1 && i == 0) support::sleep_for(milliseconds(2500));
      void* const bytes = data[i].data();
      const gossResult_t result =
          rank.rank == 0 ? gossSend(bytes, kSentBytes, gossUint8, 1, rank.comm, nullptr)
                         : gossRecv(bytes, kSentBytes, gossUint8, 0, rank.comm, nullptr);
      if (rank.failed(result)) std::exit(4);
      rank.expect(data[i] == std::vector<uint8_t>(kSentBytes, static_cast<uint8_t>(i + 1)));
    }
    leave(rank);
  };
}

void expect_all_arrived(const Ranks::Body& body) {
  if (const char* folder = std::getenv("GOSS_MODULE_DIR");
      folder == nullptr ||
      ::access((std::string(folder) + "/libgossamer_ucx.so").c_str(), R_OK) != 0) {
    GTEST_SKIP() << "this build has no UCX module";
  }
  Ranks ranks(2, body);
  ranks.expect_clean_end(2 * kPatience);
  for (int r = 0; r < 2; ++r) {
    EXPECT_STREQ(ranks.report(r).text, "") << "rank " << r;
    EXPECT_EQ(ranks.report(r).wrong, 0) << "rank " << r;
  }
}

TEST(SendersThatLeave, ByDestroyingTheCommunicatorDeliverWhatTheySent) {
  expect_all_arrived(send_and_leave([](Rank& rank) {
    if (rank.failed(gossCommDestroy(rank.comm))) std::exit(6);
    std::exit(0);
  }));
}

TEST(SendersThatLeave, ByExitingDeliverWhatTheySent) {
  if (support::under_sanitizer()) GTEST_SKIP() << "what is not destroyed counts as leaked";
  expect_all_arrived(send_and_leave([](Rank&) { std::exit(0); }));
}

// Who is waited for in vain does not hold up the end.
TEST(SendersThatLeave, DoNotWaitForReceiversThatDie) {
  Ranks ranks(2, [](Rank& rank) {
    send_and_leave([](Rank& sender) {
      sender.reach(1);
      if (sender.failed(gossCommDestroy(sender.comm))) std::exit(6);
      sender.report.failed_at = now_ns();
      std::exit(0);
    })(rank);
  });
  if (std::getenv("GOSS_MODULE_DIR") == nullptr) GTEST_SKIP() << "this build has no UCX module";
  ASSERT_TRUE(support::eventually(kPatience, [&] { return ranks.report(0).stage == 1; }));
  const int64_t at = ranks.kill(1);
  ranks.expect_clean_end(kPatience, {1});
  EXPECT_LE(ms_between(at, ranks.report(0).failed_at), 3 * kPromise.count());
}

}  // namespace
}  // namespace goss::faults
