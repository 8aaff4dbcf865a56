// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "bounds.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "softmax_model.h"
#include "temporary_folder.h"

namespace goss::train {
namespace {

TEST(ComputeBound, IsTheSmallestShareWithHalfOfTheBestThroughput) {
  // A millisecond per call and a tenth per sample: best at 64 with 8,649 per s; 8 samples 4,444.
  std::vector<Trial> trials;
  for (uint64_t n = 1; n <= 64; n *= 2) {
    trials.push_back({n, 1e-3 + 1e-4 * static_cast<double>(n), 0});
  }
  EXPECT_EQ(compute_bound(trials), 8u);
  for (Trial& trial : trials) trial.seconds = 1e-4 * static_cast<double>(trial.samples);
  EXPECT_EQ(compute_bound(trials), 1u);
}

TEST(MemoryBound, IsWhereTheLineThroughThePeaksMeetsTheLimit) {
  const std::vector<Trial> trials = {{1, 0, 1010}, {2, 0, 1500}, {64, 0, 1640}};
  EXPECT_EQ(memory_bound(trials, 2000), 100u);  // 1000 and 10 per sample
  EXPECT_EQ(memory_bound(trials, 1200), 20u);
  EXPECT_EQ(memory_bound(trials, 500), 1u);
  const std::vector<Trial> flat = {{1, 0, 1000}, {64, 0, 1000}};
  EXPECT_EQ(memory_bound(flat, 2000), 0u);
}

class Machine : public ::testing::Test {
 protected:
  Machine() { write("proc/meminfo", "MemTotal: 2000 kB\nMemAvailable:   1000 kB\n"); }
  void write(const std::string& name, const std::string& text) {
    std::filesystem::create_directories(std::filesystem::path(folder_ / name).parent_path());
    folder_.write(name, text);
  }
  double available() { return available_bytes(folder_.path()); }

  TemporaryFolder folder_;
};

TEST_F(Machine, WithoutGroupsTheKernelSaysWhatIsAvailable) { EXPECT_EQ(available(), 1024000); }

TEST_F(Machine, TheTightestGroupOnThePathCounts) {
  write("proc/self/cgroup", "0::/a/b\n");
  write("sys/fs/cgroup/a/b/memory.max", "max\n");
  write("sys/fs/cgroup/a/b/memory.current", "7\n");
  EXPECT_EQ(available(), 1024000);
  write("sys/fs/cgroup/a/memory.max", "5000\n");
  write("sys/fs/cgroup/a/memory.current", "3000\n");
  EXPECT_EQ(available(), 2000);
  write("sys/fs/cgroup/a/memory.stat", "anon 2500\ninactive_file 400\n");
  EXPECT_EQ(available(), 2400);
}

TEST_F(Machine, ACGroupOfVersion1IsReadToo) {
  write("proc/self/cgroup", "5:cpu:/x\n4:memory:/job\n");
  write("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
  write("sys/fs/cgroup/memory/memory.usage_in_bytes", "100\n");
  EXPECT_EQ(available(), 1024000);
  write("sys/fs/cgroup/memory/job/memory.limit_in_bytes", "900\n");
  write("sys/fs/cgroup/memory/job/memory.usage_in_bytes", "1000\n");
  EXPECT_EQ(available(), 0);
}

TEST(Measuring, SharesAreDoubledUpToTheDataAndTheModelStaysAsItWas) {
  Dataset data;
  data.shape = {1, 16, 16};
  data.classes = 10;
  data.pixels.resize(100 * data.shape.size(), 7);
  data.labels.resize(100);
  SoftmaxModel model(data.shape.size(), 10);
  Ranks ranks;
  const std::vector<float> before(model.weights().begin(), model.weights().end());
  const Bounds bounds = measure_bounds(model, data, ranks);
  ASSERT_EQ(bounds.trials.size(), 7u);
  EXPECT_EQ(bounds.trials.back().samples, 64u);
  for (const Trial& trial : bounds.trials) {
    EXPECT_GT(trial.seconds, 0);
    EXPECT_GT(trial.peak_bytes, 0);
  }
  EXPECT_GE(bounds.compute, 1u);
  EXPECT_LE(bounds.compute, 64u);
  EXPECT_EQ(before, std::vector<float>(model.weights().begin(), model.weights().end()));
  EXPECT_EQ(nlohmann::json(bounds).get<Bounds>(), bounds);
}

}  // namespace
}  // namespace goss::train
