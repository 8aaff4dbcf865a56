// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// The model of perf/scaling against closed forms, against the schedules of the library, and what
// the plot is to show.
#include <gtest/gtest.h>

#include <cmath>
#include <sstream>

#include "scaling/algorithms.h"
#include "scaling/fit.h"
#include "scaling/network.h"

namespace goss::scaling {
namespace {

constexpr double kLatency = 50;
constexpr double kBandwidth = 125;
constexpr double kBytes = 1 << 20;
const Network kPlain{{kLatency, kBandwidth, 0}, {1, 10'000, 0}, 1, 0};

Cost run(const std::string& name, int n, double bytes = kBytes, const Network& network = kPlain) {
  for (const Algorithm& algorithm : algorithms()) {
    if (algorithm.name == name && algorithm.applies(network, n)) {
      return algorithm.run(network, n, bytes);
    }
  }
  ADD_FAILURE() << name << " does not apply to " << n << " ranks";
  return {};
}

void expect_cost(const std::string& name, int n, double latencies, double shares) {
  const Cost cost = run(name, n);
  const double expected = latencies * kLatency + shares * kBytes / kBandwidth;
  EXPECT_NEAR(cost.time_us / expected, 1, 1e-9) << name << ",n=" << n;
}

TEST(Scaling, TakesTheTimesOfTheClosedForms) {
  for (int n = 2; n <= 65; ++n) {
    const double share = (n - 1.0) / n;
    expect_cost("ring", n, 2.0 * (n - 1), 2 * share);
    expect_cost("oneshot", n, 1, n - 1);
    expect_cost("twoshot", n, 2, 2 * share);
    expect_cost("gossip_dissemination", n, 1, 1);
    if ((n & (n - 1)) != 0) continue;
    expect_cost("gossip_hypercube", n, 1, 1);
    expect_cost("halving_doubling", n, 2 * std::log2(n), 2 * share);
  }
  // Beyond a power of two the rest is folded in and out.
  expect_cost("halving_doubling", 6, 2 * 2 + 2, 2 * 0.75 + 2);
}

TEST(Scaling, SendsTheMessagesAndBytesOfTheClosedForms) {
  for (const int n : {2, 3, 8, 13, 64, 4096}) {
    const Cost ring = run("ring", n);
    EXPECT_EQ(ring.messages, 2 * (n - 1));
    EXPECT_NEAR(ring.bytes / (2 * (n - 1.0) / n * kBytes), 1, 1e-9);
    EXPECT_NEAR(ring.chunk_bytes() / (kBytes / n), 1, 1e-9);
    const Cost gossip = run("gossip_dissemination", n);
    EXPECT_EQ(gossip.messages, 1);
    EXPECT_EQ(gossip.bytes, kBytes);
    EXPECT_EQ(gossip.chunk_bytes(), kBytes);
    // At most twice the bytes are saved.
    EXPECT_LT(ring.bytes / gossip.bytes, 2);
  }
  EXPECT_EQ(run("halving_doubling", 64).messages, 12);
  EXPECT_EQ(run("oneshot", 64).bytes, 63 * kBytes);
}

TEST(Scaling, OfOneRankIsNothing) {
  for (const Algorithm& algorithm : algorithms()) {
    if (!algorithm.applies(kPlain, 1)) continue;
    const Cost cost = algorithm.run(kPlain, 1, kBytes);
    EXPECT_EQ(cost.time_us, 0) << algorithm.name;
    EXPECT_EQ(cost.messages, 0) << algorithm.name;
  }
}

TEST(Scaling, LoopsAgreeWithTheLibrarysSchedules) {
  const Network networks[] = {kPlain, {{30, 1000, 2}, {1, 10'000, 0.5}, 1, 5000}};
  for (const Network& network : networks) {
    for (int n = 1; n <= 33; ++n) {
      for (const double bytes : {64.0, 1e5, 1e7}) {
        const Cost one = run("oneshot", n, bytes, network);
        const Cost one_by_schedule = run_one_shot_schedule(network, n, bytes);
        EXPECT_NEAR(one.time_us, one_by_schedule.time_us, 1e-6 * one.time_us) << n;
        EXPECT_EQ(one.messages, one_by_schedule.messages);
        EXPECT_NEAR(one.bytes, one_by_schedule.bytes, 1e-9 * one.bytes);
        const Cost two = run("twoshot", n, bytes, network);
        const Cost two_by_schedule = run_two_shot_schedule(network, n, bytes);
        EXPECT_NEAR(two.time_us, two_by_schedule.time_us, 1e-6 * two.time_us) << n;
        EXPECT_EQ(two.messages, two_by_schedule.messages);
        EXPECT_NEAR(two.bytes, two_by_schedule.bytes, 1e-9 * two.bytes);
      }
    }
  }
}

// The claim of the plot: the ring's chunks shrink and its bandwidth with them, gossip's do not.
TEST(Scaling, TheRingsBandwidthFallsWithItsChunkAndGossipsStays) {
  const double one_message = run("gossip_hypercube", 2).achieved_bytes_per_us();
  double before = 1e300;
  for (int n = 2; n <= 4096; n *= 2) {
    const double ring = run("ring", n).achieved_bytes_per_us();
    const double chunk = kBytes / n;
    EXPECT_LT(ring, before);
    EXPECT_NEAR(ring / (chunk / (kLatency + chunk / kBandwidth)), 1, 1e-9);
    before = ring;
    EXPECT_NEAR(run("gossip_hypercube", n).achieved_bytes_per_us() / one_message, 1, 1e-9);
    EXPECT_NEAR(run("gossip_dissemination", n).achieved_bytes_per_us() / one_message, 1, 1e-9);
  }
  EXPECT_LT(before, one_message / 20);
}

TEST(Scaling, GossipTakesHalfOfARingOfTwoAndIsNeverSlowerThanAnyAllReduce) {
  for (int n = 2; n <= 256; n *= 2) {
    const double gossip = run("gossip_hypercube", n).time_us;
    for (const char* exact : {"ring", "halving_doubling", "oneshot", "twoshot"}) {
      EXPECT_LE(gossip, run(exact, n).time_us * (1 + 1e-9)) << exact << ",n=" << n;
    }
  }
}

TEST(Scaling, RanksOfAHostShareItsPort) {
  Network network = kPlain;
  network.ranks_per_host = 4;
  // Dissemination's hops 4, 8, .. leave the host with all four ranks, hops 1 and 2 with one and
  // two.
  const double far = run("gossip_hypercube", 16, kBytes, network).time_us;
  const double local = 1 + kBytes / 10'000;
  EXPECT_NEAR(far, (2 * local + 2 * (kLatency + 4 * kBytes / kBandwidth)) / 4, 0.05 * far);
  // Two levels send every byte through the port once each way, as a ring of hosts would.
  const Cost levels = run("two_level", 16, kBytes, network);
  const double ring_of_hosts = 2 * 3 * kLatency + 2 * 0.75 * kBytes / kBandwidth;
  const double inside = 2 * (1 + 0.75 * kBytes / 10'000);
  EXPECT_LE(levels.time_us, (ring_of_hosts + inside) * (1 + 1e-9));
  EXPECT_GE(levels.time_us, 2 * 0.75 * kBytes / kBandwidth);
  EXPECT_LT(levels.time_us, run("twoshot", 16, kBytes, network).time_us);
}

TEST(Scaling, PortsCarryOneMessageAtATime) {
  Clocks clocks(kPlain, 3);
  const double carry = kBytes / kBandwidth;
  // Two senders, one receiver: the second message waits for the receiver's port.
  const double first = clocks.send(1, 0, kBytes);
  const double second = clocks.send(2, 0, kBytes);
  EXPECT_EQ(first, kLatency);
  EXPECT_EQ(second, kLatency);
  EXPECT_EQ(clocks.arrive(1, 0, kBytes, first), kLatency + carry);
  EXPECT_EQ(clocks.arrive(2, 0, kBytes, second), kLatency + 2 * carry);
  // One sender, two receivers: the second message waits for the sender's port.
  EXPECT_EQ(clocks.send(1, 2, kBytes), kLatency + carry);
  EXPECT_EQ(clocks.ready(1), 0) << "a sender does not wait for its port";
  clocks.wait(1, 7, 0);
  clocks.wait(1, 5, 0);
  EXPECT_EQ(clocks.ready(1), 7);
  EXPECT_EQ(clocks.cost().messages, 2);
  EXPECT_EQ(clocks.cost().bytes, 2 * kBytes);
}

TEST(Scaling, OverheadAndArithmeticCostTheRankItself) {
  Network network = kPlain;
  network.remote.overhead_us = 3;
  network.reduce_bytes_per_us = 1000;
  EXPECT_NEAR(run("gossip_hypercube", 8, 1000, network).time_us, 3 + kLatency + 8 + 2, 1e-9);
}

TEST(Fit, FindsTheLineThatSamplesLieOn) {
  std::vector<Sample> samples;
  for (double bytes = 64; bytes < 1e8; bytes *= 4) samples.push_back({bytes, 12.5 + bytes / 900});
  const auto line = fit_line(samples);
  ASSERT_TRUE(line.ok());
  EXPECT_NEAR(line.value().latency_us, 12.5, 1e-6);
  EXPECT_NEAR(line.value().bytes_per_us, 900, 1e-4);
}

TEST(Fit, RefusesWhatDeterminesNoLine) {
  EXPECT_EQ(fit_line({{64, 1}}).status().message(),
            "fit: 1 samples; at least two sizes are needed");
  EXPECT_FALSE(fit_line({{64, 1}, {64, 2}}).ok());
  EXPECT_FALSE(fit_line({{64, 2}, {128, 1}}).ok());
  EXPECT_FALSE(fit_line({{64, 0}, {128, 1}}).ok());
  EXPECT_FALSE(fit_line({{64, std::nan("")}, {128, 1}}).ok());
}

TEST(Fit, ReadsLinesAndSaysWhichOneItCannotRead) {
  std::istringstream good("# a comment\nbytes,time_us\n64,1.5\n\n128 2\r\n");
  const auto samples = read_samples(good);
  ASSERT_TRUE(samples.ok());
  ASSERT_EQ(samples.value().size(), 2u);
  EXPECT_EQ(samples.value()[1].time_us, 2);
  std::istringstream bad("64,1\n12\n");
  EXPECT_EQ(read_samples(bad).status().message(), "fit: line 2 is not \"bytes,time_us\": 12");
}

}  // namespace
}  // namespace goss::scaling
