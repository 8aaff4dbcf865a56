// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Lowering, the choice of an algorithm, and the cache of programs.
#include "engine/plan.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "support/scoped_env.h"

namespace goss::engine {
namespace {

using collectives::Algorithm;
using collectives::Kind;
using collectives::Place;
using collectives::registry;
using collectives::Row;
using Code = Instruction::Code;

struct Case {
  int row;
  int nranks;
  int root;
};

std::ostream& operator<<(std::ostream& out, const Case& c) {
  const Row& row = registry()[static_cast<size_t>(c.row)];
  return out << kind_name(row.kind) << "/" << row.name << ",n=" << c.nranks << ",root=" << c.root;
}

std::vector<Case> cases() {
  std::vector<Case> all;
  for (int row = 0; row < static_cast<int>(registry().size()); ++row) {
    for (int n : {1, 2, 3, 4, 5, 8, 13, 16, 17, 33}) {
      all.push_back({row, n, 0});
      if (facts(registry()[static_cast<size_t>(row)].kind).rooted && n > 1) {
        all.push_back({row, n, n - 1});
      }
    }
  }
  return all;
}

class EveryProgram : public testing::TestWithParam<Case> {
 protected:
  void SetUp() override {
    const Case& c = GetParam();
    for (int r = 0; r < c.nranks; ++r) {
      programs_.push_back(lower(registry()[static_cast<size_t>(c.row)], {r, c.nranks, c.root}));
    }
  }
  const Program& program(int rank) const { return programs_[static_cast<size_t>(rank)]; }

  // Where `rank` raises the flag of `phase`; -1: nowhere, -2: more than once.
  int flag_of(int rank, int phase) const {
    int found = -1;
    const std::vector<Instruction>& code = program(rank).instructions;
    for (size_t i = 0; i < code.size(); ++i) {
      if (code[i].code != Code::kFlag || code[i].phase != phase) continue;
      found = found == -1 ? static_cast<int>(i) : -2;
    }
    return found;
  }

  // Whether `part` is in the cell of `rank` when it raises `phase`.
  bool stored_before_flag(int rank, int phase, int part) const {
    const std::vector<Instruction>& code = program(rank).instructions;
    const auto flag = static_cast<size_t>(std::max(0, flag_of(rank, phase)));
    return std::any_of(
        code.begin(), code.begin() + static_cast<std::ptrdiff_t>(flag), [&](const Instruction& i) {
          const bool stores = i.code == Code::kPublish ||
                              (i.code == Code::kReduce && (i.from_output || !i.to_output));
          return stores && i.first <= part && part < i.last;
        });
  }

  std::vector<Program> programs_;
};

TEST_P(EveryProgram, WaitsOnlyForFlagsThatThePeerRaisesOnce) {
  for (int r = 0; r < GetParam().nranks; ++r) {
    for (const Instruction& i : program(r).instructions) {
      if (i.code != Code::kWait) continue;
      EXPECT_NE(i.peer, r);
      EXPECT_GE(flag_of(i.peer, i.phase), 0) << "rank " << r << " waits for " << i.peer;
    }
  }
}

TEST_P(EveryProgram, ReadsOnlyWhatThePeerStoredBeforeAFlagThatWasAwaited) {
  for (int r = 0; r < GetParam().nranks; ++r) {
    std::set<std::pair<int, int>> awaited;
    const auto expect_readable = [&](int peer, int phase, int first, const Instruction& i) {
      EXPECT_TRUE(awaited.count({peer, phase})) << "rank " << r << " does not wait for " << peer;
      for (int part = first; part < first + i.last - i.first; ++part) {
        EXPECT_TRUE(stored_before_flag(peer, phase, part)) << "part " << part << " of " << peer;
      }
    };
    for (const Instruction& i : program(r).instructions) {
      if (i.code == Code::kWait) awaited.insert({i.peer, i.phase});
      if (i.code == Code::kCopyPeer) expect_readable(i.peer, i.phase, i.source_part, i);
      for (int s = i.source_begin; i.code == Code::kReduce && s < i.source_end; ++s) {
        const Program::SourceRef& source = program(r).sources[static_cast<size_t>(s)];
        if (source.phase >= 0) expect_readable(source.rank, source.phase, source.part, i);
      }
    }
  }
}

TEST_P(EveryProgram, ReducesTheSourcesInRankOrder) {
  for (int r = 0; r < GetParam().nranks; ++r) {
    for (const Instruction& i : program(r).instructions) {
      if (i.code != Code::kReduce) continue;
      ASSERT_EQ(i.source_end - i.source_begin, GetParam().nranks);
      for (int s = 0; s < GetParam().nranks; ++s) {
        const Program::SourceRef& source =
            program(r).sources[static_cast<size_t>(i.source_begin + s)];
        EXPECT_EQ(source.rank, s);
        EXPECT_EQ(source.phase < 0, s == r) << "only the own input is read in place";
      }
    }
  }
}

TEST_P(EveryProgram, HasStagesThatCoverItAndBeginWithAWait) {
  for (const Program& p : programs_) {
    ASSERT_GE(p.nstages(), 1);
    EXPECT_EQ(p.stages.front(), 0);
    EXPECT_EQ(p.stages.back(), static_cast<int>(p.instructions.size()));
    EXPECT_TRUE(std::is_sorted(p.stages.begin(), p.stages.end()));
    for (int s = 0; s < p.nstages(); ++s) {
      bool flagged = false;
      for (int i = p.stages[static_cast<size_t>(s)]; i < p.stages[static_cast<size_t>(s) + 1];
           ++i) {
        const Code code = p.instructions[static_cast<size_t>(i)].code;
        const bool first = i == p.stages[static_cast<size_t>(s)];
        EXPECT_TRUE(s == 0 || !first || code == Code::kWait);
        EXPECT_FALSE(flagged && code == Code::kWait) << "a wait after a flag in one stage";
        flagged |= code == Code::kFlag;
      }
    }
  }
}

// What a reader in place must know: from which buffer a phase of its peers comes.
TEST_P(EveryProgram, KnowsFromWhichBufferEveryPhaseComes) {
  for (const Program& p : programs_) {
    for (const Instruction& i : p.instructions) {
      if (i.code != Code::kCopyPeer && i.code != Code::kReduce) continue;
      const auto check = [&](int peer, int phase, int first) {
        const int last = first + i.last - i.first;
        for (const Instruction& theirs : program(peer).instructions) {
          if (&theirs - program(peer).instructions.data() > flag_of(peer, phase)) break;
          if (theirs.code != Code::kPublish || theirs.first > first || theirs.last < last) continue;
          EXPECT_EQ(p.phase_place[phase] == Place::kOutput, theirs.from_output);
        }
      };
      if (i.code == Code::kCopyPeer) check(i.peer, i.phase, i.source_part);
      for (int s = i.source_begin; i.code == Code::kReduce && s < i.source_end; ++s) {
        const Program::SourceRef& source = p.sources[static_cast<size_t>(s)];
        if (source.phase >= 0) check(source.rank, source.phase, source.part);
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Registry, EveryProgram, testing::ValuesIn(cases()));

TEST(Lowering, OfTwoShotPublishesTheResultAsItIsMade) {
  const Program p = lower(collectives::row(Algorithm::kAllReduceTwoShot), {1, 4, 0});
  const auto reduce = std::find_if(p.instructions.begin(), p.instructions.end(),
                                   [](const Instruction& i) { return i.code == Code::kReduce; });
  ASSERT_NE(reduce, p.instructions.end());
  EXPECT_TRUE(reduce->from_output) << "result and published copy are stored in one pass";
  EXPECT_EQ(p.phase_place[0], Place::kInput);
  EXPECT_EQ(p.phase_place[1], Place::kOutput);
  EXPECT_TRUE(p.publishes_results);
}

// The part that a rank reduces for the root is nowhere but in its cell.
TEST(Lowering, OfATwoShotReduceLeavesTheResultsOfOthersInTheirCells) {
  const Program p = lower(collectives::row(Algorithm::kReduceTwoShot), {1, 4, 3});
  const auto reduce = std::find_if(p.instructions.begin(), p.instructions.end(),
                                   [](const Instruction& i) { return i.code == Code::kReduce; });
  ASSERT_NE(reduce, p.instructions.end());
  EXPECT_FALSE(reduce->to_output);
  EXPECT_EQ(p.phase_place[1], Place::kScratch) << "also for the rank that publishes it";
  EXPECT_TRUE(p.publishes_scratch);
  EXPECT_FALSE(p.publishes_results);
}

Operation all_reduce(DataType type, size_t count) {
  Operation operation;
  operation.kind = Kind::kAllReduce;
  operation.type = type;
  operation.count = count;
  return operation;
}

bool same(const Choice& a, const Choice& b) {
  return a.path == b.path && a.algorithm == b.algorithm;
}

TEST(Choose, SendsUpTo1016BytesWithTheFlagThenTakesOneShotThenTwoShot) {
  for (int n : {2, 3, 8, 9, 64}) {
    EXPECT_EQ(choose(all_reduce(gossFloat32, 254), n, Forced::kAuto).path, Path::kInline);
    const Choice next = choose(all_reduce(gossFloat32, 255), n, Forced::kAuto);
    EXPECT_EQ(next.path, Path::kMapped);
    EXPECT_EQ(next.algorithm, Algorithm::kAllReduceOneShot);
    const Choice large = choose(all_reduce(gossFloat32, 1 << 20), n, Forced::kAuto);
    EXPECT_EQ(large.path, Path::kMapped);
    EXPECT_EQ(large.algorithm, Algorithm::kAllReduceTwoShot);
  }
}

TEST(Choose, SwitchesOnceAsTheSizeGrows) {
  for (int n : {2, 4, 16}) {
    int switches = 0;
    Choice before = choose(all_reduce(gossInt8, 1), n, Forced::kAuto);
    for (size_t bytes = 2; bytes < (1u << 16); ++bytes) {
      const Choice now = choose(all_reduce(gossInt8, bytes), n, Forced::kAuto);
      switches += same(before, now) ? 0 : 1;
      before = now;
    }
    EXPECT_EQ(switches, 2) << "n=" << n;
  }
}

// Ranks decide for themselves: nothing that may differ between them may matter.
TEST(Choose, IgnoresBuffersOpsAndElementTypesOfEqualBytes) {
  std::byte bytes[8];
  for (size_t size : {8, 56, 64, 1016, 1024, 8192, 16384, 1 << 20}) {
    for (const Forced forced :
         {Forced::kAuto, Forced::kInline, Forced::kOneShot, Forced::kTwoShot}) {
      const Choice plain = choose(all_reduce(gossInt8, size), 4, forced);
      Operation other = all_reduce(gossFloat64, size / 8);
      other.op = gossMin;
      other.buffer = {bytes, bytes, size / 8};
      other.calls = 3;
      EXPECT_TRUE(same(plain, choose(other, 4, forced))) << size << " bytes";
    }
  }
}

TEST(Choose, MovesNothingForCountZeroAndForABarrierAlone) {
  EXPECT_EQ(choose(all_reduce(gossFloat32, 0), 4, Forced::kTwoShot).path, Path::kNothing);
  Operation broadcast;
  broadcast.kind = Kind::kBroadcast;
  EXPECT_EQ(choose(broadcast, 4, Forced::kAuto).path, Path::kNothing);
  EXPECT_EQ(choose(Operation(), 1, Forced::kAuto).path, Path::kNothing);
  EXPECT_EQ(choose(Operation(), 2, Forced::kAuto).path, Path::kInline);
}

TEST(Choose, DoesWhatItIsForcedToWhereThatIsPossible) {
  const Operation small = all_reduce(gossInt8, 8);
  const Operation large = all_reduce(gossInt8, 1 << 20);
  EXPECT_EQ(choose(small, 4, Forced::kInline).path, Path::kInline);
  EXPECT_EQ(choose(small, 4, Forced::kOneShot).path, Path::kMapped);
  EXPECT_EQ(choose(small, 4, Forced::kOneShot).algorithm, Algorithm::kAllReduceOneShot);
  EXPECT_EQ(choose(small, 4, Forced::kTwoShot).algorithm, Algorithm::kAllReduceTwoShot);
  EXPECT_EQ(choose(large, 4, Forced::kOneShot).algorithm, Algorithm::kAllReduceOneShot);
  EXPECT_EQ(choose(large, 4, Forced::kInline).path, Path::kMapped) << "it does not fit in a line";
}

TEST(ForcedAlgorithm, ComesFromTheEnvironment) {
  const std::pair<const char*, Forced> known[] = {{nullptr, Forced::kAuto},
                                                  {"auto", Forced::kAuto},
                                                  {"inline", Forced::kInline},
                                                  {"oneshot", Forced::kOneShot},
                                                  {"twoshot", Forced::kTwoShot}};
  for (const auto& [text, forced] : known) {
    const test::ScopedEnv env("GOSS_ALGO", text);
    Result<Forced> result = forced_algorithm();
    ASSERT_TRUE(result.ok());
    EXPECT_EQ(result.value(), forced);
  }
  const test::ScopedEnv env("GOSS_ALGO", "teleport");
  const Result<Forced> refused = forced_algorithm();
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.status().code(), gossInvalidUsage);
  EXPECT_NE(refused.status().message().find("GOSS_ALGO=teleport"), std::string::npos);
}

TEST(PlanCache, MakesEachProgramOnce) {
  PlanCache cache(1, 4);
  const Program* first = &cache.get(Algorithm::kAllReduceTwoShot, 0);
  EXPECT_EQ(first->algorithm, Algorithm::kAllReduceTwoShot);
  EXPECT_EQ(&cache.get(Algorithm::kAllReduceTwoShot, 0), first);
  EXPECT_EQ(cache.made(), 1u);
  EXPECT_EQ(cache.get(Algorithm::kBroadcastFlat, 0).algorithm, Algorithm::kBroadcastFlat);
  EXPECT_EQ(cache.get(Algorithm::kAllReduceTwoShot, 0).algorithm, Algorithm::kAllReduceTwoShot);
  EXPECT_EQ(cache.made(), 2u);
}

TEST(PlanCache, StaysBoundedWithMoreRootsThanItHolds) {
  PlanCache cache(0, 100);
  for (int root = 0; root < 32; ++root) cache.get(Algorithm::kBroadcastFlat, root);
  const size_t full = cache.bytes();
  for (int round = 0; round < 3; ++round) {
    for (int root = 0; root < 100; ++root) {
      const Program& program = cache.get(Algorithm::kBroadcastFlat, root);
      ASSERT_EQ(program.publishes, root == 0) << "root " << root;  // the right program, too
    }
  }
  EXPECT_LE(cache.bytes(), 2 * full);
  EXPECT_GT(cache.made(), 200u) << "a cache of 32 cannot hold 100";
}

TEST(PlanCache, DropsTheOneNotUsedForLongest) {
  PlanCache cache(0, 64);
  for (int root = 0; root < 32; ++root) cache.get(Algorithm::kBroadcastFlat, root);
  cache.get(Algorithm::kBroadcastFlat, 0);   // now root 1 is the oldest
  cache.get(Algorithm::kBroadcastFlat, 40);  // takes its place
  EXPECT_EQ(cache.made(), 33u);
  cache.get(Algorithm::kBroadcastFlat, 0);
  EXPECT_EQ(cache.made(), 33u);
  cache.get(Algorithm::kBroadcastFlat, 1);
  EXPECT_EQ(cache.made(), 34u);
}

}  // namespace
}  // namespace goss::engine
