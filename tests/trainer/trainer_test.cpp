// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// The loop on one rank with a network that needs no libtorch. Several ranks: goss_train_test.py.
#include "trainer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <nlohmann/json.hpp>
#include <thread>

#include "softmax_model.h"
#include "temporary_folder.h"

namespace goss::train {
namespace {

using ::testing::HasSubstr;

class TrainerTest : public ::testing::Test {
 protected:
  TrainerTest() {
    options_.data.train = 600;
    options_.data.validation = 100;
    options_.data.test = 100;
    options_.epochs = 4;
    options_.schedule.rate = 0.02;
    options_.batches.warmupEpochs = 1;
    options_.batches.epochs = 4;
    options_.watch_precision = true;
    options_.precision.warmupEpochs = 1;
    options_.quiet = true;
    options_.log = folder_ / "log";
  }

  std::unique_ptr<Model> model() { return std::make_unique<SoftmaxModel>(784, 10); }

  bool run(const std::atomic<bool>& stop = false) {
    const Splits data = load_data(options_.data);
    return Trainer(options_, ranks_, data, model()).run(stop);
  }

  // Lines of the log, without what depends on the clock.
  std::vector<nlohmann::json> log() {
    std::vector<nlohmann::json> lines;
    std::ifstream in(options_.log);
    for (std::string line; std::getline(in, line);) {
      lines.push_back(nlohmann::json::parse(line));
      for (const char* name : {"step_s", "exposed_s", "evaluate_s"}) lines.back().erase(name);
    }
    return lines;
  }

  TemporaryFolder folder_;
  Options options_;
  Ranks ranks_;
};

TEST_F(TrainerTest, UpdatesAndBytesEqualTheFormula) {
  ASSERT_TRUE(run());
  const auto lines = log();
  ASSERT_EQ(lines.size(), 6u);
  const uint64_t parameters = lines[0].at("parameters");
  // 25 % in batches of 32, 25 % of 64, 50 % of 256, after an epoch of 32.
  const uint64_t updates[4] = {19, 5 + 3 + 2, 5 + 3 + 2, 5 + 3 + 2};
  uint64_t all = 0;
  for (int e = 0; e < 4; ++e) {
    const auto& line = lines[static_cast<size_t>(e) + 1];
    EXPECT_EQ(line.at("updates"), updates[e]);
    EXPECT_EQ(line.at("messages"), updates[e]);
    EXPECT_EQ(line.at("payload_bytes"), updates[e] * parameters * sizeof(float));
    all += updates[e];
  }
  EXPECT_EQ(lines.back().at("updates"), all);
  EXPECT_EQ(lines.back().at("payload_bytes"), all * parameters * sizeof(float));
  EXPECT_LT(lines[4].at("validation_loss"), 1.2);  // untrained: log(10) = 2.3
  EXPECT_GT(lines[4].at("difficulty_correlation"), 0.3);
}

TEST_F(TrainerTest, PrecisionLinesOfTheLogFollowFromOneAnother) {
  ASSERT_TRUE(run());
  std::string log_text;
  for (const auto& line : log()) log_text += line.value("precision", "");
  uint64_t decisions = 0;
  EXPECT_EQ(gossPrecisionReplay(log_text.data(), log_text.size(), &decisions), gossSuccess)
      << gossGetLastError(nullptr);
  EXPECT_EQ(decisions, 4u);
}

// Stopped at once, resumed, again and again: as if nothing had happened.
TEST_F(TrainerTest, AResumedRunIsTheUninterruptedRun) {
  ASSERT_TRUE(run());
  const auto whole = log();
  options_.log = folder_ / "log2";
  options_.checkpoint = folder_ / "checkpoints";
  options_.checkpoint_every = 7;
  options_.resume = true;
  // A model that ends its run in the middle of an epoch, after a checkpoint or between two.
  class Dies : public SoftmaxModel {
   public:
    explicit Dies(int passes) : SoftmaxModel(784, 10), passes_(passes) {}
    void backward(const Dataset& data, std::span<const uint32_t> samples,
                  std::span<const float> weights, std::span<float> losses,
                  const Ready& ready) override {
      if (passes_-- == 0) throw Failure("died");
      SoftmaxModel::backward(data, samples, weights, losses, ready);
    }

   private:
    int passes_;
  };
  const Splits data = load_data(options_.data);
  const std::atomic<bool> never = false;
  for (const int passes : {8, 1, 9, 12}) {
    EXPECT_EQ(failure_of([&] {
                Trainer(options_, ranks_, data, std::make_unique<Dies>(passes)).run(never);
              }),
              "died");
  }
  ASSERT_TRUE(run());
  EXPECT_EQ(log(), whole);
}

TEST_F(TrainerTest, AStopLeavesACheckpointFromWhichTheRunGoesOn) {
  ASSERT_TRUE(run());
  const auto whole = log();
  options_.log = folder_ / "log2";
  options_.checkpoint = folder_ / "checkpoints";
  options_.resume = true;
  EXPECT_FALSE(run(true));  // before the first update, which is a place to go on from, too
  EXPECT_TRUE(std::filesystem::exists(folder_ / "checkpoints/step-000000000000/manifest.json"));

  std::atomic<bool> stop = false;
  class Stops : public SoftmaxModel {
   public:
    explicit Stops(std::atomic<bool>& stop_flag) : SoftmaxModel(784, 10), stop_(stop_flag) {}
    void backward(const Dataset& data, std::span<const uint32_t> samples,
                  std::span<const float> weights, std::span<float> losses,
                  const Ready& ready) override {
      if (++passes_ == 5) stop_ = true;
      SoftmaxModel::backward(data, samples, weights, losses, ready);
    }

   private:
    std::atomic<bool>& stop_;
    int passes_ = 0;
  };
  const Splits data = load_data(options_.data);
  EXPECT_FALSE(Trainer(options_, ranks_, data, std::make_unique<Stops>(stop)).run(stop));
  EXPECT_TRUE(std::filesystem::exists(folder_ / "checkpoints/step-000000000016"));
  ASSERT_TRUE(run());
  EXPECT_EQ(log(), whole);
}

TEST_F(TrainerTest, BoundsAreMeasuredOnceAndHoldForTheWholeRun) {
  options_.bounds = Options::Bounds::kApply;
  options_.checkpoint = folder_ / "checkpoints";
  options_.checkpoint_every = 7;
  options_.resume = true;
  // Every call costs so much that small shares do not pay.
  class Slow : public SoftmaxModel {
   public:
    Slow(int& passes, int limit) : SoftmaxModel(784, 10), passes_(passes), limit_(limit) {}
    void backward(const Dataset& data, std::span<const uint32_t> samples,
                  std::span<const float> weights, std::span<float> losses,
                  const Ready& ready) override {
      if (passes_++ == limit_) throw Failure("died");
      std::this_thread::sleep_for(std::chrono::milliseconds(3));
      SoftmaxModel::backward(data, samples, weights, losses, ready);
    }

   private:
    int& passes_;
    int limit_;
  };
  const Splits data = load_data(options_.data);
  const std::atomic<bool> never = false;
  const int trials = 9 * 3;  // 1, 2, ... 256 samples
  int passes = 0;
  EXPECT_EQ(
      failure_of([&] {
        Trainer(options_, ranks_, data, std::make_unique<Slow>(passes, trials + 8)).run(never);
      }),
      "died");
  passes = 0;
  ASSERT_TRUE(Trainer(options_, ranks_, data, std::make_unique<Slow>(passes, 1 << 30)).run(never));
  const auto lines = log();
  EXPECT_EQ(passes, lines.back().at("updates").get<int>() - 7);  // no trial among them
  const int compute = lines[0].at("bounds").at("compute");
  EXPECT_EQ(lines[0].at("bounds").at("trials").size(), 9u);
  EXPECT_EQ(lines[1].at("buckets")[0].at("batch"), std::max(32, compute));
  for (const auto& bucket : lines[3].at("buckets")) EXPECT_GE(bucket.at("batch"), compute);
}

TEST_F(TrainerTest, ACheckpointOfOtherOptionsIsRefusedNamingThem) {
  options_.checkpoint = folder_ / "checkpoints";
  options_.resume = true;
  ASSERT_TRUE(run());
  options_.schedule.rate = 0.03;
  EXPECT_THAT(failure_of([&] { run(); }), HasSubstr("with lr 0.02, this run has 0.03"));
}

TEST_F(TrainerTest, AdaScaleNeedsTwoRanks) {
  options_.ada_scale = true;
  EXPECT_THAT(failure_of([&] { run(); }), HasSubstr("start two or more"));
}

}  // namespace
}  // namespace goss::train
