// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Compressed collectives: any codec, type, operation, number of ranks, count and address gives the
// same bits on all ranks, within the bound that the call reports.
#include <array>

#include "api/compressed_cases.h"
#include "support/test_scale.h"

namespace goss::test {
namespace {

constexpr std::array kCodecs = {"bf16",     "fp16",       "int8",       "int6",       "int5",
                                "int4",     "int3",       "int2",       "sign",       "fp8_e4m3",
                                "fp8_e5m2", "mxfp8_e4m3", "mxfp8_e5m2", "mxfp6_e2m3", "mxfp6_e3m2",
                                "mxfp4",    "mxint8"};
constexpr std::array kCalls = {Call::kAllReduce, Call::kBroadcast,     Call::kReduce,
                               Call::kAllGather, Call::kReduceScatter, Call::kAlltoAll,
                               Call::kGather,    Call::kScatter};

void run_all(int n, const std::vector<Case>& cases) {
  Results results(n);
  run_ranks(n, [&](Rank& me) {
    for (const Case& c : cases) results.run(me, c);
  });
}

TEST(Compressed, EveryCodecKeepsItsBoundInEveryCollective) {
  for (int n : {2, 3}) {
    std::vector<Case> cases;
    for (const char* codec : kCodecs) {
      for (Call call : kCalls) {
        cases.push_back({.call = call, .codec = codec, .count = 2500, .root = n - 1});
      }
    }
    run_all(n, cases);
  }
}

class AnyRanks : public testing::TestWithParam<int> {};

TEST_P(AnyRanks, AnyCountIsReducedWithinTheBound) {
  const int n = GetParam();
  const auto ranks = static_cast<size_t>(n);
  std::vector<Case> cases;
  std::vector<size_t> counts{0, 1, 31, 33, 1023, 1024, 1025, 1024 * ranks, 2048 * ranks + 1};
  if (n <= 8) counts.insert(counts.end(), {4099, 9973});
  for (size_t i = 0; i < counts.size(); ++i) {
    for (const char* codec : {"int8+oneshot", "int8+direct", "int6/int8", "bf16+ring"}) {
      Case c{.codec = codec, .count = counts[i]};
      c.in_place = i % 2 == 1;
      c.memory = i % 3 == 0 ? Memory::kUnaligned : Memory::kPrivate;
      cases.push_back(c);
    }
  }
  run_all(n, cases);
}

TEST_P(AnyRanks, AnyCountIsMovedWithinTheBound) {
  const int n = GetParam();
  std::vector<Case> cases;
  for (size_t count : {size_t{0}, size_t{1}, size_t{33}, size_t{1025}, size_t{4099}}) {
    for (Call call : kCalls) {
      Case c{.call = call, .codec = "int8", .count = count, .root = n / 2};
      c.in_place = count % 4 == 1 && call != Call::kAlltoAll && call != Call::kReduce;
      c.memory = count % 3 == 0 ? Memory::kUnaligned : Memory::kPrivate;
      cases.push_back(c);
    }
  }
  run_all(n, cases);
}

std::vector<int> rank_counts() {
  if (test_scale(100, 1) < 100) return {1, 2, 5, 8};
  std::vector<int> all;
  for (int n = 1; n <= 17; ++n) all.push_back(n);
  return all;
}
INSTANTIATE_TEST_SUITE_P(Compressed, AnyRanks, testing::ValuesIn(rank_counts()),
                         [](const auto& test) { return "n" + std::to_string(test.param); });

TEST(Compressed, ManyChunksAreOnTheirWayAtOnce) {
  const auto million = static_cast<size_t>(test_scale(1'000'000, 300'000));
  for (int n : {2, 4}) {
    std::vector<Case> cases;
    for (const char* codec : {"int8", "int4+direct", "bf16+ring", "sign/int8", "int8+oneshot"}) {
      cases.push_back({.codec = codec, .count = million + 7});
      cases.push_back({.codec = codec, .count = million, .in_place = true});
    }
    cases.push_back({.call = Call::kBroadcast, .codec = "int8", .count = million, .root = 1});
    cases.push_back({.call = Call::kAllGather, .codec = "int6", .count = million / 3});
    cases.push_back({.call = Call::kReduceScatter, .codec = "int6", .count = million / 3});
    run_all(n, cases);
  }
}

TEST(Compressed, EveryTypeAndOperation) {
  std::vector<Case> cases;
  for (gossDataType_t type : {gossFloat16, gossBfloat16, gossFloat32, gossFloat64}) {
    for (gossRedOp_t op : {gossSum, gossAvg, gossMin, gossMax}) {
      for (const char* codec :
           {"int8+fp64+oneshot", "int8+fp64+direct", "int4+fp64+sr", "mxfp4+floor+fp64"}) {
        cases.push_back({.codec = codec, .count = 5003, .type = type, .op = op});
        Case scatter{.call = Call::kReduceScatter, .codec = codec, .count = 1999};
        scatter.type = type;
        scatter.op = op;
        cases.push_back(scatter);
      }
    }
  }
  run_all(3, cases);
}

TEST(Compressed, PreMultipliedSumsAreWithinTheBoundOfTheProducts) {
  constexpr size_t kCount = 6001;
  for (const char* codec : {"int8+oneshot", "int8+direct", "int6/int8+ring", "int4+sr"}) {
    run_ranks(4, [&](Rank& me) {
      const auto scalar = [](int rank) { return 0.3f * static_cast<float>(rank) - 0.5f; };
      float own = scalar(me.rank);
      gossRedOp_t op;
      MUST(gossRedOpCreatePreMulSum(&op, &own, gossFloat, gossScalarHostImmediate, me.comm));
      std::vector<float> in(kCount);
      for (size_t i = 0; i < kCount; ++i) in[i] = plain_number(me.rank, i);
      const std::vector<float> before = in;
      std::vector<float> out(kCount);
      gossCollConfig_t config = GOSS_COLL_CONFIG_INITIALIZER;
      gossErrorReport_t report{};
      report.size = sizeof(report);
      config.codec = codec;
      config.report = &report;
      config.measure = 1;
      MUST(gossAllReduceConfig(in.data(), out.data(), kCount, gossFloat, op, me.comm, nullptr,
                               &config));
      require(in == before, "the input is left alone");
      require(std::string(report.codec) != "none", report.codec);
      require(report.measuredMax > 0 && report.measuredMax <= report.bound, "measured");
      for (size_t i = 0; i < kCount; ++i) {
        double exact = 0;
        double magnitudes = 0;
        for (int r = 0; r < me.nranks; ++r) {
          const double product = static_cast<double>(scalar(r) * plain_number(r, i));
          exact += product;
          magnitudes += std::fabs(product);
        }
        require(
            std::fabs(static_cast<double>(out[i]) - exact) <= report.bound + magnitudes * 0x1p-20,
            std::string(codec) + " element " + std::to_string(i));
      }
      MUST(gossRedOpDestroy(op, me.comm));
    });
  }
}

// ---- the same bits, however it is driven --------------------------------------------------------

TEST(Compressed, StreamsAndGroupsGiveTheBitsOfSynchronousCalls) {
  constexpr int kRanks = 3;
  const Case c{.codec = "int4/int8+sr", .count = 70'001};
  gossCollConfig_t config = GOSS_COLL_CONFIG_INITIALIZER;
  config.seed = 11;
  config.step = 5;
  Results synchronous(kRanks);
  Results streamed(kRanks);
  run_ranks(kRanks, [&](Rank& me) {
    synchronous.run(me, c, config);
    Case queued = c;
    MUST(gossStreamCreate(&queued.stream));
    streamed.run(me, queued, config);
    MUST(gossStreamDestroy(queued.stream));
  });
  EXPECT_EQ(synchronous.output(0), streamed.output(0));

  Comms comms = make_comms(kRanks);
  std::vector<std::vector<float>> buffers(kRanks);
  for (int r = 0; r < kRanks; ++r) {
    auto& x = buffers[static_cast<size_t>(r)];
    for (size_t i = 0; i < c.count; ++i) x.push_back(plain_number(r, i));
  }
  config.codec = c.codec.c_str();
  MUST(gossGroupStart());
  for (int r = 0; r < kRanks; ++r) {
    float* x = buffers[static_cast<size_t>(r)].data();
    gossCollConfig_t copied = config;  // may be gone when the group ends
    MUST(gossAllReduceConfig(x, x, c.count, gossFloat32, gossSum, comms[r], nullptr, &copied));
    copied = {};
  }
  MUST(gossGroupEnd());
  EXPECT_EQ(std::memcmp(buffers[0].data(), synchronous.output(0).data(), c.count * 4), 0);
  EXPECT_EQ(buffers[0], buffers[2]);
}

TEST(Compressed, RulesHoldForGroupsOfCallsOfAllSizes) {
  constexpr size_t kCounts[] = {10, 30'000, 20, 40'000, 5};
  gossConfig_t config = default_config();
  config.codec = "all_reduce:int8@64K-";
  std::vector<std::vector<float>> grouped;
  std::vector<std::vector<float>> single;
  for (std::vector<std::vector<float>>* out : {&grouped, &single}) {
    Comms comms = make_comms(2, config);
    std::vector<std::vector<float>> other;
    for (size_t count : kCounts) {
      out->emplace_back(count);
      other.emplace_back(count);
      for (size_t i = 0; i < count; ++i) {
        out->back()[i] = plain_number(0, i);
        other.back()[i] = plain_number(1, i);
      }
    }
    if (out == &grouped) MUST(gossGroupStart());
    for (size_t k = 0; k < std::size(kCounts); ++k) {
      if (out != &grouped) MUST(gossGroupStart());
      for (int r = 0; r < 2; ++r) {
        float* x = (r == 0 ? (*out)[k] : other[k]).data();
        MUST(gossAllReduce(x, x, kCounts[k], gossFloat32, gossSum, comms[r], nullptr));
      }
      if (out != &grouped) MUST(gossGroupEnd());
    }
    if (out == &grouped) MUST(gossGroupEnd());
    EXPECT_EQ(other, *out);
  }
  EXPECT_EQ(grouped, single);
  EXPECT_EQ(single[0][3], plain_number(0, 3) + plain_number(1, 3)) << "small calls are exact";
  EXPECT_NE(single[1][3], plain_number(0, 3) + plain_number(1, 3)) << "large ones are not";
}

// ---- values -------------------------------------------------------------------------------------

TEST(Compressed, NothingThatIsNotFiniteIsHidden) {
  constexpr size_t kCount = 4096;
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  for (const char* codec : {"int8+oneshot", "int8+direct", "int4+ring", "mxfp8_e4m3+direct"}) {
    for (gossRedOp_t op : {gossSum, gossMin}) {
      run_ranks(3, [&](Rank& me) {
        std::vector<float> x(kCount, 1.0f);
        // A minimum that the ranks of a host have found exactly is not finite only by this.
        if (me.rank == 1) x[100] = op == gossMin ? -kInfinity : kInfinity;
        if (me.rank == 2) x[3000] = op == gossMin ? -kInfinity : std::nanf("");
        gossCollConfig_t config = GOSS_COLL_CONFIG_INITIALIZER;
        gossErrorReport_t report{};
        report.size = sizeof(report);
        config.codec = codec;
        config.report = &report;
        MUST(gossAllReduceConfig(x.data(), x.data(), kCount, gossFloat32, op, me.comm, nullptr,
                                 &config));
        for (size_t i = 0; i < kCount; ++i) {
          const bool spoiled = i / 32 == 100 / 32 || i / 32 == 3000 / 32;
          require(spoiled ? !std::isfinite(x[i]) : std::isfinite(x[i]),
                  std::string(codec) + " element " + std::to_string(i));
        }
        require(std::isinf(report.bound), "bound");
      });
    }
  }
}

TEST(Compressed, HugeTinyAndZeroNumbersKeepTheirSize) {
  run_ranks(4, [&](Rank& me) {
    for (float magnitude : {1e30f, 1e-30f, 0.0f, 1e-40f}) {
      std::vector<float> x(3000, me.rank % 2 == 0 ? magnitude : -magnitude / 2);
      gossCollConfig_t config = GOSS_COLL_CONFIG_INITIALIZER;
      config.codec = "int8+direct";
      MUST(gossAllReduceConfig(x.data(), x.data(), x.size(), gossFloat32, gossSum, me.comm, nullptr,
                               &config));
      for (float value : x) {
        require(std::fabs(value - magnitude) <= 0.02f * magnitude + 1e-35f, std::to_string(value));
      }
    }
  });
}

TEST(Compressed, BlocksOfDifferentLengthsKeepTheirPlaces) {
  gossConfig_t config = default_config();
  config.codec = "int8@0-";
  run_ranks(
      3,
      [](Rank& me) {
        const std::vector<size_t> counts{5000, 0, 33};
        const std::vector<size_t> places{40, 0, 6000};
        const auto own = static_cast<size_t>(me.rank);
        std::vector<float> mine(counts[own]);
        for (size_t i = 0; i < mine.size(); ++i) mine[i] = plain_number(me.rank, i);
        std::vector<float> all(7000, -1.0f);
        MUST(gossAllGatherv(mine.data(), all.data(), counts.data(), places.data(), gossFloat,
                            me.comm, nullptr));
        for (size_t r : {size_t{0}, size_t{2}}) {
          for (size_t i = 0; i < counts[r]; ++i) {
            const float exact = plain_number(static_cast<int>(r), i);
            require(std::fabs(all[places[r] + i] - exact) <= 1.0f, "gathered");
          }
        }
        require(all[0] == -1 && all[5039] != -1 && all[5040] == -1 && all[6033] == -1, "places");
        std::vector<float> blocks(5033);
        for (size_t i = 0; i < blocks.size(); ++i) blocks[i] = plain_number(me.rank, i);
        std::vector<float> sum(counts[own] + 1, -1.0f);
        MUST(gossReduceScatterv(blocks.data(), sum.data(), counts.data(), gossFloat, gossSum,
                                me.comm, nullptr));
        const size_t first = me.rank == 2 ? 5000 : 0;
        for (size_t i = 0; i < counts[own]; ++i) {
          const float exact =
              plain_number(0, first + i) + plain_number(1, first + i) + plain_number(2, first + i);
          require(std::fabs(sum[i] - exact) <= 2.0f, "reduced");
        }
        require(sum.back() == -1, "behind");
        gossErrorReport_t report{};
        report.size = sizeof(report);
        MUST(gossCommGetErrorReport(me.comm, &report));
        require(std::string(report.codec) == "int8", report.codec);
      },
      config);
}

TEST(Compressed, WhatCannotBeCompressedIsExact) {
  gossConfig_t config = default_config();
  config.codec = "int4@0-";
  run_ranks(
      2,
      [&](Rank& me) {
        std::vector<int> whole(50'000, me.rank + 1);
        MUST(gossAllReduce(whole.data(), whole.data(), whole.size(), gossInt, gossSum, me.comm,
                           nullptr));
        require(whole == std::vector<int>(50'000, 3), "integers");
        std::vector<double> doubles(50'000, 0.1 * (me.rank + 1));
        MUST(gossAllReduce(doubles.data(), doubles.data(), doubles.size(), gossDouble, gossSum,
                           me.comm, nullptr));
        require(doubles[7] == 0.1 + 0.2, "doubles without +fp64");
        std::vector<float> product(50'000, 1.1f);
        MUST(gossAllReduce(product.data(), product.data(), product.size(), gossFloat, gossProd,
                           me.comm, nullptr));
        require(product[7] == 1.1f * 1.1f, "products");
        char text[1024];
        MUST(gossExplain(me.comm, "all_reduce", 50'000, gossInt, text, sizeof(text)));
        require(std::string(text).find("not compressed because integers") != std::string::npos,
                text);
        MUST(gossExplain(me.comm, "all_reduce", 50'000, gossFloat, text, sizeof(text)));
        require(std::string(text).find("compressed as int4 because") != std::string::npos, text);
      },
      config);
}

}  // namespace
}  // namespace goss::test
