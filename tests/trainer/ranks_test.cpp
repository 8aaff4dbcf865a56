// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Ranks whose deaths are survived, as real processes. A program of its own: the test forks, and
// must not have called the library before.
#include "ranks.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <random>

#include "support/free_port.h"
#include "support/processes.h"

namespace goss::train {
namespace {

using support::milliseconds;

constexpr int kRanks = 4;
constexpr int kOperations = 300;
constexpr size_t kItems = 41;
constexpr milliseconds kPatience{30'000 * support::sanitizer_factor()};

struct Board {
  std::atomic<int> done[kRanks] = {};  // operations
  double sums[kRanks][kOperations] = {};
  int wrong[kRanks] = {};  // items that were not counted once
  int living[kRanks] = {};
};

// Each operation sums 2^rank, so that its result says who took part, and its number. Every third
// one divides work.
void life(int rank, int port, Board& board) {
  ::setenv("GOSS_NRANKS", std::to_string(kRanks).c_str(), 1);
  ::setenv("GOSS_RANK", std::to_string(rank).c_str(), 1);
  ::setenv("GOSS_ADDR", "127.0.0.1", 1);
  ::setenv("GOSS_PORT", std::to_string(port).c_str(), 1);
  Ranks ranks(true);
  for (int i = 0; i < kOperations; ++i) {
    double values[2] = {static_cast<double>(1 << rank), static_cast<double>(i)};
    ranks.sum(std::span(values));
    board.sums[rank][i] = values[0] + 1000 * values[1];
    if (i % 3 == 0) {
      std::vector<float> items(kItems);
      ranks.gather(items, [&](std::span<float> share) {
        for (size_t k = static_cast<size_t>(ranks.rank()); k < kItems;
             k += static_cast<size_t>(ranks.count())) {
          share[k] = 1;
        }
      });
      board.wrong[rank] += static_cast<int>(
          kItems - static_cast<size_t>(std::count(items.begin(), items.end(), 1.f)));
    }
    board.done[rank] = i + 1;
  }
  board.living[rank] = ranks.count();
  ranks.finalize();
}

class Job {
 public:
  Job() {
    const int port = support::free_port();
    for (int rank = 0; rank < kRanks; ++rank) {
      processes_.push_back(
          std::make_unique<support::Process>([this, rank, port] { life(rank, port, *board_); }));
    }
  }
  bool reach(int operations) {
    return support::eventually(kPatience, [&] { return board_->done[0] >= operations; });
  }
  void kill(int rank) { processes_[static_cast<size_t>(rank)]->send(SIGKILL); }
  bool ended(int rank) { return processes_[static_cast<size_t>(rank)]->ended_within(kPatience); }
  int code(int rank) { return processes_[static_cast<size_t>(rank)]->code(); }
  Board& board() { return *board_; }

 private:
  support::Shared<Board> board_;
  std::vector<std::unique_ptr<support::Process>> processes_;
};

int ranks_in(int mask) {
  int ranks = 0;
  for (int r = 0; r < kRanks; ++r) ranks += mask >> r & 1;
  return ranks;
}

// Who took part in an operation, by its sum; -1 when the number of the operation does not fit.
int mask_of(double sum, int operation) {
  for (int mask = 0; mask < 1 << kRanks; ++mask) {
    if (sum == mask + 1000.0 * operation * ranks_in(mask)) return mask;
  }
  return -1;
}

void expect_one_history(Board& board, const std::vector<int>& survivors) {
  int alive = (1 << kRanks) - 1;
  int minimum = 0;
  for (const int rank : survivors) minimum |= 1 << rank;
  for (int i = 0; i < kOperations; ++i) {
    const int mask = mask_of(board.sums[survivors[0]][i], i);
    ASSERT_GE(mask, 0) << "operation " << i << ": " << board.sums[survivors[0]][i];
    EXPECT_EQ(mask & ~alive, 0) << "operation " << i << ": the dead take part again";
    EXPECT_EQ(mask & minimum, minimum) << "operation " << i << ": a survivor is missing";
    for (const int rank : survivors) {
      ASSERT_EQ(board.sums[rank][i], board.sums[survivors[0]][i])
          << "operation " << i << ", rank " << rank;
    }
    alive = mask;
  }
  for (const int rank : survivors) {
    EXPECT_EQ(board.wrong[rank], 0) << "rank " << rank;
    // Who died behind the last operation is not missed.
    EXPECT_GE(board.living[rank], static_cast<int>(survivors.size())) << "rank " << rank;
    EXPECT_LE(board.living[rank], ranks_in(alive)) << "rank " << rank;
  }
}

void run_with_deaths(int victims, unsigned seed) {
  std::mt19937 chance(seed);
  std::vector<int> order = {0, 1, 2, 3};
  std::shuffle(order.begin(), order.end(), chance);
  SCOPED_TRACE("seed " + std::to_string(seed));
  Job job;
  ASSERT_TRUE(job.reach(1 + static_cast<int>(chance() % 200)));
  for (int v = 0; v < victims; ++v) {
    job.kill(order[static_cast<size_t>(v)]);
    if (chance() % 2 == 0) support::sleep_for(milliseconds(chance() % 20));
  }
  const std::vector<int> survivors(order.begin() + victims, order.end());
  for (const int rank : survivors) {
    ASSERT_TRUE(job.ended(rank)) << "rank " << rank << " after " << job.board().done[rank];
    ASSERT_EQ(job.code(rank), 0) << "rank " << rank;
  }
  expect_one_history(job.board(), survivors);
}

TEST(SurvivingRanks, WithoutADeathAllTakePartInEverything) { run_with_deaths(0, 0); }

TEST(SurvivingRanks, OneDeathLeavesOneHistory) {
  std::random_device random;
  for (int i = 0; i < 4; ++i) run_with_deaths(1, random());
}

TEST(SurvivingRanks, TwoAndThreeDeathsLeaveOneHistory) {
  std::random_device random;
  for (int i = 0; i < 3; ++i) run_with_deaths(2, random());
  run_with_deaths(3, random());
}

}  // namespace
}  // namespace goss::train
