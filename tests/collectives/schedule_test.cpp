// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Properties of every algorithm in the registry, for every number of ranks up to 33 and sampled
// ones up to 4,096.
#include "collectives/schedule.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "collectives/registry.h"
#include "support/simulate.h"

namespace goss::collectives {
namespace {

using test::contribution;
using test::Simulation;
using test::Simulator;

struct Case {
  int row;  // of the registry
  int nranks;
  int root;
};

std::ostream& operator<<(std::ostream& out, const Case& c) {
  const Row& row = registry()[static_cast<size_t>(c.row)];
  return out << kind_name(row.kind) << "/" << row.name << ",n=" << c.nranks << ",root=" << c.root;
}

std::vector<int> roots_of(const Row& row, int nranks) {
  if (!facts(row.kind).rooted) return {0};
  std::set<int> roots{0, nranks / 3, nranks / 2, nranks - 1};
  if (nranks <= 9) {
    for (int r = 0; r < nranks; ++r) roots.insert(r);
  }
  return {roots.begin(), roots.end()};
}

// All ranks together: every number up to 33, and some beyond.
std::vector<Case> simulated_cases() {
  std::vector<int> numbers{64, 100, 257};
  for (int n = 1; n <= 33; ++n) numbers.push_back(n);
  std::vector<Case> cases;
  for (int row = 0; row < static_cast<int>(registry().size()); ++row) {
    for (int n : numbers) {
      for (int root : roots_of(registry()[static_cast<size_t>(row)], n)) {
        cases.push_back({row, n, root});
      }
    }
  }
  return cases;
}

const Row& row_of(const Case& c) { return registry()[static_cast<size_t>(c.row)]; }

std::vector<Schedule> all_ranks(const Case& c) {
  std::vector<Schedule> schedules;
  for (int r = 0; r < c.nranks; ++r) schedules.push_back(row_of(c).make({r, c.nranks, c.root}));
  return schedules;
}

bool reaches(const Step& publish, int reader) {
  return publish.to == kEverybody || publish.to == reader;
}

// How many publish steps of `theirs` in `phase` give `part` to `reader`.
int offers(const Schedule& theirs, int phase, int part, int reader) {
  return static_cast<int>(
      std::count_if(theirs.steps.begin(), theirs.steps.end(), [&](const Step& step) {
        return step.verb == Verb::kPublish && step.phase == phase && reaches(step, reader) &&
               step.parts.first <= part && part < step.parts.last;
      }));
}

bool raises(const Schedule& theirs, int phase, int reader) {
  return std::any_of(theirs.steps.begin(), theirs.steps.end(), [&](const Step& step) {
    return step.verb == Verb::kPublish && step.phase == phase && reaches(step, reader);
  });
}

// Every remote source of `step` is offered exactly once by its rank.
void expect_matched(const Step& step, int reader, const std::vector<Schedule>& all) {
  for (const Source& source : step.sources) {
    if (source.rank == reader) continue;
    const Schedule& theirs = all[static_cast<size_t>(source.rank)];
    EXPECT_TRUE(raises(theirs, source.phase, reader))
        << "rank " << reader << " waits for phase " << source.phase << " of rank " << source.rank;
    for (int part = 0; part < step.parts.size(); ++part) {
      EXPECT_EQ(offers(theirs, source.phase, source.part + part, reader), 1)
          << "rank " << reader << " reads part " << source.part + part << " of rank "
          << source.rank;
    }
  }
}

int parts_read(const Schedule& schedule) {
  int parts = 0;
  for (const Step& step : schedule.steps) {
    for (const Source& source : step.sources) {
      if (source.rank != schedule.shape.rank) parts += step.parts.size();
    }
  }
  return parts;
}

// Every part of `schedule` is published at most once, in phases that the executor has flags for.
void expect_published_at_most_once(const Schedule& schedule) {
  std::vector<int> times(static_cast<size_t>(schedule.parts), 0);
  std::set<int> finished;
  int phase = -1;
  for (const Step& step : schedule.steps) {
    EXPECT_GE(step.parts.first, 0);
    EXPECT_LE(step.parts.first, step.parts.last);
    EXPECT_LE(step.parts.last, schedule.parts_at(step.place));
    if (step.verb == Verb::kPublish) {
      EXPECT_LE(step.parts.last, schedule.parts) << "a cell has no place for it";
    }
    if (step.verb != Verb::kPublish) {
      if (phase >= 0) finished.insert(phase);
      phase = -1;
      continue;
    }
    EXPECT_GE(step.phase, 0);
    EXPECT_LT(step.phase, kMaxPhases);
    EXPECT_NE(step.to, schedule.shape.rank) << "publishes to itself";
    EXPECT_EQ(finished.count(step.phase), 0u) << "phase " << step.phase << " is raised twice";
    phase = step.phase;
    for (int part = step.parts.first; part < step.parts.last; ++part) {
      EXPECT_EQ(++times[static_cast<size_t>(part)], 1) << "part " << part;
    }
  }
}

// The output of `rank`, from the definition of the collective; empty where there is none.
std::vector<std::string> expected_output(const Case& c, int rank, int parts) {
  const auto sum = [&](int part) {
    std::string text;
    for (int r = 0; r < c.nranks; ++r) text += contribution(r, part);
    return text;
  };
  std::vector<std::string> output;
  for (int part = 0; part < parts; ++part) {
    switch (row_of(c).kind) {
      case Kind::kBarrier: return {};
      case Kind::kReduce:
        if (rank != c.root) return {};
        output.push_back(sum(part));
        break;
      case Kind::kAllReduce: output.push_back(sum(part)); break;
      case Kind::kBroadcast: output.push_back(contribution(c.root, part)); break;
      case Kind::kReduceScatter: output.push_back(sum(rank)); break;
      case Kind::kGather:
        if (rank != c.root) return {};
        output.push_back(contribution(part, 0));
        break;
      case Kind::kAllGather: output.push_back(contribution(part, 0)); break;
      case Kind::kAllToAll: output.push_back(contribution(part, rank)); break;
      case Kind::kScatter: output.push_back(contribution(c.root, rank)); break;
    }
  }
  return output;
}

class EverySchedule : public testing::TestWithParam<Case> {};

TEST_P(EverySchedule, EverySourceHasExactlyOneMatchingPublish) {
  const std::vector<Schedule> all = all_ranks(GetParam());
  for (const Schedule& schedule : all) {
    for (const Step& step : schedule.steps) expect_matched(step, schedule.shape.rank, all);
  }
}

TEST_P(EverySchedule, EveryPublishIsReadByEveryoneItIsAddressedTo) {
  const std::vector<Schedule> all = all_ranks(GetParam());
  for (const Schedule& schedule : all) {
    const int me = schedule.shape.rank;
    for (const Step& publish : schedule.steps) {
      if (publish.verb != Verb::kPublish) continue;
      for (const Schedule& theirs : all) {
        if (theirs.shape.rank == me || !reaches(publish, theirs.shape.rank)) continue;
        const bool read = std::any_of(theirs.steps.begin(), theirs.steps.end(), [&](const Step& s) {
          return std::any_of(s.sources.begin(), s.sources.end(), [&](const Source& source) {
            return source.rank == me && source.phase == publish.phase &&
                   publish.parts.first >= source.part &&
                   publish.parts.last <= source.part + s.parts.size();
          });
        });
        EXPECT_TRUE(read) << "rank " << theirs.shape.rank << " ignores rank " << me;
      }
    }
  }
}

TEST_P(EverySchedule, PublishesEachPartAtMostOnceInAFewPhases) {
  for (const Schedule& schedule : all_ranks(GetParam())) expect_published_at_most_once(schedule);
}

TEST_P(EverySchedule, ReadsAsManyPartsAsItsRowSays) {
  for (const Schedule& schedule : all_ranks(GetParam())) {
    EXPECT_EQ(parts_read(schedule), row_of(GetParam()).parts_read(schedule.shape))
        << "rank " << schedule.shape.rank;
  }
}

TEST_P(EverySchedule, HasTheSameNumberOfPartsOnAllRanks) {
  const std::vector<Schedule> all = all_ranks(GetParam());
  for (const Schedule& schedule : all) EXPECT_EQ(schedule.parts, all.front().parts);
}

TEST_P(EverySchedule, EndsWithoutDeadlockAndWithTheRightResult) {
  const Case& c = GetParam();
  const std::vector<Schedule> all = all_ranks(c);
  const Simulation result = Simulator(all).run();
  ASSERT_FALSE(result.deadlock);
  ASSERT_EQ(result.problem, "");
  for (int r = 0; r < c.nranks; ++r) {
    const auto& output = result.output[static_cast<size_t>(r)];
    const std::vector<std::string> expected =
        expected_output(c, r, static_cast<int>(output.size()));
    for (size_t part = 0; part < expected.size(); ++part) {
      ASSERT_TRUE(output[part].has_value()) << "rank " << r << " never wrote part " << part;
      ASSERT_EQ(*output[part], expected[part]) << "rank " << r << " part " << part;
    }
  }
}

TEST_P(EverySchedule, PrintsOneLinePerStep) {
  for (const Schedule& schedule : all_ranks(GetParam())) {
    const std::string text = describe(schedule);
    EXPECT_EQ(std::count(text.begin(), text.end(), '\n'),
              static_cast<std::ptrdiff_t>(schedule.steps.size()) + 1);
    EXPECT_NE(text.find("rank " + std::to_string(schedule.shape.rank) + " of "), std::string::npos);
    EXPECT_EQ(text.find('?'), std::string::npos) << text;
  }
}

INSTANTIATE_TEST_SUITE_P(Registry, EverySchedule, testing::ValuesIn(simulated_cases()));

// A barrier moves nothing, but nobody passes it before everybody has reached it.
TEST(BarrierSchedule, NobodyLeavesWhileOneRankHasNotArrived) {
  for (const Row& row : registry()) {
    if (row.kind != Kind::kBarrier) continue;
    for (int n = 2; n <= 33; ++n) {
      for (int r = 0; r < n; ++r) {
        std::set<int> awaited;
        for (const Step& step : row.make({r, n, 0}).steps) {
          for (const Source& source : step.sources) awaited.insert(source.rank);
        }
        EXPECT_EQ(awaited.size(), static_cast<size_t>(n - 1)) << "n=" << n << ",rank=" << r;
        EXPECT_EQ(awaited.count(r), 0u);
      }
    }
  }
}

// Up to 4,096 ranks: the schedules of a few ranks, and of a few of those that they read from.
class LargeSchedule : public testing::TestWithParam<Case> {};

TEST_P(LargeSchedule, OfSampledRanksMatchesThatOfSampledPeers) {
  const Case& c = GetParam();
  const int n = c.nranks;
  std::set<int> sample{0, 1, n / 3, n / 2, n - 2, n - 1};
  std::vector<Schedule> all(static_cast<size_t>(n));
  for (int r : sample) all[static_cast<size_t>(r)] = row_of(c).make({r, n, c.root});
  for (int r : sample) {
    const Schedule& mine = all[static_cast<size_t>(r)];
    EXPECT_EQ(parts_read(mine), row_of(c).parts_read(mine.shape));
    expect_published_at_most_once(mine);
    for (Step step : mine.steps) {
      if (step.verb == Verb::kReduce) {
        ASSERT_EQ(step.sources.size(), static_cast<size_t>(n));
        for (int s = 0; s < n; ++s) ASSERT_EQ(step.sources[static_cast<size_t>(s)].rank, s);
      }
      std::erase_if(step.sources, [&](const Source& s) { return sample.count(s.rank) == 0; });
      expect_matched(step, r, all);
    }
  }
}

std::vector<Case> large_cases() {
  std::vector<Case> cases;
  for (int row = 0; row < static_cast<int>(registry().size()); ++row) {
    for (int n : {64, 100, 255, 256, 257, 1000, 1024, 2047, 4095, 4096}) {
      cases.push_back({row, n, n / 2});
    }
  }
  return cases;
}

INSTANTIATE_TEST_SUITE_P(Registry, LargeSchedule, testing::ValuesIn(large_cases()));

TEST(Registry, FindsEveryRowByItsAlgorithm) {
  for (const Row& r : registry()) {
    EXPECT_EQ(&row(r.algorithm), &r);
    for (const char* text : {r.name, r.steps, r.bytes, r.exact, r.ranks, r.source}) {
      EXPECT_STRNE(text, "");
    }
  }
}

TEST(Registry, NamesEveryKind) {
  std::set<std::string> names;
  for (int k = 0; k < kNumKinds; ++k) names.insert(kind_name(static_cast<Kind>(k)));
  EXPECT_EQ(names,
            (std::set<std::string>{"all_reduce", "broadcast", "barrier", "reduce", "all_gather",
                                   "reduce_scatter", "all_to_all", "gather", "scatter"}));
}

// The simulator itself must see what it is there to see.
TEST(Simulator, SeesADeadlock) {
  ScheduleBuilder a({0, 2, 0}, 1);
  a.copy(Place::kOutput, {0, 1}, a.theirs(1, 0));
  a.publish(0, Place::kInput, {0, 1});
  ScheduleBuilder b({1, 2, 0}, 1);
  b.copy(Place::kOutput, {0, 1}, b.theirs(0, 0));
  b.publish(0, Place::kInput, {0, 1});
  EXPECT_TRUE(Simulator({a.finish(), b.finish()}).run().deadlock);
}

TEST(Simulator, SeesAWrongOrderAndAMissingPart) {
  ScheduleBuilder a({0, 2, 0}, 1);
  a.publish(0, Place::kInput, {0, 1});
  a.reduce(Place::kOutput, {0, 1}, {a.theirs(1, 0), a.mine(Place::kInput)});
  ScheduleBuilder b({1, 2, 0}, 1);
  b.publish(0, Place::kInput, {0, 0});
  b.copy(Place::kOutput, {0, 1}, b.theirs(0, 0));
  const Simulation result = Simulator({a.finish(), b.finish()}).run();
  EXPECT_FALSE(result.deadlock);
  EXPECT_EQ(result.problem, "rank 0 read what rank 1 never published, part 0");
  EXPECT_EQ(result.output[1][0], contribution(0, 0));
}

}  // namespace
}  // namespace goss::collectives
