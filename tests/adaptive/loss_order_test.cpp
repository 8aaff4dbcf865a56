// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "adaptive/loss_order.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>

#include "adaptive/loss_code.h"

namespace goss::adaptive {
namespace {

std::vector<uint32_t> codes_of(const std::vector<float>& losses) {
  std::vector<uint32_t> codes;
  for (const float loss : losses) codes.push_back(encode_loss(loss));
  return codes;
}

const Philox kRandom(1, Purpose::kUnseen, 0, 0);

TEST(LossCode, SortsLikeTheLossAndComesBack) {
  const std::vector<float> rising = {
      -std::numeric_limits<float>::max(), -1.5f, -1e-40f, 0.0f, 1e-45f, 1e-30f, 0.1f, 3.0f,
      std::numeric_limits<float>::max()};
  for (size_t i = 0; i < rising.size(); ++i) {
    const uint32_t code = encode_loss(rising[i]);
    EXPECT_EQ(decode_loss(code), rising[i]);
    EXPECT_GT(code, kNoLoss);
    EXPECT_LT(code, kBrokenLoss);
    EXPECT_TRUE(known_or_none(code));
    if (i > 0) EXPECT_GT(code, encode_loss(rising[i - 1]));
  }
  EXPECT_EQ(encode_loss(-0.0f), encode_loss(0.0f));
}

TEST(LossCode, WhatIsNoFiniteNumberIsTheLargestOfAll) {
  const float infinity = std::numeric_limits<float>::infinity();
  for (const float loss : {infinity, -infinity, std::numeric_limits<float>::quiet_NaN()}) {
    EXPECT_EQ(encode_loss(loss), kBrokenLoss);
  }
  EXPECT_FALSE(known_or_none(kBrokenLoss));
  EXPECT_FALSE(known_or_none(0xFF800000u));  // the code that an infinity would have
  EXPECT_TRUE(known_or_none(kNoLoss));
}

TEST(LossOrder, IsByFallingLossThenByRisingIndex) {
  const auto codes = codes_of({1, 3, 2, 3, 0});
  EXPECT_EQ(hardest_first(codes, 0, kRandom), (std::vector<uint32_t>{1, 3, 2, 0, 4}));
}

TEST(LossOrder, TrimmedSamplesGoToTheEnd) {
  const auto codes = codes_of({1, 3, 2, 5, 0});
  EXPECT_EQ(hardest_first(codes, 2, kRandom), (std::vector<uint32_t>{2, 0, 4, 3, 1}));
}

TEST(LossOrder, SamplesNeverSeenComeFirstAndAreNotTrimmed) {
  auto codes = codes_of({1, 3, 2, 5, 0});
  codes[0] = codes[4] = kNoLoss;
  const auto order = hardest_first(codes, 1, kRandom);
  EXPECT_EQ(std::min(order[0], order[1]), 0u);
  EXPECT_EQ(std::max(order[0], order[1]), 4u);
  EXPECT_EQ(order[2], 1u);
  EXPECT_EQ(order[3], 2u);
  EXPECT_EQ(order[4], 3u);
  EXPECT_EQ(count_known(codes), 3u);
}

TEST(LossOrder, CutsCoverEverythingInOrder) {
  const double shares[] = {0.25, 0.25, 0.5};
  for (uint64_t total = 0; total < 200; ++total) {
    const auto ends = cut(total, shares);
    ASSERT_EQ(ends.size(), 3u);
    EXPECT_TRUE(std::is_sorted(ends.begin(), ends.end()));
    EXPECT_EQ(ends.back(), total);
    EXPECT_NEAR(static_cast<double>(ends[0]), 0.25 * static_cast<double>(total), 0.5);
  }
}

TEST(LossOrder, DescribesWhatIsKnown) {
  auto codes = codes_of({1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 99});
  codes[10] = kNoLoss;
  const auto all = shuffled(11, kRandom);
  const gossBucket_t bucket = describe(codes, all);
  EXPECT_EQ(bucket.losses, 10u);
  EXPECT_EQ(bucket.mean, 5.5);
  EXPECT_EQ(bucket.p10, 1);
  EXPECT_EQ(bucket.p50, 5);
  EXPECT_EQ(bucket.p90, 9);
  EXPECT_EQ(describe(codes, std::vector<uint32_t>{10}).losses, 0u);
}

}  // namespace
}  // namespace goss::adaptive
