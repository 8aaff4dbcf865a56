// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Properties of the schedules that only messages can carry, for every number of ranks up to 33: no
// deadlock, and every contribution in every result exactly once.
#include "collectives/forwarding_schedules.h"

#include <gtest/gtest.h>

#include <map>

#include "collectives/registry.h"
#include "support/simulate.h"

namespace goss::collectives {
namespace {

struct Case {
  int row;  // of the forwarding registry
  int nranks;
  int root;
};

std::ostream& operator<<(std::ostream& out, const Case& c) {
  const Row& row = forwarding_registry()[static_cast<size_t>(c.row)];
  return out << kind_name(row.kind) << "/" << row.name << ",n=" << c.nranks << ",root=" << c.root;
}

std::vector<Case> cases() {
  std::vector<Case> all;
  for (int row = 0; row < static_cast<int>(forwarding_registry().size()); ++row) {
    const bool rooted = facts(forwarding_registry()[static_cast<size_t>(row)].kind).rooted;
    for (int n = 1; n <= 33; ++n) {
      for (int root = 0; root < (rooted ? n : 1); root += 1 + n / 3) all.push_back({row, n, root});
    }
  }
  return all;
}

class ForwardingSchedule : public testing::TestWithParam<Case> {
 protected:
  const Row& row() const { return forwarding_registry()[static_cast<size_t>(GetParam().row)]; }
  std::vector<Schedule> all() const {
    std::vector<Schedule> schedules;
    for (int r = 0; r < GetParam().nranks; ++r) {
      schedules.push_back(row().make({r, GetParam().nranks, GetParam().root}));
    }
    return schedules;
  }
};

// "r3p1;r4p1;" -> how often each contribution is in it.
std::map<std::string, int> contributions(const std::string& text) {
  std::map<std::string, int> found;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = text.find(';', begin) + 1;
    ++found[text.substr(begin, end - begin)];
    begin = end;
  }
  return found;
}

TEST_P(ForwardingSchedule, EndsWithEveryContributionInEveryResultOnce) {
  const Case& c = GetParam();
  const test::Simulation result = test::Simulator(all()).run();
  ASSERT_FALSE(result.deadlock);
  ASSERT_EQ(result.problem, "");
  const int parts = all().front().parts;
  for (int part = 0; part < parts; ++part) {
    std::map<std::string, int> expected;
    if (row().kind == Kind::kBroadcast) expected[test::contribution(c.root, part)] = 1;
    for (int r = 0; row().kind == Kind::kAllReduce && r < c.nranks; ++r) {
      expected[test::contribution(r, part)] = 1;
    }
    for (int r = 0; r < c.nranks; ++r) {
      const auto& got = result.output[static_cast<size_t>(r)][static_cast<size_t>(part)];
      ASSERT_TRUE(got.has_value()) << "rank " << r << " part " << part;
      ASSERT_EQ(contributions(*got), expected) << "rank " << r << " part " << part;
      // One result, made once and passed on.
      ASSERT_EQ(*got, *result.output[0][static_cast<size_t>(part)]) << "rank " << r;
    }
  }
}

TEST_P(ForwardingSchedule, ReadsAsManyPartsAsItsRowSays) {
  for (const Schedule& schedule : all()) {
    int parts = 0;
    for (const Step& step : schedule.steps) {
      for (const Source& source : step.sources) {
        if (source.rank != schedule.shape.rank) parts += step.parts.size();
      }
    }
    if (GetParam().nranks == 1) {
      EXPECT_EQ(parts, 0);
    } else {
      EXPECT_EQ(parts, row().parts_read(schedule.shape)) << "rank " << schedule.shape.rank;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Registry, ForwardingSchedule, testing::ValuesIn(cases()));

TEST(Ring, SpeaksToNeighboursOnly) {
  for (int n = 2; n <= 33; ++n) {
    for (int r = 0; r < n; ++r) {
      for (const Step& step : forwarding_all_reduce_ring({r, n, 0}).steps) {
        if (step.verb == Verb::kPublish) EXPECT_EQ(step.to, (r + 1) % n);
      }
    }
  }
}

TEST(ForwardingRegistry, IsFoundByAlgorithm) {
  for (const Row& entry : forwarding_registry()) {
    EXPECT_EQ(&row(entry.algorithm), &entry);
  }
}

}  // namespace
}  // namespace goss::collectives
