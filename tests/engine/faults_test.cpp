// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Faults: whoever is first, all report one and the same failure.
#include "engine/faults.h"

#include <gtest/gtest.h>

#include <deque>
#include <string>
#include <thread>
#include <vector>

namespace goss::engine {
namespace {

constexpr int kRanks = 4;

shm::SegmentPtr make_segment() {
  auto segment = shm::Segment::create(kRanks, shm::Segment::Nonce(16, 'f'));
  EXPECT_TRUE(segment.ok()) << segment.status().message();
  return segment.ok() ? segment.take() : nullptr;
}

Status failure_of(int rank) { return fail(gossRemoteError, "noticed by rank %d", rank); }

TEST(Faults, AllReportTheFirstOfFailuresThatAreNoticedAtTheSameTime) {
  for (int round = 0; round < 500; ++round) {
    const shm::SegmentPtr segment = make_segment();
    ASSERT_NE(segment, nullptr);
    std::deque<Faults> faults;
    for (int r = 0; r < kRanks; ++r) faults.emplace_back(segment.get(), r);
    std::vector<std::string> seen(kRanks);
    std::vector<std::thread> ranks;
    for (int r = 0; r < kRanks; ++r) {
      ranks.emplace_back([&, r] {
        Faults& mine = faults[static_cast<size_t>(r)];
        mine.raise(failure_of(r));
        EXPECT_TRUE(mine.any());
        seen[static_cast<size_t>(r)] = mine.status().message();
      });
    }
    for (std::thread& rank : ranks) rank.join();
    for (const std::string& text : seen) ASSERT_EQ(text, seen[0]) << "round " << round;
  }
}

TEST(Faults, AFailureThatIsNoticedLaterReplacesNothing) {
  const shm::SegmentPtr segment = make_segment();
  ASSERT_NE(segment, nullptr);
  Faults first(segment.get(), 2);
  Faults second(segment.get(), 1);
  first.raise(failure_of(2));
  first.raise(failure_of(3));
  second.raise(failure_of(1));
  EXPECT_EQ(first.status().message(), "noticed by rank 2");
  EXPECT_EQ(second.status().message(), "noticed by rank 2");
}

TEST(Faults, AnAbortedRankKeepsItsOwnReasonAndTellsTheOthersAnother) {
  const shm::SegmentPtr segment = make_segment();
  ASSERT_NE(segment, nullptr);
  Faults aborted(segment.get(), 0);
  Faults other(segment.get(), 1);
  aborted.fail_here(fail(gossInternalError, "aborted here"));
  EXPECT_FALSE(other.any());
  aborted.raise(failure_of(0));
  EXPECT_EQ(aborted.status().message(), "aborted here");
  EXPECT_EQ(other.status().message(), "noticed by rank 0");
  EXPECT_EQ(other.status().code(), gossRemoteError);
}

TEST(Faults, ATextThatIsTooLongIsCutAndNotLost) {
  const shm::SegmentPtr segment = make_segment();
  ASSERT_NE(segment, nullptr);
  Faults writer(segment.get(), 3);
  Faults reader(segment.get(), 0);
  const std::string text(5000, 'x');
  writer.raise(Status(gossSystemError, text));
  const std::string read = reader.status().message();
  EXPECT_GT(read.size(), 900u);
  EXPECT_EQ(read, text.substr(0, read.size()));
}

}  // namespace
}  // namespace goss::engine
