// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Which algorithm carries what between hosts. That they are right: tests/collectives, tests/hosts.
#include "engine/message_program.h"

#include <gtest/gtest.h>

namespace goss::engine {
namespace {

using collectives::Kind;
using collectives::MessageAlgorithm;

constexpr size_t kKiB = 1024;

MessageAlgorithm chosen(const MessageCall& call) {
  return choose_messages(call, Forced::kAuto).algorithm;
}

TEST(MessageChoice, OfAnAllReduceDependsOnRanksAndBytes) {
  const auto all_reduce = [](int n, size_t bytes) {
    return chosen({.kind = Kind::kAllReduce, .nranks = n, .bytes = bytes});
  };
  for (int n : {2, 3, 4, 16}) {
    EXPECT_EQ(all_reduce(n, 8 * kKiB), MessageAlgorithm::kAllReduceOneShot) << n;
    EXPECT_EQ(all_reduce(n, 8 * kKiB + 1), MessageAlgorithm::kAllReduceTwoShot) << n;
    // Up to here calls may be aggregated, whose sums are in the order of the ranks.
    EXPECT_EQ(all_reduce(n, 256 * kKiB), MessageAlgorithm::kAllReduceTwoShot) << n;
  }
  EXPECT_EQ(all_reduce(2, 1024 * kKiB), MessageAlgorithm::kAllReduceTwoShot);
  EXPECT_EQ(all_reduce(3, 256 * kKiB + 1), MessageAlgorithm::kAllReduceRing);
  EXPECT_EQ(all_reduce(4, 256 * kKiB + 1), MessageAlgorithm::kAllReduceRing);
  EXPECT_EQ(all_reduce(16, 1024 * kKiB), MessageAlgorithm::kAllReduceTwoShot);
  EXPECT_EQ(all_reduce(16, 1024 * kKiB + 1), MessageAlgorithm::kAllReduceRing);
  EXPECT_EQ(all_reduce(17, 256 * kKiB), MessageAlgorithm::kAllReduceDoubling);
  EXPECT_EQ(all_reduce(17, 17 * 64 * kKiB), MessageAlgorithm::kAllReduceHalving);
  EXPECT_EQ(all_reduce(17, 17 * 64 * kKiB + 1), MessageAlgorithm::kAllReduceRing);
}

TEST(MessageChoice, OfBlocksCountsThemAll) {
  for (Kind kind : {Kind::kAllGather, Kind::kReduceScatter}) {
    const bool gathers = kind == Kind::kAllGather;
    const auto flat =
        gathers ? MessageAlgorithm::kAllGatherFlat : MessageAlgorithm::kReduceScatterFlat;
    const auto ring =
        gathers ? MessageAlgorithm::kAllGatherRing : MessageAlgorithm::kReduceScatterRing;
    EXPECT_EQ(chosen({.kind = kind, .nranks = 4, .bytes = 64 * kKiB}), flat);
    EXPECT_EQ(chosen({.kind = kind, .nranks = 4, .bytes = 64 * kKiB + 1}), ring);
    EXPECT_EQ(chosen({.kind = kind, .nranks = 2, .bytes = 1024 * kKiB}), flat);
    // The largest of counts that differ says little about the others.
    EXPECT_EQ(chosen({.kind = kind, .nranks = 4, .bytes = 1024 * kKiB, .varied = true}), flat);
  }
}

TEST(MessageChoice, RoundsSumsOfNarrowFloatsOnce) {
  for (Kind kind : {Kind::kAllReduce, Kind::kReduceScatter}) {
    const MessageCall call{.kind = kind, .nranks = 8, .bytes = 8192 * kKiB, .narrow = true};
    EXPECT_EQ(chosen(call), kind == Kind::kAllReduce ? MessageAlgorithm::kAllReduceTwoShot
                                                     : MessageAlgorithm::kReduceScatterFlat);
  }
}

}  // namespace
}  // namespace goss::engine
