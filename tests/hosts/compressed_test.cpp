// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Compressed collectives across hosts: exact inside hosts, compressed between them. All ranks have
// the same bits, within the bound that each of them reports, and the wire carries what one rank of
// each host would send.
#include "api/compressed_cases.h"
#include "support/hosts.h"
#include "support/test_scale.h"

namespace goss::test {
namespace {

struct Layout {
  const char* name;
  std::vector<int> host_of;
  int ranks() const { return static_cast<int>(host_of.size()); }
};
std::ostream& operator<<(std::ostream& out, const Layout& layout) { return out << layout.name; }

const Layout kLayouts[] = {
    {"TwoAlone", {0, 1}},
    {"TwoOfTwo", {0, 0, 1, 1}},
    {"TwoOfTwoInTurn", {0, 1, 0, 1}},
    {"Uneven", {0, 0, 0, 1, 2}},
    {"ThreeOfTwo", {0, 0, 1, 1, 2, 2}},
};

class CompressedAcrossHosts : public testing::TestWithParam<Layout> {};

TEST_P(CompressedAcrossHosts, KeepsTheBoundInEveryCollective) {
  const Layout& layout = GetParam();
  const HostsOfThreads hosts(layout.host_of);
  Results results(layout.ranks());
  run_ranks(layout.ranks(), [&](Rank& me) {
    for (Call call : {Call::kAllReduce, Call::kBroadcast, Call::kReduce, Call::kAllGather,
                      Call::kReduceScatter, Call::kAlltoAll, Call::kGather, Call::kScatter}) {
      for (size_t count : {size_t{1}, size_t{900}, size_t{5003}, size_t{70'001}}) {
        for (const char* codec : {"int8", "int6/int8", "int4+sr", "sign/int8"}) {
          Case c{.call = call, .codec = codec, .count = count, .root = me.nranks - 1};
          c.in_place = count == 5003 && call != Call::kAlltoAll && call != Call::kReduce;
          results.run(me, c);
        }
      }
    }
    for (gossRedOp_t op : {gossAvg, gossMin, gossMax}) {
      for (gossDataType_t type : {gossFloat32, gossBfloat16}) {
        results.run(me, {.codec = "int8", .count = 20'000, .type = type, .op = op});
      }
    }
  });
}

TEST_P(CompressedAcrossHosts, SendsAHostsDataOnceAndSaysSo) {
  const Layout& layout = GetParam();
  const HostsOfThreads hosts(layout.host_of);
  gossConfig_t config = default_config();
  config.codec = "int8@0-";
  constexpr size_t kCount = 600'000;
  std::vector<uint64_t> sent(layout.host_of.size());
  run_ranks(
      layout.ranks(),
      [&](Rank& me) {
        std::vector<float> x(kCount, 1.0f + static_cast<float>(me.rank));
        MUST(gossAllReduce(x.data(), x.data(), kCount, gossFloat, gossSum, me.comm, nullptr));
        gossErrorReport_t report{};
        report.size = sizeof(report);
        MUST(gossCommGetErrorReport(me.comm, &report));
        require(std::string(report.codec) == "int8", report.codec);
        require(report.elements == kCount, "elements");
        require(report.bound > 0 && report.expectedRms > 0, "errors of all parts");
        sent[static_cast<size_t>(me.rank)] = report.sentBytes;
        char text[1024];
        MUST(gossExplain(me.comm, "all_reduce", kCount, gossFloat, text, sizeof(text)));
        const std::string said = text;
        require(said.find("compressed as int8") != std::string::npos, said);
        const bool alone = me.nranks == 2;
        require(alone || said.find("exact in the shared memory") != std::string::npos, said);
      },
      config);
  int nhosts = 0;
  for (int host : layout.host_of) nhosts = std::max(nhosts, host + 1);
  const double once = 2.0 * (nhosts - 1) / nhosts * 1.0625 * kCount;  // int8: 8.5 bits
  for (int host = 0; host < nhosts; ++host) {
    double bytes = 0;
    for (size_t r = 0; r < layout.host_of.size(); ++r) {
      if (layout.host_of[r] == host) bytes += static_cast<double>(sent[r]);
    }
    EXPECT_LT(bytes, 1.1 * once) << "host " << host;
    EXPECT_GT(bytes, 0.8 * once) << "host " << host;
  }
}

TEST_P(CompressedAcrossHosts, LeavesTheRootsInputOfABroadcastAlone) {
  const Layout& layout = GetParam();
  const HostsOfThreads hosts(layout.host_of);
  run_ranks(layout.ranks(), [&](Rank& me) {
    std::vector<float> in(10'000);
    for (size_t i = 0; i < in.size(); ++i) in[i] = plain_number(me.rank, i);
    const std::vector<float> before = in;
    std::vector<float> out(in.size());
    gossCollConfig_t options = GOSS_COLL_CONFIG_INITIALIZER;
    options.codec = "int4";
    MUST(gossBroadcastConfig(in.data(), out.data(), in.size(), gossFloat, 0, me.comm, nullptr,
                             &options));
    require(in == before, "the input has changed");
    require(out != before, "the root uses what others get");
  });
}

// The running sum of compressed sums follows the exact one.
TEST_P(CompressedAcrossHosts, FeedbackMakesUpForWhatWasTakenAway) {
  const Layout& layout = GetParam();
  const HostsOfThreads hosts(layout.host_of);
  constexpr size_t kCount = 9000;
  constexpr int kSteps = 30;
  run_ranks(layout.ranks(), [&](Rank& me) {
    gossFeedback_t feedback;
    MUST(gossFeedbackCreate(&feedback, kCount, gossFeedbackFloat32));
    std::vector<double> with(kCount);
    std::vector<double> without(kCount);
    for (int step = 0; step < kSteps; ++step) {
      for (std::vector<double>* total : {&with, &without}) {
        std::vector<float> x(kCount);
        for (size_t i = 0; i < kCount; ++i) x[i] = plain_number(me.rank, i);
        gossCollConfig_t options = GOSS_COLL_CONFIG_INITIALIZER;
        options.codec = "int4";
        options.feedback = total == &with ? feedback : nullptr;
        MUST(gossAllReduceConfig(x.data(), x.data(), kCount, gossFloat, gossSum, me.comm, nullptr,
                                 &options));
        for (size_t i = 0; i < kCount; ++i) (*total)[i] += static_cast<double>(x[i]);
      }
    }
    double off_with = 0;
    double off_without = 0;
    for (size_t i = 0; i < kCount; ++i) {
      double exact = 0;
      for (int r = 0; r < me.nranks; ++r) exact += static_cast<double>(plain_number(r, i));
      off_with += std::pow(with[i] / kSteps - exact, 2);
      off_without += std::pow(without[i] / kSteps - exact, 2);
    }
    require(off_with < off_without / 25, "feedback across hosts");
    MUST(gossFeedbackDestroy(feedback));
  });
}

INSTANTIATE_TEST_SUITE_P(Hosts, CompressedAcrossHosts, testing::ValuesIn(kLayouts),
                         [](const auto& layout) { return layout.param.name; });

// Numbers of different sizes, the same on every run.
std::vector<float> numbers(size_t count, int rank) {
  std::vector<float> x(count);
  for (size_t i = 0; i < count; ++i) {
    x[i] = std::sin(static_cast<float>(i) * 0.37F + static_cast<float>(rank)) *
           static_cast<float>(1 + i / 32 % 7);
  }
  return x;
}

gossErrorReport_t empty_report() {
  gossErrorReport_t report{};
  report.size = sizeof(report);
  return report;
}

// Every rank sends to the next and receives from the one before, both with a wish.
void pass_on(const Rank& me, const std::vector<int>& host_of, size_t count, const char* wish) {
  const int to = (me.rank + 1) % me.nranks;
  const int from = (me.rank + me.nranks - 1) % me.nranks;
  const std::vector<float> mine = numbers(count, me.rank);
  const std::vector<float> theirs = numbers(count, from);
  std::vector<float> got(count + 1, -99.0F);
  gossErrorReport_t sent = empty_report();
  gossErrorReport_t received = empty_report();
  gossCollConfig_t config = GOSS_COLL_CONFIG_INITIALIZER;
  config.codec = wish;
  MUST(gossGroupStart());
  config.report = &sent;
  MUST(gossSendConfig(mine.data(), count, gossFloat, to, me.comm, nullptr, &config));
  config.report = &received;
  MUST(gossRecvConfig(got.data(), count, gossFloat, from, me.comm, nullptr, &config));
  MUST(gossGroupEnd());
  require(got[count] == -99.0F, "written behind the end");
  const auto host = [&](int rank) { return host_of[static_cast<size_t>(rank)]; };
  const std::string what = std::string(wish) + " x " + std::to_string(count);
  if (host(from) == host(me.rank)) {
    require(std::string(received.codec) == "none" && received.bound == 0, "inside: " + what);
    require(std::equal(theirs.begin(), theirs.end(), got.begin()), "not exact: " + what);
  } else {
    require(received.codec == std::string(wish), received.codec);
    require(received.elements == count && received.bound > 0, "a report of all: " + what);
    double largest = 0;
    for (size_t i = 0; i < count; ++i) {
      largest = std::max(largest, std::abs(static_cast<double>(got[i]) - theirs[i]));
    }
    require(largest <= received.bound && largest > 0, "beyond the bound: " + what);
  }
  if (host(to) != host(me.rank)) {
    const bool shorter = count < 1000 || sent.sentBytes < sent.plainBytes;
    require(sent.codec == std::string(wish) && sent.plainBytes == 4 * count && shorter,
            "bytes of the sender: " + what);
  }
}

TEST(CompressedMessages, GoEncodedBetweenHostsAndAsTheyAreInside) {
  const std::vector<int> host_of = {0, 0, 1};
  const HostsOfThreads hosts(host_of);
  run_ranks(3, [&](Rank& me) {
    // A message of one piece, of several, and of any length.
    for (size_t count : {size_t{1}, size_t{300}, size_t{16'384}, size_t{16'385}, size_t{700'001}}) {
      for (const char* wish : {"int8", "int4+sr", "sign", "bf16", "mxfp4"}) {
        pass_on(me, host_of, count, wish);
      }
    }
  });
}

TEST(CompressedMessages, FollowTheRulesOfTheCommunicatorFromTheirSizeOn) {
  const HostsOfThreads hosts({0, 1});
  gossConfig_t config = default_config();
  config.codec = "messages:int8, all_reduce:int4";
  run_ranks(
      2,
      [](Rank& me) {
        for (size_t count : {size_t{1000}, size_t{100'000}}) {
          const std::vector<float> mine = numbers(count, me.rank);
          const std::vector<float> theirs = numbers(count, 1 - me.rank);
          std::vector<float> got(count);
          const size_t counts[] = {me.rank == 0 ? 0 : count, me.rank == 0 ? count : 0};
          const size_t places[] = {0, 0};
          MUST(gossAlltoAllv(mine.data(), counts, places, got.data(), counts, places, gossFloat,
                             me.comm, nullptr));
          const bool exact = got == theirs;
          require(exact == (count == 1000), "compressed from 64 KiB on: " + std::to_string(count));
          // Integers go as they are.
          std::vector<int> whole(count, me.rank);
          std::vector<int> there(count);
          MUST(gossGroupStart());
          MUST(gossSend(whole.data(), count, gossInt32, 1 - me.rank, me.comm, nullptr));
          MUST(gossRecv(there.data(), count, gossInt32, 1 - me.rank, me.comm, nullptr));
          MUST(gossGroupEnd());
          require(there == std::vector<int>(count, 1 - me.rank), "wrong integers");
        }
        gossErrorReport_t report = empty_report();
        MUST(gossCommGetErrorReport(me.comm, &report));
        require(report.codec == std::string("int8") && report.elements == 100'000, report.codec);
      },
      config);
}

TEST(CompressedMessages, OfTwoWishesAreAnErrorThatNamesBoth) {
  const HostsOfThreads hosts({0, 1});
  run_ranks(2, [](Rank& me) {
    std::vector<float> x(1000, 1.0F);
    gossCollConfig_t config = GOSS_COLL_CONFIG_INITIALIZER;
    config.codec = me.rank == 0 ? "int8" : "int4";
    if (me.rank == 0) {
      MUST(gossSendConfig(x.data(), x.size(), gossFloat, 1, me.comm, nullptr, &config));
      require(failed_state_of(me.comm) == gossInvalidUsage, "the sender hears of it");
      return;
    }
    MUST_BE(gossInvalidUsage,
            gossRecvConfig(x.data(), x.size(), gossFloat, 0, me.comm, nullptr, &config));
    for (const char* part : {"rank 0", "1000 of float, compressed as int8", "compressed as int4"}) {
      require(last_error().find(part) != std::string::npos, last_error());
    }
  });
}

TEST(CompressedMessages, HaveNeitherFeedbackNorMeasure) {
  run_ranks(2, [](Rank& me) {
    std::vector<float> x(10);
    gossErrorReport_t report = empty_report();
    gossCollConfig_t config = GOSS_COLL_CONFIG_INITIALIZER;
    config.report = &report;
    config.measure = 1;
    MUST_BE(gossInvalidArgument,
            gossSendConfig(x.data(), 10, gossFloat, 1 - me.rank, me.comm, nullptr, &config));
    config.measure = 0;
    config.codec = "int9";
    MUST_BE(gossInvalidArgument,
            gossRecvConfig(x.data(), 10, gossFloat, 1 - me.rank, me.comm, nullptr, &config));
  });
}

}  // namespace
}  // namespace goss::test
