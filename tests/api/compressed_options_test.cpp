// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Options of compressed calls: rules, reports, error feedback, and what is refused.
#include <numeric>

#include "api/compressed_cases.h"
#include "support/test_scale.h"

namespace goss::test {
namespace {

using ::testing::Test;

gossCollConfig_t with_codec(const char* codec) {
  gossCollConfig_t config = GOSS_COLL_CONFIG_INITIALIZER;
  config.codec = codec;
  return config;
}

gossErrorReport_t empty_report() {
  gossErrorReport_t report{};
  report.size = sizeof(report);
  return report;
}

// ---- reports ------------------------------------------------------------------------------------

TEST(ErrorReport, BoundsAndForetellsTheMeasuredError) {
  for (const char* codec : {"int8+oneshot", "int8+direct", "int4+direct", "int8+ring", "bf16"}) {
    run_ranks(4, [&](Rank& me) {
      constexpr size_t kCount = 200'000;
      std::vector<float> x(kCount);
      for (size_t i = 0; i < kCount; ++i) x[i] = plain_number(me.rank, i);
      gossCollConfig_t config = with_codec(codec);
      gossErrorReport_t report = empty_report();
      config.report = &report;
      config.measure = 1;
      MUST(gossAllReduceConfig(x.data(), x.data(), kCount, gossFloat, gossSum, me.comm, nullptr,
                               &config));
      const std::string what = std::string(codec) + ": bound " + std::to_string(report.bound) +
                               ", measured " + std::to_string(report.measuredMax) + ", NMSE " +
                               std::to_string(report.expectedNmse * 1e6) + "e-6, measured " +
                               std::to_string(report.measuredNmse * 1e6) + "e-6";
      require(report.elements == kCount, "elements");
      require(report.measuredMax > 0 && report.measuredMax <= report.bound + 1e-4, what);
      const bool integers = std::string(codec).find("direct") != std::string::npos;
      require(report.bound <= (integers ? 2 : 6) * report.measuredMax, what);
      require(report.measuredNmse < 2 * report.expectedNmse &&
                  report.expectedNmse < 2 * report.measuredNmse,
              what);
      require(report.sentBytes < report.plainBytes, what);
      gossErrorReport_t last = empty_report();
      MUST(gossCommGetErrorReport(me.comm, &last));
      require(last.bound == report.bound && std::string(last.codec) == report.codec, what);
    });
  }
}

// The bar of the direct algorithm: flat in the number of ranks.
TEST(ErrorReport, NmseOfDirectInt8StaysBelow6e5ForAnyNumberOfRanks) {
  for (int n : {2, 8, 16}) {
    run_ranks(n, [&](Rank& me) {
      std::vector<float> x(40'000);
      for (size_t i = 0; i < x.size(); ++i) {
        x[i] = static_cast<float>(
            std::sqrt(-2 * std::log((static_cast<double>(
                                         mix(i * 64 + static_cast<uint64_t>(me.rank)) >> 11) +
                                     1) *
                                    0x1p-53)) *
            std::cos(static_cast<double>(mix(i * 97 + 13 + static_cast<uint64_t>(me.rank))) *
                     0x1p-64 * 6.283185307179586));
      }
      gossCollConfig_t config = with_codec("int8+direct");
      gossErrorReport_t report = empty_report();
      config.report = &report;
      config.measure = 1;
      MUST(gossAllReduceConfig(x.data(), x.data(), x.size(), gossFloat, gossSum, me.comm, nullptr,
                               &config));
      require(report.measuredNmse > 1e-5 && report.measuredNmse <= 6e-5,
              "n=" + std::to_string(n) + ": " + std::to_string(report.measuredNmse * 1e6) + "e-6");
    });
  }
}

TEST(ErrorReport, OfAnUncompressedCallSaysSo) {
  run_ranks(2, [](Rank& me) {
    float x = 1;
    gossCollConfig_t config = GOSS_COLL_CONFIG_INITIALIZER;
    gossErrorReport_t report = empty_report();
    config.report = &report;
    MUST(gossAllReduceConfig(&x, &x, 1, gossFloat, gossSum, me.comm, nullptr, &config));
    require(std::string(report.codec) == "none" && report.bound == 0 && x == 2, report.codec);
    MUST(gossCommGetErrorReport(me.comm, &report));
    require(std::string(report.codec) == "none", report.codec);
  });
}

TEST(ErrorBudget, TakesTheFewestBitsThatKeepIt) {
  struct Budget {
    const char* wish;
    const char* codec;
  };
  for (const Budget& budget : {Budget{"error=0.2", "int4"}, Budget{"error=0.05", "int6"},
                               Budget{"error=0.01", "int8"}, Budget{"error=0.001", "none"}}) {
    run_ranks(4, [&](Rank& me) {
      std::vector<float> x(30'000);
      float largest = 0;
      for (size_t i = 0; i < x.size(); ++i) {
        x[i] = plain_number(me.rank, i);
        largest = std::max(largest, std::fabs(x[i]));
      }
      gossCollConfig_t config = with_codec(budget.wish);
      gossErrorReport_t report = empty_report();
      config.report = &report;
      MUST(gossAllReduceConfig(x.data(), x.data(), x.size(), gossFloat, gossSum, me.comm, nullptr,
                               &config));
      MUST(gossAllReduce(&largest, &largest, 1, gossFloat, gossSum, me.comm, nullptr));
      require(std::string(report.codec) == budget.codec, report.codec);
      require(report.bound <= std::atof(budget.wish + 6) * static_cast<double>(largest),
              std::string(budget.wish) + ": " + std::to_string(report.bound));
    });
  }
}

// ---- error feedback -----------------------------------------------------------------------------

class Feedback {
 public:
  Feedback(size_t count, gossFeedbackStorage_t storage) {
    MUST(gossFeedbackCreate(&feedback_, count, storage));
  }
  Feedback(const Feedback&) = delete;
  Feedback& operator=(const Feedback&) = delete;
  ~Feedback() { EXPECT_EQ(gossFeedbackDestroy(feedback_), gossSuccess); }
  gossFeedback_t get() const { return feedback_; }

 private:
  gossFeedback_t feedback_ = nullptr;
};

// The largest distance of the mean of many compressed sums of the same vectors from the exact sum,
// in units of the largest exact element.
double drift(Rank& me, const std::vector<const char*>& codecs, gossFeedback_t feedback, int steps,
             gossDataType_t type = gossFloat) {
  constexpr size_t kCount = 3 * 1024 * 4 + 5;
  std::vector<double> total(kCount);
  std::vector<std::byte> x(kCount * kSizes[type]);
  for (int step = 0; step < steps; ++step) {
    for (size_t i = 0; i < kCount; ++i) {
      store_number(x.data() + i * kSizes[type], type, plain_number(me.rank, i) + 0.01f);
    }
    gossCollConfig_t config = with_codec(codecs[static_cast<size_t>(step) % codecs.size()]);
    config.feedback = feedback;
    MUST(gossAllReduceConfig(x.data(), x.data(), kCount, type, gossAvg, me.comm, nullptr, &config));
    for (size_t i = 0; i < kCount; ++i) {
      total[i] += load_number(x.data() + i * kSizes[type], type) / steps;
    }
  }
  double worst = 0;
  double largest = 0;
  for (size_t i = 0; i < kCount; ++i) {
    double exact = 0;
    for (int r = 0; r < me.nranks; ++r) {
      std::byte bytes[8];
      store_number(bytes, type, plain_number(r, i) + 0.01f);
      exact += load_number(bytes, type) / me.nranks;
    }
    worst = std::max(worst, std::fabs(total[i] - exact));
    largest = std::max(largest, std::fabs(exact));
  }
  return worst / largest;
}

TEST(ErrorFeedback, KeepsTheMeanOverStepsAndBitChanges) {
  struct Way {
    std::vector<const char*> codecs;
    gossDataType_t type;
  };
  const std::vector<Way> ways{{{"int4+direct"}, gossFloat},
                              {{"int4+oneshot"}, gossFloat},
                              {{"int4+ring"}, gossFloat},
                              {{"int2+direct"}, gossFloat},
                              {{"int4+direct", "int3+direct", "int8+oneshot"}, gossFloat},
                              {{"int4+direct"}, gossFloat16}};
  constexpr size_t kCount = 3 * 1024 * 4 + 5;
  run_ranks(3, [&](Rank& me) {
    for (const Way& way : ways) {
      const Feedback feedback(kCount, gossFeedbackFloat32);
      const double without = drift(me, way.codecs, nullptr, 40, way.type);
      const double with = drift(me, way.codecs, feedback.get(), 40, way.type);
      require(with < without / 4, std::string(way.codecs[0]) + ": " + std::to_string(with) +
                                      " with feedback, without " + std::to_string(without));
    }
    const Feedback small(kCount, gossFeedbackInt8);
    const double without = drift(me, {"int4+direct"}, nullptr, 40);
    const double with = drift(me, {"int4+direct"}, small.get(), 40);
    require(with < without / 4, "int8 residuals: " + std::to_string(with));
  });
}

TEST(ErrorFeedback, GoesOnWithTheSameBitsAfterRestore) {
  constexpr size_t kCount = 5000;
  for (gossFeedbackStorage_t storage : {gossFeedbackFloat32, gossFeedbackInt8}) {
    run_ranks(2, [&](Rank& me) {
      const auto step = [&](gossFeedback_t feedback, int number) {
        std::vector<float> x(kCount);
        for (size_t i = 0; i < kCount; ++i) {
          x[i] = plain_number(me.rank, i + static_cast<size_t>(number) * kCount);
        }
        gossCollConfig_t config = with_codec("int3+direct");
        config.feedback = feedback;
        MUST(gossAllReduceConfig(x.data(), x.data(), kCount, gossFloat, gossSum, me.comm, nullptr,
                                 &config));
        return x;
      };
      const Feedback first(kCount, storage);
      for (int i = 0; i < 3; ++i) step(first.get(), i);
      size_t bytes = 0;
      MUST(gossFeedbackSize(first.get(), &bytes));
      std::vector<char> saved(bytes);
      MUST(gossFeedbackSave(first.get(), saved.data(), bytes));
      const std::vector<float> wanted = step(first.get(), 3);
      const Feedback second(kCount, storage);
      require(step(second.get(), 3) != wanted, "feedback makes no difference");
      MUST(gossFeedbackRestore(second.get(), saved.data(), bytes));
      require(step(second.get(), 3) == wanted, "other bits after restore");
      MUST(gossFeedbackReset(second.get()));
      const Feedback fresh(kCount, storage);
      require(step(second.get(), 3) == step(fresh.get(), 3), "reset is not like new");
      saved[0] ^= 1;
      MUST_BE(gossInvalidArgument, gossFeedbackRestore(second.get(), saved.data(), bytes));
      MUST_BE(gossInvalidArgument, gossFeedbackRestore(second.get(), saved.data(), bytes - 1));
    });
  }
}

TEST(ErrorFeedback, IsNotPoisonedByWhatIsNotFinite) {
  run_ranks(2, [](Rank& me) {
    const Feedback feedback(64, gossFeedbackFloat32);
    gossCollConfig_t config = with_codec("int4+direct");
    config.feedback = feedback.get();
    for (const bool spoiled : {true, false}) {
      std::vector<float> x(64, 1.0f);
      if (spoiled) x[3] = std::numeric_limits<float>::infinity();
      MUST(gossAllReduceConfig(x.data(), x.data(), x.size(), gossFloat, gossSum, me.comm, nullptr,
                               &config));
      require(std::isfinite(x[3]) != spoiled, std::to_string(x[3]));
    }
  });
}

// ---- refusals -----------------------------------------------------------------------------------

TEST(CompressedCalls, ThatDisagreeNameBothCodecs) {
  struct Pair {
    const char* first;
    const char* second;
  };
  // The last two have messages of the same length.
  for (const Pair& pair : {Pair{"int8", "int4"}, Pair{"int8", "none"}, Pair{"none", "int4"},
                           Pair{"int8+direct", "fp8_e4m3+direct"}}) {
    gossConfig_t config = default_config();
    config.timeoutMs = 20'000;
    run_ranks(
        2,
        [&](Rank& me) {
          std::vector<float> x(100'000, 1.0f);
          gossCollConfig_t options = with_codec(me.rank == 0 ? pair.first : pair.second);
          MUST_BE(gossInvalidUsage, gossAllReduceConfig(x.data(), x.data(), x.size(), gossFloat,
                                                        gossSum, me.comm, nullptr, &options));
          const std::string text = last_error();
          for (std::string codec : {pair.first, pair.second}) {
            codec = codec.substr(0, codec.find('+'));
            if (codec == "none") continue;
            require(text.find("compressed as " + codec) != std::string::npos, text);
          }
          require(text.find("rank 0") < text.find("rank 1"), text);
        },
        config);
  }
}

TEST(CompressedCalls, ARingThatWouldRuinTheResultIsRefusedWithTheReason) {
  run_ranks(5, [](Rank& me) {
    std::vector<float> x(1000, 1.0f);
    gossCollConfig_t config = with_codec("int4+ring");
    MUST_BE(gossInvalidArgument, gossAllReduceConfig(x.data(), x.data(), x.size(), gossFloat,
                                                     gossSum, me.comm, nullptr, &config));
    require(last_error().find("int4, which stands at most 4 ranks") != std::string::npos,
            last_error());
    const Feedback feedback(x.size(), gossFeedbackFloat32);
    config.feedback = feedback.get();
    MUST(gossAllReduceConfig(x.data(), x.data(), x.size(), gossFloat, gossSum, me.comm, nullptr,
                             &config));
  });
}

TEST(CompressedCalls, BadOptionsAreRefusedAndNothingIsDone) {
  Comms comms = make_comms(1);
  std::vector<float> x(100, 1.0f);
  const auto call = [&](gossCollConfig_t config) {
    return gossAllReduceConfig(x.data(), x.data(), x.size(), gossFloat, gossSum, comms[0], nullptr,
                               &config);
  };
  for (const char* codec : {"int9", "int8+fast", "int8/int4/int2", "error=", "error=-1", ""}) {
    EXPECT_EQ(call(with_codec(codec)), gossInvalidArgument) << codec;
  }
  gossCollConfig_t config = with_codec("int8");
  config.magic = 1;
  EXPECT_EQ(call(config), gossInvalidArgument);
  config = with_codec("int8");
  config.measure = 1;
  EXPECT_EQ(call(config), gossInvalidArgument) << "without report";
  gossErrorReport_t report{};
  config.report = &report;
  EXPECT_EQ(call(config), gossInvalidArgument) << "report without size";
  gossConfig_t bad = default_config();
  bad.codec = "all_reduce:int8@1Q-";
  gossUniqueId id;
  MUST(gossGetUniqueId(&id));
  gossComm_t comm = nullptr;
  EXPECT_EQ(gossCommInitRankConfig(&comm, 1, id, 0, &bad), gossInvalidArgument);
  EXPECT_NE(last_error().find("\"1Q\" is no size"), std::string::npos) << last_error();
}

TEST(CompressedCalls, FeedbackOfAnotherCountIsRefused) {
  run_ranks(2, [](Rank& me) {
    std::vector<float> x(100, 1.0f);
    const Feedback feedback(99, gossFeedbackFloat32);
    gossCollConfig_t config = with_codec("int8");
    config.feedback = feedback.get();
    MUST_BE(gossInvalidArgument, gossAllReduceConfig(x.data(), x.data(), x.size(), gossFloat,
                                                     gossSum, me.comm, nullptr, &config));
    const Feedback blocks(100, gossFeedbackInt8);
    config.feedback = blocks.get();
    MUST_BE(gossInvalidArgument, gossReduceScatterConfig(x.data(), x.data(), 50, gossFloat, gossSum,
                                                         me.comm, nullptr, &config));
  });
}

TEST(EncodedSize, IsThatOfTheWireFormat) {
  size_t bytes = 0;
  EXPECT_EQ(gossEncodedSize("int8", 1024, &bytes), gossSuccess);
  EXPECT_EQ(bytes, 1088u);
  EXPECT_EQ(gossEncodedSize("int4", 1, &bytes), gossSuccess);
  EXPECT_EQ(bytes, 18u);
  EXPECT_EQ(gossEncodedSize("int9", 1, &bytes), gossInvalidArgument);
}

}  // namespace
}  // namespace goss::test
