// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Eight ranks driven by one thread, in groups.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>

#include "support/ranks.h"
#include "support/reference.h"

namespace goss::test {
namespace {

constexpr int kRanks = 8;

class Group : public testing::Test {
 protected:
  Group() : comms_(make_comms(kRanks)) {}

  template <class T>
  std::vector<std::vector<T>> make(size_t count, T (*value)(int rank, size_t i)) {
    std::vector<std::vector<T>> all(kRanks, std::vector<T>(count));
    for (int r = 0; r < kRanks; ++r) {
      for (size_t i = 0; i < count; ++i) all[static_cast<size_t>(r)][i] = value(r, i);
    }
    return all;
  }

  Comms comms_;
};

template <class T>
void expect_all(const std::vector<std::vector<T>>& all, const std::function<T(size_t)>& expected) {
  for (size_t r = 0; r < all.size(); ++r) {
    for (size_t i = 0; i < all[r].size(); ++i) {
      ASSERT_EQ(all[r][i], expected(i)) << "rank " << r << ", element " << i;
    }
  }
}

float float_of(int rank, size_t i) { return static_cast<float>(rank) + static_cast<float>(i % 50); }
int64_t int_of(int rank, size_t i) { return rank * 10 + static_cast<int64_t>(i); }
double double_of(int rank, size_t) { return rank; }

TEST_F(Group, RunsMixedOperationsOfAllRanks) {
  for (size_t count : {1, 100, 30'000}) {
    auto floats = make<float>(count, float_of);
    auto ints = make<int64_t>(count, int_of);
    auto doubles = make<double>(count, double_of);
    MUST(gossGroupStart());
    for (int r = 0; r < kRanks; ++r) {
      const auto k = static_cast<size_t>(r);
      MUST(gossAllReduce(floats[k].data(), floats[k].data(), count, gossFloat, gossSum, comms_[r],
                         nullptr));
      MUST(gossBarrier(comms_[r], nullptr));
      MUST(gossAllReduce(ints[k].data(), ints[k].data(), count, gossInt64, gossMax, comms_[r],
                         nullptr));
      MUST(gossBcast(doubles[k].data(), count, gossDouble, 5, comms_[r], nullptr));
    }
    MUST(gossGroupEnd());
    expect_all<float>(floats, [](size_t i) { return 28.0f + 8 * static_cast<float>(i % 50); });
    expect_all<int64_t>(ints, [](size_t i) { return 70 + static_cast<int64_t>(i); });
    expect_all<double>(doubles, [](size_t) { return 5.0; });
  }
}

TEST_F(Group, MixesSynchronousCallsAndStreams) {
  gossStream_t streams[kRanks];
  for (gossStream_t& stream : streams) MUST(gossStreamCreate(&stream));
  auto x = make<int64_t>(5000, int_of);
  int64_t factor = 1;
  for (int round = 0; round < 3; ++round) {
    MUST(gossGroupStart());
    for (int r = 0; r < kRanks; ++r) {
      auto& mine = x[static_cast<size_t>(r)];
      // Each needs the one before it: the largest, times 8 on a stream, and the least of equals.
      MUST(gossAllReduce(mine.data(), mine.data(), 5000, gossInt64, gossMax, comms_[r], nullptr));
      MUST(
          gossAllReduce(mine.data(), mine.data(), 5000, gossInt64, gossSum, comms_[r], streams[r]));
      MUST(gossAllReduce(mine.data(), mine.data(), 5000, gossInt64, gossMin, comms_[r], nullptr));
    }
    MUST(gossGroupEnd());
    // The last one is synchronous and comes after the others.
    factor *= 8;
    expect_all<int64_t>(x, [&](size_t i) { return (70 + static_cast<int64_t>(i)) * factor; });
    for (gossStream_t stream : streams) MUST(gossStreamSynchronize(stream));
  }
  for (gossStream_t stream : streams) MUST(gossStreamDestroy(stream));
}

TEST_F(Group, NestsAndRunsAtTheOutermostEnd) {
  auto x = make<float>(10, float_of);
  MUST(gossGroupStart());
  for (int r = 0; r < kRanks; ++r) {
    auto& mine = x[static_cast<size_t>(r)];
    MUST(gossGroupStart());
    MUST(gossAllReduce(mine.data(), mine.data(), 10, gossFloat, gossSum, comms_[r], nullptr));
    MUST(gossGroupEnd());
    EXPECT_EQ(mine[0], static_cast<float>(r)) << "nothing may run before the outermost end";
  }
  MUST(gossGroupEnd());
  expect_all<float>(x, [](size_t i) { return 28.0f + 8 * static_cast<float>(i % 50); });
}

TEST_F(Group, StartsNothingAfterAnErrorAndReturnsItsCodeFromTheEnd) {
  auto x = make<float>(10, float_of);
  const auto before = x;
  MUST(gossGroupStart());
  for (int r = 0; r < kRanks; ++r) {
    auto& mine = x[static_cast<size_t>(r)];
    MUST(gossAllReduce(mine.data(), mine.data(), 10, gossFloat, gossSum, comms_[r], nullptr));
  }
  EXPECT_EQ(gossBcast(x[0].data(), 10, gossFloat, 99, comms_[0], nullptr), gossInvalidArgument);
  EXPECT_EQ(gossGroupEnd(), gossInvalidArgument);
  EXPECT_NE(last_error().find("99"), std::string::npos) << last_error();
  EXPECT_EQ(x, before);

  // The group is over, and nothing is wrong with the communicators.
  EXPECT_EQ(gossGroupEnd(), gossInvalidUsage);
  MUST(gossGroupStart());
  for (int r = 0; r < kRanks; ++r) MUST(gossBarrier(comms_[r], nullptr));
  MUST(gossGroupEnd());
  gossResult_t state = gossInternalError;
  MUST(gossCommGetAsyncError(comms_[0], &state));
  EXPECT_EQ(state, gossSuccess);
}

TEST_F(Group, IsFailedByWhateverCallInsideItFails) {
  gossConfig_t damaged = default_config();
  damaged.magic = 0;
  gossComm_t made = nullptr;
  Comms alone = make_comms(1);
  MUST(gossCommFinalize(alone[0]));
  const std::function<gossResult_t()> calls[] = {
      [&] { return gossCommSplit(nullptr, 0, 0, &made, nullptr); },
      [&] { return gossCommSplit(comms_[0], 0, 0, nullptr, nullptr); },
      [&] { return gossCommSplit(comms_[0], 0, 0, &made, &damaged); },
      [&] { return gossCommInitEnv(&made, &damaged); },
      [&] { return gossCommInitAll(&made, 0, nullptr); },
      [&] { return gossCommInitRankConfig(&made, 1, gossUniqueId{}, 0, &damaged); },
      [&] { return gossCommFinalize(alone[0]); }};
  int number = 0;
  for (const auto& call : calls) {
    auto x = make<float>(10, float_of);
    const auto before = x;
    MUST(gossGroupStart());
    for (int r = 0; r < kRanks; ++r) {
      auto& mine = x[static_cast<size_t>(r)];
      MUST(gossAllReduce(mine.data(), mine.data(), 10, gossFloat, gossSum, comms_[r], nullptr));
    }
    EXPECT_EQ(call(), gossInvalidArgument) << "call " << number;
    EXPECT_EQ(gossGroupEnd(), gossInvalidArgument) << "call " << number;
    EXPECT_EQ(x, before) << "call " << number << ": an operation has started";
    ++number;
  }
}

TEST_F(Group, ThatFailedHasFinalizedNothing) {
  int x = 0;
  MUST(gossGroupStart());
  MUST(gossCommFinalize(comms_[0]));
  EXPECT_EQ(gossBcast(&x, 1, gossInt, kRanks, comms_[1], nullptr), gossInvalidArgument);
  EXPECT_EQ(gossGroupEnd(), gossInvalidArgument);
  MUST(gossGroupStart());
  for (int r = 0; r < kRanks; ++r) MUST(gossBarrier(comms_[r], nullptr));
  MUST(gossGroupEnd());
}

TEST_F(Group, ThatWasRefusedHasFinalizedNothing) {
  gossComm_t other = nullptr;
  MUST(gossCommInitAll(&other, 1, nullptr));
  MUST(gossGroupStart());
  MUST(gossCommFinalize(comms_[0]));
  MUST(gossBarrier(other, nullptr));
  EXPECT_EQ(gossCommAbort(other), gossSuccess);
  EXPECT_EQ(gossGroupEnd(), gossInvalidUsage);
  MUST(gossGroupStart());
  for (int r = 0; r < kRanks; ++r) MUST(gossBarrier(comms_[r], nullptr));
  MUST(gossGroupEnd());
}

TEST_F(Group, KeepsTheErrorOfANestedGroup) {
  MUST(gossGroupStart());
  MUST(gossGroupStart());
  EXPECT_EQ(gossBarrier(nullptr, nullptr), gossInvalidArgument);
  gossGroupEnd();
  EXPECT_EQ(gossGroupEnd(), gossInvalidArgument);
  MUST(gossGroupStart());
  MUST(gossGroupEnd());
}

TEST(GroupAlone, NeedsAStart) {
  EXPECT_EQ(gossGroupEnd(), gossInvalidUsage);
  EXPECT_NE(last_error().find("group"), std::string::npos);
  EXPECT_EQ(gossGroupEnd(), gossInvalidUsage) << "and stays so";
  EXPECT_EQ(gossGroupStart(), gossSuccess);
  EXPECT_EQ(gossGroupEnd(), gossSuccess) << "an empty group";
}

// Small neighbours travel together; nobody may be able to tell from the results.
TEST_F(Group, AggregatesWithTheBitsOfSingleCalls) {
  const std::vector<size_t> counts{1, 2, 3, 14, 15, 100, 4099, 0, 70'000, 5};
  for (int t : {gossFloat32, gossBfloat16, gossFloat8e4m3, gossInt32, gossFloat64}) {
    for (gossRedOp_t op : {gossSum, gossAvg, gossMin}) {
      const size_t size = kSizes[t];
      std::vector<std::vector<std::vector<std::byte>>> x(counts.size());
      std::vector<std::vector<std::byte>> expected;
      for (size_t k = 0; k < counts.size(); ++k) {
        std::vector<const std::byte*> inputs;
        for (int r = 0; r < kRanks; ++r) x[k].push_back(make_input(type_at(t), r, counts[k]));
        for (const auto& input : x[k]) inputs.push_back(input.data());
        expected.push_back(reference_all_reduce(inputs, counts[k], type_at(t), op));
      }
      MUST(gossGroupStart());
      for (size_t k = 0; k < counts.size(); ++k) {
        for (int r = 0; r < kRanks; ++r) {
          std::byte* mine = x[k][static_cast<size_t>(r)].data();
          MUST(gossAllReduce(mine, mine, counts[k], type_at(t), op, comms_[r], nullptr));
        }
      }
      MUST(gossGroupEnd());
      for (size_t k = 0; k < counts.size(); ++k) {
        for (const auto& got : x[k]) {
          ASSERT_TRUE(got == expected[k])
              << kTypes[t] << "," << kOps[op] << ",count=" << counts[k] << ",size=" << size;
        }
      }
    }
  }
}

TEST_F(Group, CountsEveryAggregatedCall) {
  const auto operations = [&] {
    gossCommStats_t stats{};
    stats.size = sizeof(stats);
    MUST(gossCommGetStats(comms_[3], &stats));
    return stats.operations;
  };
  auto x = make<float>(640, float_of);
  const uint64_t before = operations();
  MUST(gossGroupStart());
  for (int r = 0; r < kRanks; ++r) {
    for (size_t k = 0; k < 64; ++k) {
      float* mine = x[static_cast<size_t>(r)].data() + 10 * k;
      MUST(gossAllReduce(mine, mine, 10, gossFloat, gossSum, comms_[r], nullptr));
    }
  }
  MUST(gossGroupEnd());
  EXPECT_EQ(operations(), before + 64);
  expect_all<float>(x, [](size_t i) { return 28.0f + 8 * static_cast<float>(i % 50); });
}

TEST_F(Group, KeepsNeighboursApartThatMoveDifferently) {
  auto x = make<int64_t>(40, int_of);
  MUST(gossGroupStart());
  for (int r = 0; r < kRanks; ++r) {
    int64_t* mine = x[static_cast<size_t>(r)].data();
    MUST(gossAllReduce(mine, mine, 10, gossInt64, gossSum, comms_[r], nullptr));
    MUST(gossAllReduce(mine + 10, mine + 10, 10, gossInt64, gossMin, comms_[r], nullptr));
    MUST(gossAllReduce(mine + 20, mine + 20, 10, gossUint64, gossMax, comms_[r], nullptr));
    MUST(gossBcast(mine + 30, 10, gossInt64, 1, comms_[r], nullptr));
  }
  MUST(gossGroupEnd());
  expect_all<int64_t>(x, [](size_t i) {
    const auto own = static_cast<int64_t>(i);
    return i < 10 ? 280 + 8 * own : i < 20 ? own : i < 30 ? 70 + own : 10 + own;
  });
}

TEST_F(Group, AggregatesBroadcastsOfOneRoot) {
  auto x = make<int64_t>(3000, int_of);
  MUST(gossGroupStart());
  for (int r = 0; r < kRanks; ++r) {
    int64_t* mine = x[static_cast<size_t>(r)].data();
    MUST(gossBcast(mine, 1, gossInt64, 2, comms_[r], nullptr));
    MUST(gossBcast(mine + 1, 1999, gossInt64, 2, comms_[r], nullptr));
    MUST(gossBcast(mine + 2000, 1000, gossInt64, 6, comms_[r], nullptr));
  }
  MUST(gossGroupEnd());
  expect_all<int64_t>(x, [](size_t i) { return (i < 2000 ? 20 : 60) + static_cast<int64_t>(i); });
}

TEST_F(Group, SplitsAllRanksInOneThread) {
  // Colours 0, 1 and none; keys that turn the order round.
  const auto color_of = [](int r) { return r == 3 ? GOSS_SPLIT_NOCOLOR : r % 2; };
  Comms parts(kRanks);
  MUST(gossGroupStart());
  for (int r = 0; r < kRanks; ++r) {
    MUST(gossCommSplit(comms_[r], color_of(r), -r, &parts[r], nullptr));
  }
  MUST(gossGroupEnd());
  EXPECT_EQ(parts[3], nullptr);
  const int expected_rank[kRanks] = {3, 2, 2, -1, 1, 1, 0, 0};
  for (int r = 0; r < kRanks; ++r) {
    if (parts[r] == nullptr) continue;
    int rank = -1;
    int count = -1;
    MUST(gossCommUserRank(parts[r], &rank));
    MUST(gossCommCount(parts[r], &count));
    EXPECT_EQ(rank, expected_rank[r]) << "old rank " << r;
    EXPECT_EQ(count, color_of(r) == 0 ? 4 : 3);
  }
  auto x = make<int64_t>(1000, int_of);
  MUST(gossGroupStart());
  for (int r = 0; r < kRanks; ++r) {
    if (parts[r] == nullptr) continue;
    int64_t* mine = x[static_cast<size_t>(r)].data();
    MUST(gossBcast(mine, 1000, gossInt64, 0, parts[r], nullptr));
  }
  MUST(gossGroupEnd());
  for (int r = 0; r < kRanks; ++r) {
    if (r == 3) continue;
    EXPECT_EQ(x[static_cast<size_t>(r)][1], (r % 2 == 0 ? 60 : 70) + 1);
  }
}

TEST_F(Group, SplitsTwiceInOneGroup) {
  Comms halves(kRanks);
  Comms all(kRanks);
  MUST(gossGroupStart());
  for (int r = 0; r < kRanks; ++r) {
    MUST(gossCommSplit(comms_[r], r / 4, 0, &halves[r], nullptr));
    MUST(gossCommSplit(comms_[r], 0, r, &all[r], nullptr));
  }
  MUST(gossGroupEnd());
  for (int r = 0; r < kRanks; ++r) {
    int count = 0;
    MUST(gossCommCount(halves[r], &count));
    EXPECT_EQ(count, 4);
    MUST(gossCommCount(all[r], &count));
    EXPECT_EQ(count, 8);
  }
  MUST(gossGroupStart());
  for (int r = 0; r < kRanks; ++r) MUST(gossBarrier(comms_[r], nullptr));
  MUST(gossGroupEnd());
}

// Small enough that the colours of several splits would share the two lines of the inline path.
TEST(GroupOfTwo, SplitsOneParentManyTimesInOneGroup) {
  Comms comms = make_comms(2);
  constexpr int kSplits = 5;
  std::vector<Comms> parts;
  for (int s = 0; s < kSplits; ++s) parts.emplace_back(2);
  for (int round = 0; round < 20; ++round) {
    MUST(gossGroupStart());
    for (int s = 0; s < kSplits; ++s) {
      for (int r = 0; r < 2; ++r) {
        const int color = s == 2 ? GOSS_SPLIT_NOCOLOR : 0;
        MUST(gossCommSplit(comms[r], color, r * (s % 2 == 0 ? 1 : -1), &parts[s][r], nullptr));
      }
    }
    MUST(gossGroupEnd());
    for (int s = 0; s < kSplits; ++s) {
      for (int r = 0; r < 2; ++r) {
        EXPECT_EQ(parts[s][r] == nullptr, s == 2);
        if (s == 2) continue;
        int rank = -1;
        MUST(gossCommUserRank(parts[s][r], &rank));
        EXPECT_EQ(rank, s % 2 == 0 ? r : 1 - r);
        MUST(gossCommDestroy(parts[s][r]));
        parts[s][r] = nullptr;
      }
    }
  }
}

TEST_F(Group, TakesUpTheCorrectedSplitAfterARefusedOne) {
  Comms parts(kRanks);
  MUST(gossGroupStart());
  MUST(gossCommSplit(comms_[0], 0, 0, &parts[0], nullptr));
  EXPECT_EQ(gossCommSplit(comms_[0], -7, 0, &parts[1], nullptr), gossInvalidArgument);
  EXPECT_EQ(gossGroupEnd(), gossInvalidArgument);
  MUST(gossCommDestroy(parts[0]));  // the one that was not made
  parts[0] = nullptr;
  MUST(gossGroupStart());
  for (int r = 0; r < kRanks; ++r) MUST(gossCommSplit(comms_[r], 0, r, &parts[r], nullptr));
  MUST(gossGroupEnd());
}

TEST_F(Group, RefusesASplitOntoAnUnknownDevice) {
  gossConfig_t config = default_config();
  config.device = 3;
  gossComm_t none = nullptr;
  EXPECT_EQ(gossCommSplit(comms_[0], 0, 0, &none, &config), gossInvalidArgument);
  EXPECT_NE(last_error().find("device 3"), std::string::npos) << last_error();
  EXPECT_EQ(none, nullptr);
}

// The rank that is late finds its synchronous call's partner there already and must all the same
// queue the stream's calls in the order in which they were made.
TEST(GroupOfStreams, KeepsTheOrderOfAStreamThatServesTwoCommunicators) {
  run_ranks(2, [](Rank& me) {
    gossComm_t half = nullptr;
    MUST(gossCommSplit(me.comm, 0, me.rank, &half, nullptr));
    gossStream_t stream = nullptr;
    MUST(gossStreamCreate(&stream));
    for (int round = 0; round < 20; ++round) {
      float x[4] = {1, 2, 3, 4};
      if (me.rank == round % 2) ::usleep(2000);
      MUST(gossGroupStart());
      MUST(gossAllReduce(&x[0], &x[0], 1, gossFloat, gossSum, me.comm, nullptr));
      MUST(gossAllReduce(&x[1], &x[1], 1, gossFloat, gossSum, me.comm, stream));
      MUST(gossAllReduce(&x[2], &x[2], 1, gossFloat, gossSum, half, stream));
      MUST(gossAllReduce(&x[3], &x[3], 1, gossFloat, gossSum, half, nullptr));
      MUST(gossGroupEnd());
      MUST(gossStreamSynchronize(stream));
      require(x[0] == 2 && x[1] == 4 && x[2] == 6 && x[3] == 8, "sums");
    }
    MUST(gossStreamDestroy(stream));
    MUST(gossCommDestroy(half));
  });
}

TEST(GroupOfStreams, LetsQueuedCallsFailBehindOneThatFailed) {
  run_ranks(2, [](Rank& me) {
    gossComm_t other = nullptr;
    MUST(gossCommSplit(me.comm, 0, me.rank, &other, nullptr));
    gossStream_t stream = nullptr;
    MUST(gossStreamCreate(&stream));
    float x[4] = {};
    MUST(gossGroupStart());
    MUST(gossBarrier(other, nullptr));  // a group of two communicators
    const int root = me.rank;           // the ranks disagree
    MUST(gossBcast(&x[0], 4, gossFloat, root, me.comm, nullptr));
    MUST(gossAllReduce(&x[0], &x[0], 1, gossFloat, gossSum, me.comm, nullptr));
    MUST(gossAllReduce(&x[1], &x[1], 1, gossFloat, gossProd, me.comm, nullptr));
    MUST(gossAllReduce(&x[2], &x[2], 1, gossFloat, gossSum, me.comm, stream));
    MUST_BE(gossInvalidUsage, gossGroupEnd());
    MUST_BE(gossInvalidUsage, gossStreamSynchronize(stream));
    MUST(gossStreamDestroy(stream));
    MUST(gossCommDestroy(other));
  });
}

TEST(GroupOfTwo, NoticesCallsThatAreAsManyElementsInOtherPortions) {
  run_ranks(2, [](Rank& me) {
    std::vector<float> u(1000);
    std::vector<float> v(1000);
    const size_t first = me.rank == 0 ? 400 : 600;
    MUST(gossGroupStart());
    MUST(gossAllReduce(u.data(), u.data(), first, gossFloat, gossSum, me.comm, nullptr));
    MUST(gossAllReduce(v.data(), v.data(), 1000 - first, gossFloat, gossSum, me.comm, nullptr));
    MUST_BE(gossInvalidUsage, gossGroupEnd());
    require(last_error().find("other counts") != std::string::npos, last_error());
  });
}

TEST_F(Group, RefusesATypeThatWouldSpillIntoTheOperation) {
  float x[2] = {};
  MUST(gossGroupStart());
  MUST(gossAllReduce(&x[0], &x[0], 1, gossFloat, gossProd, comms_[0], nullptr));
  const auto type = type_at(256 + gossFloat);
  EXPECT_EQ(gossAllReduce(&x[1], &x[1], 1, type, gossSum, comms_[0], nullptr), gossInvalidArgument);
  EXPECT_EQ(gossGroupEnd(), gossInvalidArgument);
}

TEST(GroupAlone, OfTheParentIsNotRunByAForkedChild) {
  Comms comms = make_comms(2);
  MUST(gossGroupStart());
  MUST(gossBarrier(comms[0], nullptr));
  MUST(gossBarrier(comms[1], nullptr));
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) ::_exit(gossGroupEnd() == gossInvalidUsage ? 0 : 1);
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
  EXPECT_EQ(gossGroupEnd(), gossSuccess);
}

TEST(GroupAlone, ThatMadeNoCommunicatorHasFinalizedNothing) {
  Comms comms = make_comms(1);
  Comms made(1);
  gossUniqueId id;
  MUST(gossGetUniqueId(&id));
  gossConfig_t config = default_config();
  config.initTimeoutMs = 100;
  MUST(gossGroupStart());
  MUST(gossCommInitRankConfig(&made[0], 2, id, 0, &config));  // rank 1 does not come
  MUST(gossCommFinalize(comms[0]));
  EXPECT_EQ(gossGroupEnd(), gossTimeout);
  EXPECT_EQ(gossBarrier(comms[0], nullptr), gossSuccess) << last_error();
}

TEST_F(Group, RefusesAColourBelowNone) {
  gossComm_t none = nullptr;
  EXPECT_EQ(gossCommSplit(comms_[0], -2, 0, &none, nullptr), gossInvalidArgument);
  EXPECT_EQ(none, nullptr);
  EXPECT_EQ(gossCommSplit(comms_[0], 0, 0, nullptr, nullptr), gossInvalidArgument);
  EXPECT_EQ(gossCommSplit(nullptr, 0, 0, &none, nullptr), gossInvalidArgument);
}

TEST(GroupOfManyCommunicators, DrivesDifferentJobsTogether) {
  Comms a = make_comms(3);
  Comms b = make_comms(2);
  int x[3] = {1, 2, 3};
  int y[2] = {10, 20};
  MUST(gossGroupStart());
  for (int r = 0; r < 3; ++r) {
    MUST(gossAllReduce(&x[r], &x[r], 1, gossInt, gossSum, a[r], nullptr));
    if (r < 2) MUST(gossAllReduce(&y[r], &y[r], 1, gossInt, gossProd, b[r], nullptr));
  }
  MUST(gossGroupEnd());
  EXPECT_EQ(x[0] + x[1] + x[2], 18);
  EXPECT_EQ(y[0] + y[1], 400);
}

}  // namespace
}  // namespace goss::test
