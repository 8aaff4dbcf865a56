// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "adaptive/histogram.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "adaptive/loss_code.h"
#include "adaptive/loss_order.h"

namespace goss::adaptive {
namespace {

uint64_t total_of(const Histogram& counts) {
  return std::accumulate(counts.begin(), counts.end(), uint64_t{0});
}

TEST(Histogram, ClassesRiseWithTheLossAndStandForIt) {
  int previous = -1;
  for (double loss = 0x1p-22; loss < 0x1p14; loss *= 1.01) {
    const int c = loss_class(encode_loss(static_cast<float>(loss)));
    EXPECT_GE(c, previous);
    EXPECT_LT(c, kUnseenClass);
    previous = c;
    if (loss > 0x1p-20 && loss < 0x1p12) {
      EXPECT_NEAR(class_value(c), loss, loss / 16 * 1.0001) << loss;
    }
  }
  EXPECT_EQ(previous, kUnseenClass - 1);
  EXPECT_EQ(loss_class(encode_loss(-5.0f)), 0);
  EXPECT_EQ(loss_class(encode_loss(0.0f)), 0);
  EXPECT_EQ(loss_class(kNoLoss), kUnseenClass);
}

// What every rank takes of every bucket adds up to the bucket, whatever the ranks have.
TEST(SharedOrder, PartsOfRanksAddUpToTheWholeWithinRounding) {
  for (const int nranks : {1, 2, 3, 7, 16}) {
    std::vector<Histogram> own(static_cast<size_t>(nranks));
    Histogram all{};
    for (int r = 0; r < nranks; ++r) {
      std::vector<uint32_t> codes;
      for (int i = 0; i < 50 + 37 * r; ++i) {
        codes.push_back(i % 11 == 0 ? kNoLoss : encode_loss(static_cast<float>(i % 13)));
      }
      own[static_cast<size_t>(r)] = count_classes(codes);
      for (size_t c = 0; c < kClasses; ++c) all[c] += own[static_cast<size_t>(r)][c];
    }
    for (const uint64_t trimmed : {0u, 5u, 40u}) {
      for (const Walk walk : {Walk::kHardestFirst, Walk::kEasiestFirst}) {
        for (uint64_t at = 0; at <= total_of(all); at += 7) {
          uint64_t sum = 0;
          for (const Histogram& rank : own) {
            sum += SharedOrder(all, rank, trimmed, walk).own_before(at);
          }
          EXPECT_NEAR(static_cast<double>(sum), static_cast<double>(at), nranks)
              << "nranks=" << nranks << " at=" << at;
        }
        for (const Histogram& rank : own) {
          const SharedOrder order(all, rank, trimmed, walk);
          EXPECT_EQ(order.own_before(0), 0u);
          EXPECT_EQ(order.own_before(total_of(all)), total_of(rank));
        }
      }
    }
  }
}

TEST(SharedOrder, EqualLossesAreDividedInProportion) {
  const std::vector<uint32_t> codes(1000, encode_loss(1.0f));
  const Histogram own = count_classes(codes);
  const SharedOrder order(own, own, 0, Walk::kHardestFirst);
  EXPECT_EQ(order.own_before(250), 250u);
}

TEST(SharedOrder, DescribesLikeTheExactWayUpToItsClasses) {
  std::vector<uint32_t> codes;
  for (int i = 1; i <= 1000; ++i) codes.push_back(encode_loss(0.003f * static_cast<float>(i)));
  codes.push_back(kNoLoss);
  const Histogram own = count_classes(codes);
  constexpr uint64_t kTrimmed = 50;
  const SharedOrder order(own, own, kTrimmed, Walk::kHardestFirst);
  EXPECT_EQ(order.own_trimmed(), kTrimmed);
  const auto exact = hardest_first(codes, kTrimmed, Philox(1, Purpose::kUnseen, 0, 0));
  const std::vector<uint32_t> hard(exact.begin(), exact.begin() + 250);
  const gossBucket_t expected = describe(codes, hard);
  const gossBucket_t found = order.describe(0, 250);
  EXPECT_EQ(found.losses, expected.losses);
  EXPECT_NEAR(found.mean, expected.mean, expected.mean / 16);
  EXPECT_NEAR(found.p10, expected.p10, expected.p10 / 16);
  EXPECT_NEAR(found.p50, expected.p50, expected.p50 / 16);
  EXPECT_NEAR(found.p90, expected.p90, expected.p90 / 16);
  // The trimmed ones lie at the end and are described by nobody.
  EXPECT_EQ(order.describe(1001 - kTrimmed, 1001).losses, 0u);
}

}  // namespace
}  // namespace goss::adaptive
