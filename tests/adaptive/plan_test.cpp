// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "adaptive/plan.h"

#include <gtest/gtest.h>

#include <numeric>
#include <set>

namespace goss::adaptive {
namespace {

PlanInput input_of(const std::vector<uint64_t>& sizes, std::vector<int> batches) {
  PlanInput input;
  input.seed = 1;
  uint32_t next = 0;
  for (const uint64_t size : sizes) {
    std::vector<uint32_t> samples(size);
    std::iota(samples.begin(), samples.end(), next);
    next += static_cast<uint32_t>(size);
    input.own.push_back(std::move(samples));
  }
  input.counts = {sizes};
  input.batch_per_source = std::move(batches);
  return input;
}

TEST(Plan, HasAsManyBatchesAsTheFormulaSaysAndEverySampleOnce) {
  for (const uint64_t a : {0u, 1u, 2u, 31u, 32u, 33u, 97u}) {
    for (const uint64_t b : {0u, 1u, 64u, 101u}) {
      for (const int batch : {1, 7, 32, 1000}) {
        const Plan plan(input_of({a, b}, {batch, batch * 2}));
        const auto size = static_cast<uint64_t>(batch);
        ASSERT_EQ(plan.steps(), (a + size - 1) / size + (b + 2 * size - 1) / (2 * size));
        std::set<uint32_t> seen;
        uint64_t before = 0;
        for (uint64_t step = 0; step < plan.steps(); ++step) {
          ASSERT_EQ(plan.before(step), before);
          ASSERT_EQ(plan.own(step).size(), plan.real(step));
          ASSERT_GE(plan.real(step), 1u);
          ASSERT_LE(plan.real(step), size * (plan.batch(step).bucket + 1));
          before += plan.real(step);
          for (const uint32_t sample : plan.own(step)) {
            ASSERT_TRUE(seen.insert(sample).second);
            ASSERT_EQ(sample >= a, plan.batch(step).bucket == 1);
          }
        }
        ASSERT_EQ(seen.size(), a + b);
        ASSERT_EQ(plan.total(), a + b);
      }
    }
  }
}

TEST(Plan, BatchesOfABucketDifferByOneSampleAtMost) {
  const Plan plan(input_of({101}, {10}));
  for (uint64_t step = 0; step < plan.steps(); ++step) {
    EXPECT_GE(plan.real(step), 9u);
    EXPECT_LE(plan.real(step), 10u);
  }
}

TEST(Plan, BucketsAreMixed) {
  const Plan plan(input_of({320, 320}, {32, 32}));
  int changes = 0;
  for (uint64_t step = 1; step < plan.steps(); ++step) {
    changes += plan.batch(step).bucket != plan.batch(step - 1).bucket;
  }
  EXPECT_GE(changes, 4);  // in order there would be 1; the mean of a shuffle is 10
}

TEST(Plan, TheSourceWithMostSamplesSetsTheSteps) {
  PlanInput input = input_of({10}, {4});
  input.counts = {{10}, {3}, {0}};
  const Plan plan(std::move(input));
  EXPECT_EQ(plan.steps(), 3u);
  EXPECT_EQ(plan.total(), 13u);
  for (uint64_t step = 0; step < plan.steps(); ++step) {
    EXPECT_EQ(plan.most_per_source(step), 4u);
    EXPECT_GE(plan.real(step), 4u);
  }
}

TEST(Plan, TheHashSeesEverythingThatMatters) {
  const auto hash = [](auto change) {
    PlanInput input = input_of({10, 20}, {4, 8});
    change(input);
    return Plan(std::move(input)).hash(0, 0);
  };
  const uint64_t base = hash([](PlanInput&) {});
  EXPECT_EQ(base, hash([](PlanInput&) {}));
  EXPECT_NE(base, hash([](PlanInput& input) { input.seed = 2; }));
  EXPECT_NE(base, hash([](PlanInput& input) { input.epoch = 1; }));
  EXPECT_NE(base, hash([](PlanInput& input) { input.batch_per_source = {5, 8}; }));
  EXPECT_NE(base, hash([](PlanInput& input) { std::swap(input.own[0][0], input.own[1][0]); }));
}

}  // namespace
}  // namespace goss::adaptive
