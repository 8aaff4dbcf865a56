// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Ranks that call different things: every rank gets the same sentence, which names two of them and
// what each called, within a second of the second arrival.
#include "faults/ranks.h"

namespace goss::faults {
namespace {

using ::testing::HasSubstr;

struct Call {
  enum class Kind { kAllReduce, kBroadcast, kBarrier };
  Kind kind = Kind::kAllReduce;
  size_t count = 4;
  gossDataType_t type = gossFloat;
  gossRedOp_t op = gossSum;
  int root = 0;
  const char* words = "";  // how the sentence describes it
};

struct Difference {
  const char* name;
  Call of_most;  // of ranks 0 and 2
  Call of_one;   // of rank 1, which comes second
};

using Kind = Call::Kind;
const Difference kDifferences[] = {
    {"Kind",
     {Kind::kAllReduce, 4, gossFloat, gossSum, 0, "all_reduce(count 4, float, sum"},
     {Kind::kBarrier, 0, gossFloat, gossSum, 0, "called barrier"}},
    {"KindOfLarge",
     {Kind::kAllReduce, 100000, gossFloat, gossSum, 0, "all_reduce(count 100000, float, sum"},
     {Kind::kBroadcast, 100000, gossFloat, gossSum, 1, "broadcast(count 100000, float, root 1"}},
    {"Count",
     {Kind::kAllReduce, 4, gossFloat, gossSum, 0, "all_reduce(count 4, float, sum"},
     {Kind::kAllReduce, 5, gossFloat, gossSum, 0, "all_reduce(count 5, float, sum"}},
    {"CountOfLarge",
     {Kind::kAllReduce, 1000000, gossFloat, gossSum, 0, "all_reduce(count 1000000, float, sum"},
     {Kind::kAllReduce, 999999, gossFloat, gossSum, 0, "all_reduce(count 999999, float, sum"}},
    {"CountSmallAndLarge",
     {Kind::kAllReduce, 4, gossFloat, gossSum, 0, "all_reduce(count 4, float, sum"},
     {Kind::kAllReduce, 400000, gossFloat, gossSum, 0, "all_reduce(count 400000, float, sum"}},
    {"CountZero",
     {Kind::kAllReduce, 4, gossFloat, gossSum, 0, "all_reduce(count 4, float, sum"},
     {Kind::kAllReduce, 0, gossFloat, gossSum, 0, "all_reduce(count 0, float, sum"}},
    {"Type",
     {Kind::kAllReduce, 4, gossFloat, gossSum, 0, "all_reduce(count 4, float, sum"},
     {Kind::kAllReduce, 4, gossInt32, gossSum, 0, "all_reduce(count 4, int32, sum"}},
    {"TypeOfEqualBytes",
     {Kind::kBroadcast, 8000, gossFloat, gossSum, 0, "broadcast(count 8000, float, root 0"},
     {Kind::kBroadcast, 4000, gossDouble, gossSum, 0, "broadcast(count 4000, double, root 0"}},
    {"Op",
     {Kind::kAllReduce, 4, gossFloat, gossSum, 0, "all_reduce(count 4, float, sum"},
     {Kind::kAllReduce, 4, gossFloat, gossMax, 0, "all_reduce(count 4, float, max"}},
    {"OpOfLarge",
     {Kind::kAllReduce, 1000000, gossFloat, gossSum, 0, "all_reduce(count 1000000, float, sum"},
     {Kind::kAllReduce, 1000000, gossFloat, gossMin, 0, "all_reduce(count 1000000, float, min"}},
    {"RootOfThoseWhoWait",
     {Kind::kBroadcast, 1000, gossFloat, gossSum, 0, "broadcast(count 1000, float, root 0"},
     {Kind::kBroadcast, 1000, gossFloat, gossSum, 2, "broadcast(count 1000, float, root 2"}},
    // Both roots return at once, and rank 2 has what it asked for.
    {"TwoRoots",
     {Kind::kBroadcast, 1000, gossFloat, gossSum, 0, "broadcast(count 1000, float, root 0"},
     {Kind::kBroadcast, 1000, gossFloat, gossSum, 1, "broadcast(count 1000, float, root 1"}},
    {"Broadcast",
     {Kind::kBroadcast, 1000, gossFloat, gossSum, 1, "broadcast(count 1000, float, root 1"},
     {Kind::kBarrier, 0, gossFloat, gossSum, 0, "called barrier"}},
};

void PrintTo(const Difference& difference, std::ostream* out) { *out << difference.name; }

gossResult_t make(const Call& call, std::vector<double>& x, gossComm_t comm, gossStream_t stream) {
  switch (call.kind) {
    case Kind::kAllReduce:
      return gossAllReduce(x.data(), x.data(), call.count, call.type, call.op, comm, stream);
    case Kind::kBroadcast:
      return gossBcast(x.data(), call.count, call.type, call.root, comm, stream);
    case Kind::kBarrier: return gossBarrier(comm, stream);
  }
  return gossInternalError;
}

// The call that differs, then the same call for all: who got through the first, learns there.
void differ(Rank& rank, const Call& call, bool with_stream) {
  if (rank.failed(rank.join())) std::exit(3);
  std::vector<double> x(500000);
  gossStream_t stream = nullptr;
  if (with_stream) gossStreamCreate(&stream);
  rank.expect(gossBarrier(rank.comm, nullptr) == gossSuccess);
  rank.reach(1);
  if (rank.rank == 1) rank.wait_for_go(1);
  gossResult_t result = make(call, x, rank.comm, stream);
  if (with_stream) result = gossStreamSynchronize(stream);
  if (result == gossSuccess) result = gossBarrier(rank.comm, nullptr);
  rank.failed(result);
  if (with_stream) gossStreamDestroy(stream);
  abort_and_exit(rank);
}

class DisagreementTest : public ::testing::TestWithParam<Difference> {
 protected:
  void run(bool with_stream) {
    const Difference& difference = GetParam();
    Ranks ranks(3, [&](Rank& rank) {
      differ(rank, rank.rank == 1 ? difference.of_one : difference.of_most, with_stream);
    });
    ASSERT_TRUE(ranks.all_reach(1));
    support::sleep_for(milliseconds(50));
    const int64_t second_arrival = now_ns();
    ranks.board().go = 1;
    ranks.expect_same_report(gossInvalidUsage, second_arrival, {});
    ranks.expect_clean_end(kPromise);
    const std::string text = ranks.report(0).text;
    EXPECT_THAT(text, HasSubstr("operation #2 of communicator"));
    EXPECT_THAT(text, HasSubstr("rank 1 (host "));
    EXPECT_THAT(text, ::testing::AnyOf(HasSubstr("rank 0 (host "), HasSubstr("rank 2 (host ")));
    EXPECT_THAT(text, HasSubstr(difference.of_most.words));
    EXPECT_THAT(text, HasSubstr(difference.of_one.words));
  }
};

TEST_P(DisagreementTest, BothSidesAreNamedToAll) { run(false); }
TEST_P(DisagreementTest, BothSidesAreNamedToAllOnAStream) { run(true); }

INSTANTIATE_TEST_SUITE_P(All, DisagreementTest, ::testing::ValuesIn(kDifferences),
                         [](const auto& test) { return std::string(test.param.name); });

// The root has long returned when the other rank comes with something else.
TEST(DisagreeingRanksTest, RootThatHasReturnedLearnsFromItsNextCall) {
  Ranks ranks(2, [](Rank& rank) {
    if (rank.failed(rank.join())) std::exit(3);
    std::vector<float> x(1000);
    if (rank.rank == 0) {
      rank.expect(gossBcast(x.data(), 1000, gossFloat, 0, rank.comm, nullptr) == gossSuccess);
      rank.reach(1);
      rank.wait_for_go(1);
      rank.failed(gossBcast(x.data(), 1000, gossFloat, 0, rank.comm, nullptr));
    } else {
      support::eventually(kPatience, [&] { return rank.board.reports[0].stage == 1; });
      rank.failed(gossBcast(x.data(), 999, gossFloat, 0, rank.comm, nullptr));
      rank.board.go = 1;
    }
    abort_and_exit(rank);
  });
  ASSERT_TRUE(support::eventually(kPatience, [&] { return ranks.report(0).stage == 1; }));
  ranks.expect_same_report(gossInvalidUsage, now_ns(), {});
  ranks.expect_clean_end(kPromise);
  EXPECT_THAT(std::string(ranks.report(0).text), HasSubstr("operation #1 of communicator"));
}

// Ranks 1 and 2 differ; both wait for rank 0, which does not come.
TEST(DisagreeingRanksTest, IsSeenWhileBothWaitForAThirdRank) {
  Ranks ranks(3, [](Rank& rank) {
    if (rank.failed(rank.join())) std::exit(3);
    std::vector<float> x(1000);
    rank.reach(1);
    if (rank.rank == 0) {
      rank.wait_for_go(1);
      rank.failed(gossBarrier(rank.comm, nullptr));
    } else {
      const size_t count = rank.rank == 1 ? 1000 : 100;
      rank.failed(gossAllReduce(x.data(), x.data(), count, gossFloat, gossSum, rank.comm, nullptr));
    }
    abort_and_exit(rank);
  });
  ASSERT_TRUE(ranks.all_reach(1));
  const int64_t begin = now_ns();
  for (int r : {1, 2}) {
    const Report& got = ranks.report(r);
    ASSERT_TRUE(support::eventually(kPromise, [&] { return got.failed_at != 0; }))
        << "rank " << r << " has not noticed";
    EXPECT_EQ(got.code, gossInvalidUsage) << got.text;
    EXPECT_LE(ms_between(begin, got.failed_at), kPromise.count());
    EXPECT_THAT(std::string(got.text), HasSubstr("rank 1 (host "));
    EXPECT_THAT(std::string(got.text), HasSubstr("rank 2 (host "));
  }
  ranks.board().go = 1;
  ranks.expect_same_report(gossInvalidUsage, now_ns(), {});
  ranks.expect_clean_end(kPromise);
}

// Small calls of a group move together: a rank with one call fewer is found out.
TEST(DisagreeingRanksTest, GroupsOfDifferentLengthAreReported) {
  Ranks ranks(2, [](Rank& rank) {
    if (rank.failed(rank.join())) std::exit(3);
    float x[3] = {1, 2, 3};
    gossGroupStart();
    for (int i = 0; i < 3 - rank.rank; ++i) {
      gossAllReduce(&x[i], &x[i], 1, gossFloat, gossSum, rank.comm, nullptr);
    }
    rank.failed(gossGroupEnd());
    abort_and_exit(rank);
  });
  const int64_t begin = now_ns();
  ranks.expect_same_report(gossInvalidUsage, begin, {});
  ranks.expect_clean_end(kPromise);
}

}  // namespace
}  // namespace goss::faults
