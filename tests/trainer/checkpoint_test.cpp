// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "checkpoint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "temporary_folder.h"

namespace goss::train {
namespace {

using ::testing::HasSubstr;

Snapshot example(int number) {
  Snapshot snapshot;
  snapshot.values = {{"number", number}, {"text", "x"}};
  const std::vector<float> floats = {1, 2, 3};
  snapshot.put<float>("floats", floats);
  snapshot.bytes["empty"] = {};
  return snapshot;
}

std::string read(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

TEST(Snapshot, ComesBackAsItWas) {
  TemporaryFolder folder;
  write_snapshot(example(5), folder / "a");
  const Snapshot back = read_snapshot(folder / "a");
  EXPECT_EQ(back.values, example(5).values);
  EXPECT_EQ(back.bytes, example(5).bytes);
  std::vector<float> floats(3);
  back.get<float>("floats", floats);
  EXPECT_EQ(floats[2], 3);
  std::vector<float> four(4);
  EXPECT_THAT(failure_of([&] { back.get<float>("floats", four); }), HasSubstr("12 bytes, not 16"));
}

TEST(Snapshot, EveryTruncationAndEveryFlippedByteIsRefused) {
  TemporaryFolder folder;
  write_snapshot(example(5), folder / "a");
  const std::string whole = read(folder / "a");
  for (size_t i = 0; i < whole.size(); ++i) {
    const std::string cut = folder.write("b", whole.substr(0, i));
    EXPECT_NE(failure_of([&] { read_snapshot(cut); }), "") << i;
    std::string flipped = whole;
    flipped[i] = static_cast<char>(flipped[i] ^ 1);
    folder.write("b", flipped);
    EXPECT_NE(failure_of([&] { read_snapshot(folder / "b"); }), "") << i;
  }
}

// One rank: without a launcher's environment.
class CheckpointFolder : public ::testing::Test {
 protected:
  void save(int step) {
    checkpoints_.save(static_cast<uint64_t>(step), [&] { return example(step); });
  }
  int loaded() { return Checkpoints(folder_.path(), ranks_).load()->values.at("number"); }

  TemporaryFolder folder_;
  Ranks ranks_;
  Checkpoints checkpoints_{folder_.path(), ranks_};
};

TEST_F(CheckpointFolder, TheNewestIsLoadedAndTwoAreKept) {
  EXPECT_FALSE(checkpoints_.load().has_value());
  for (const int step : {5, 10, 20}) save(step);
  EXPECT_EQ(loaded(), 20);
  EXPECT_FALSE(std::filesystem::exists(folder_ / "step-000000000005"));
  EXPECT_TRUE(std::filesystem::exists(folder_ / "step-000000000010"));
}

TEST_F(CheckpointFolder, WhatWasBegunAndNotCompletedIsIgnored) {
  save(10);
  std::filesystem::create_directories(folder_ / "step-000000000020");
  write_snapshot(example(20), folder_ / "step-000000000020/rank-0");  // no manifest
  EXPECT_EQ(loaded(), 10);
}

TEST_F(CheckpointFolder, ADamagedOneFallsBackToTheOneBefore) {
  save(10);
  save(20);
  folder_.write("step-000000000020/rank-0", "damaged");
  EXPECT_EQ(loaded(), 10);
  folder_.write("step-000000000010/rank-0", "damaged too");
  EXPECT_THAT(failure_of([&] { loaded(); }), HasSubstr("step-000000000010/rank-0: is truncated"));
}

TEST_F(CheckpointFolder, AnotherNumberOfRanksIsRefused) {
  save(10);
  folder_.write("step-000000000010/manifest.json", R"({"step":10,"ranks":4})");
  EXPECT_THAT(failure_of([&] { loaded(); }), HasSubstr("is of 4 ranks, this run has 1"));
}

}  // namespace
}  // namespace goss::train
