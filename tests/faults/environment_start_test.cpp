// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// The environment start: GOSS_RANK, GOSS_NRANKS, GOSS_PORT and GOSS_SECRET, right and wrong.
#include "faults/ranks.h"
#include "support/free_port.h"

namespace goss::faults {
namespace {

using support::free_port;
using ::testing::AnyOf;
using ::testing::HasSubstr;

void describe(const std::string& rank, const std::string& nranks, int port,
              const std::string& secret) {
  ::setenv("GOSS_RANK", rank.c_str(), 1);
  ::setenv("GOSS_NRANKS", nranks.c_str(), 1);
  ::setenv("GOSS_PORT", std::to_string(port).c_str(), 1);
  ::setenv("GOSS_SECRET", secret.c_str(), 1);
  ::setenv("GOSS_INIT_TIMEOUT", "2s", 1);
}

void start_and_add(Rank& rank) {
  if (rank.failed(gossCommInitEnv(&rank.comm, nullptr), nullptr)) linger_and_exit();
  int32_t x = 1 << rank.rank;
  if (rank.failed(gossAllReduce(&x, &x, 1, gossInt32, gossSum, rank.comm, nullptr))) std::exit(0);
  rank.report.rounds = static_cast<uint64_t>(x);
  rank.failed(gossCommDestroy(rank.comm));
}

// All ranks have met and added their bits.
void expect_sums(Ranks& ranks, uint64_t sum) {
  ranks.expect_clean_end(kPatience);
  for (int r = 0; r < ranks.size(); ++r) {
    EXPECT_EQ(ranks.report(r).code, gossSuccess) << "rank " << r << ": " << ranks.report(r).text;
    EXPECT_EQ(ranks.report(r).rounds, sum) << "rank " << r;
  }
}

TEST(EnvironmentStartTest, FourProcessesMeet) {
  const int port = free_port();
  Ranks ranks(4, [&](Rank& rank) {
    describe(std::to_string(rank.rank), "4", port, "between us");
    start_and_add(rank);
  });
  expect_sums(ranks, 15);
}

// Two starts after one another at the same port, as a restarted job does.
TEST(EnvironmentStartTest, PortIsFreeAgainForTheNextStart) {
  const int port = free_port();
  Ranks ranks(3, [&](Rank& rank) {
    describe(std::to_string(rank.rank), "3", port, "between us");
    for (int i = 0; i < 3; ++i) start_and_add(rank);
  });
  expect_sums(ranks, 7);
}

TEST(EnvironmentStartTest, WrongSecretOfOneIsRefusedAndNamed) {
  const int port = free_port();
  const int64_t begin = now_ns();
  Ranks ranks(4, [&](Rank& rank) {
    describe(std::to_string(rank.rank), "4", port, rank.rank == 2 ? "guessed" : "between us");
    start_and_add(rank);
  });
  ranks.expect_clean_end(kPatience);
  EXPECT_LE(ms_between(begin, now_ns()), 2000 + 2 * kPromise.count());
  for (int r = 0; r < 4; ++r) {
    EXPECT_THAT(ranks.report(r).code, AnyOf(gossTimeout, gossRemoteError))
        << "rank " << r << ": " << ranks.report(r).text;
    EXPECT_EQ(ranks.report(r).rounds, 0u) << "rank " << r << " got through";
    const std::string text = ranks.report(r).text;
    EXPECT_THAT(text, HasSubstr("rank 2")) << "rank " << r;
    EXPECT_THAT(text, ::testing::Not(HasSubstr("between us")));
    EXPECT_THAT(text, ::testing::Not(HasSubstr("guessed")));
  }
  EXPECT_THAT(std::string(ranks.report(2).text), HasSubstr("secret"));
}

// The second job must not disturb the first, which is still waiting. Each is a secret and what the
// launcher calls it.
void expect_apart(const char* const (&first_job)[2], const char* const (&second_job)[2]) {
  const int port = free_port();
  Ranks first(3, [&](Rank& rank) {
    describe(std::to_string(rank.rank), "3", port, first_job[0]);
    ::setenv("TORCHELASTIC_RUN_ID", first_job[1], 1);
    ::setenv("GOSS_INIT_TIMEOUT", "20s", 1);
    if (rank.rank == 2) rank.wait_for_go(1);
    if (rank.rank == 0) rank.reach(1);
    start_and_add(rank);
  });
  ASSERT_TRUE(support::eventually(kPatience, [&] { return first.report(0).stage == 1; }));
  support::sleep_for(milliseconds(200));
  const int64_t begin = now_ns();
  Ranks second(3, [&](Rank& rank) {
    describe(std::to_string(rank.rank), "3", port, second_job[0]);
    ::setenv("TORCHELASTIC_RUN_ID", second_job[1], 1);
    start_and_add(rank);
  });
  second.expect_clean_end(kPatience);
  EXPECT_LE(ms_between(begin, now_ns()), 2000 + 2 * kPromise.count());
  EXPECT_EQ(second.report(0).code, gossSystemError) << second.report(0).text;
  EXPECT_THAT(std::string(second.report(0).text), HasSubstr(std::to_string(port)));
  for (int r : {1, 2}) {
    EXPECT_THAT(second.report(r).code, AnyOf(gossTimeout, gossRemoteError));
    EXPECT_THAT(std::string(second.report(r).text), HasSubstr("another job"));
  }
  first.board().go = 1;
  first.expect_clean_end(kPatience);
  for (int r = 0; r < 3; ++r) {
    EXPECT_EQ(first.report(r).code, gossSuccess) << "rank " << r << ": " << first.report(r).text;
    EXPECT_EQ(first.report(r).rounds, 7u);
  }
}

TEST(EnvironmentStartTest, TwoJobsOnOnePortDoNotMix) {
  expect_apart({"first", "launch"}, {"second", "launch"});
}

TEST(EnvironmentStartTest, TwoJobsOfOneSecretOnOnePortDoNotMix) {
  expect_apart({"between us", "launch 1"}, {"between us", "launch 2"});
}

TEST(EnvironmentStartTest, TwoJobsWithoutSecretOnOnePortDoNotMix) {
  expect_apart({"", "launch 1"}, {"", "launch 2"});
}

TEST(EnvironmentStartTest, RankGivenTwiceIsNamed) {
  const int port = free_port();
  Ranks ranks(3, [&](Rank& rank) {
    describe(rank.rank == 0 ? "0" : "1", "3", port, "between us");
    start_and_add(rank);
  });
  ranks.expect_clean_end(kPatience);
  int refused = 0;
  for (int r = 0; r < 3; ++r) {
    EXPECT_NE(ranks.report(r).code, gossSuccess);
    if (ranks.report(r).code != gossInvalidUsage) continue;
    ++refused;
    EXPECT_THAT(std::string(ranks.report(r).text), HasSubstr("rank 1 is taken"));
  }
  EXPECT_EQ(refused, 1);
}

// A job of another size is another job, even by mistake: none of its ranks disturbs this one.
TEST(EnvironmentStartTest, RankWithAnotherNumberOfRanksIsMissedAndToldWhatMayBeWrong) {
  const int port = free_port();
  Ranks ranks(3, [&](Rank& rank) {
    describe(std::to_string(rank.rank), rank.rank == 2 ? "4" : "3", port, "between us");
    start_and_add(rank);
  });
  ranks.expect_clean_end(kPatience);
  for (int r = 0; r < 3; ++r) {
    EXPECT_THAT(ranks.report(r).code, AnyOf(gossTimeout, gossRemoteError)) << ranks.report(r).text;
    EXPECT_THAT(std::string(ranks.report(r).text), HasSubstr(r == 2 ? "GOSS_NRANKS" : "rank 2"));
  }
}

void forget_launchers() {
  for (const char* name : {"GOSS_RANK", "GOSS_NRANKS", "RANK", "WORLD_SIZE", "OMPI_COMM_WORLD_RANK",
                           "OMPI_COMM_WORLD_SIZE", "PMI_RANK", "PMI_SIZE", "SLURM_PROCID",
                           "SLURM_NTASKS", "MASTER_ADDR", "MASTER_PORT", "GOSS_ADDR"}) {
    ::unsetenv(name);
  }
}

TEST(EnvironmentStartTest, WorkersOfTorchrunInsideOneSlurmTaskMeet) {
  const int port = free_port();
  Ranks ranks(2, [&](Rank& rank) {
    describe("", "", port, "between us");
    forget_launchers();
    ::setenv("SLURM_PROCID", "0", 1);
    ::setenv("SLURM_NTASKS", "1", 1);
    ::setenv("RANK", std::to_string(rank.rank).c_str(), 1);
    ::setenv("WORLD_SIZE", "2", 1);
    start_and_add(rank);
  });
  expect_sums(ranks, 3);
}

TEST(EnvironmentStartTest, HalfOfALaunchersPairIsSkipped) {
  Ranks ranks(1, [&](Rank& rank) {
    forget_launchers();
    ::setenv("WORLD_SIZE", "8", 1);
    ::setenv("PMI_RANK", "5", 1);
    ::setenv("SLURM_NTASKS", "8", 1);
    if (rank.failed(gossCommInitEnv(&rank.comm, nullptr), nullptr)) return;
    int nranks = 0;
    rank.failed(gossCommCount(rank.comm, &nranks));
    rank.expect(nranks == 1);
    rank.failed(gossCommDestroy(rank.comm));
  });
  ranks.expect_clean_end(kPatience);
  EXPECT_EQ(ranks.report(0).code, gossSuccess) << ranks.report(0).text;
  EXPECT_EQ(ranks.report(0).wrong, 0);
}

TEST(EnvironmentStartTest, IncompleteOrImpossibleEnvironmentIsRefusedAtOnce) {
  struct Case {
    const char* rank;
    const char* nranks;
    const char* names;
  };
  constexpr Case kCases[] = {{"4", "4", "GOSS_RANK"},
                             {"-1", "4", "GOSS_RANK"},
                             {"one", "4", "GOSS_RANK"},
                             {"1x", "4", "GOSS_RANK"},
                             {"0", "0", "GOSS_NRANKS"},
                             {"0", "-3", "GOSS_NRANKS"},
                             {"0", "99999999999999999999", "GOSS_NRANKS"},
                             {"0", "", "GOSS_NRANKS"},
                             {"", "4", "GOSS_RANK"}};
  const int port = free_port();
  for (const Case& wrong : kCases) {
    SCOPED_TRACE(std::string("GOSS_RANK=") + wrong.rank + " GOSS_NRANKS=" + wrong.nranks);
    const int64_t begin = now_ns();
    Ranks ranks(1, [&](Rank& rank) {
      describe(wrong.rank, wrong.nranks, port, "between us");
      start_and_add(rank);
    });
    ranks.expect_clean_end(kPatience);
    EXPECT_LE(ms_between(begin, now_ns()), kPromise.count());
    EXPECT_EQ(ranks.report(0).code, gossInvalidUsage);
    EXPECT_THAT(std::string(ranks.report(0).text), HasSubstr(wrong.names));
  }
}

}  // namespace
}  // namespace goss::faults
