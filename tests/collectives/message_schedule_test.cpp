// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Properties of every algorithm over messages, for every number of ranks up to 33 and sampled ones
// up to 4,096.
#include "collectives/message_schedule.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "collectives/registry.h"
#include "support/simulate_messages.h"

namespace goss::collectives {
namespace {

using test::contribution;
using test::MessageSimulator;
using test::Simulation;

std::string name_of(const MessageRow& row, int n, int root) {
  return std::string(kind_name(row.kind)) + "/" + row.name + ",n=" + std::to_string(n) +
         ",root=" + std::to_string(root);
}

std::vector<MessageSchedule> all_ranks(const MessageRow& row, int n, int root) {
  std::vector<MessageSchedule> schedules;
  for (int r = 0; r < n; ++r) schedules.push_back(row.make({r, n, root}));
  return schedules;
}

// What went into a sum, in order of ranks, whatever the order in which it was added.
std::string sorted_terms(const std::string& text) {
  std::vector<std::string> terms;
  for (size_t at = 0; at < text.size();) {
    const size_t end = text.find(';', at) + 1;
    terms.push_back(text.substr(at, end - at));
    at = end;
  }
  std::sort(terms.begin(), terms.end());
  std::string all;
  for (const std::string& term : terms) all += term;
  return all;
}

std::string sum_of(int n, int part) {
  std::string text;
  for (int r = 0; r < n; ++r) text += contribution(r, part);
  return text;
}

// From the definition of the collective; "" where there is no result.
std::string expected(const MessageRow& row, int n, int root, int rank, int part) {
  switch (row.kind) {
    case Kind::kBarrier: return "";
    case Kind::kAllReduce: return sum_of(n, part);
    case Kind::kReduce: return rank == root ? sum_of(n, part) : "";
    case Kind::kBroadcast: return contribution(root, part);
    case Kind::kReduceScatter: return sum_of(n, rank);
    case Kind::kAllGather: return contribution(part, 0);
    case Kind::kGather: return rank == root ? contribution(part, 0) : "";
    case Kind::kAllToAll: return contribution(part, rank);
    case Kind::kScatter: return contribution(root, rank);
  }
  return "";
}

void expect_right(const MessageRow& row, int n, int root) {
  SCOPED_TRACE(name_of(row, n, root));
  const Simulation result = MessageSimulator(all_ranks(row, n, root)).run();
  ASSERT_FALSE(result.deadlock);
  ASSERT_EQ(result.problem, "");
  const bool in_rank_order = std::string(row.exact).find("lower rank left") != std::string::npos;
  for (int r = 0; r < n; ++r) {
    const auto& output = result.output[static_cast<size_t>(r)];
    for (size_t part = 0; part < output.size(); ++part) {
      const std::string wanted = expected(row, n, root, r, static_cast<int>(part));
      if (wanted.empty()) continue;
      ASSERT_TRUE(output[part].has_value()) << "rank " << r << " part " << part;
      if (in_rank_order) {
        ASSERT_EQ(*output[part], wanted) << "rank " << r;
      } else {
        ASSERT_EQ(sorted_terms(*output[part]), sorted_terms(wanted)) << "rank " << r;
      }
      // Added in one order for all ranks: one rank's bits are every rank's.
      if (row.kind == Kind::kAllReduce) {
        const std::string& first = *result.output[0][part];
        std::string mine = *output[part];
        if (std::string(row.name) == "doubling") continue;  // the two sides of a sum commute
        ASSERT_EQ(mine, first) << "rank " << r;
      }
    }
  }
}

TEST(MessageSchedules, GiveTheRightResultForEveryNumberOfRanksUpTo33) {
  for (const MessageRow& row : message_registry()) {
    for (int n = 1; n <= 33; ++n) {
      std::set<int> roots{0};
      if (facts(row.kind).rooted) roots.insert({n / 3, n - 1});
      for (int root : roots) expect_right(row, n, root);
    }
  }
}

TEST(MessageSchedules, GiveTheRightResultForHundredsOfRanks) {
  for (const MessageRow& row : message_registry()) {
    for (int n : {64, 100, 129}) expect_right(row, n, n / 2);
  }
}

// Lengths of the messages of one rank to another, in order.
std::vector<int> lengths(const MessageSchedule& schedule, MessageVerb verb, int peer) {
  std::vector<int> all;
  for (const MessageStep& step : schedule.steps) {
    if (step.verb == verb && step.peer == peer) all.push_back(step.parts.size());
  }
  return all;
}

TEST(MessageSchedules, OfThousandsOfRanksMatchThoseOfTheirPeers) {
  for (const MessageRow& row : message_registry()) {
    for (int n : {1000, 1024, 4095, 4096}) {
      SCOPED_TRACE(name_of(row, n, n / 2));
      const std::set<int> sample{0, 1, n / 3, n / 2, n / 2 + 1, n - 1};
      for (int r : sample) {
        const MessageSchedule mine = row.make({r, n, n / 2});
        for (int q : sample) {
          const MessageSchedule theirs = row.make({q, n, n / 2});
          ASSERT_EQ(lengths(mine, MessageVerb::kSend, q), lengths(theirs, MessageVerb::kReceive, r))
              << "from " << r << " to " << q;
        }
      }
    }
  }
}

// Memory that a step writes or reads lies within what the schedule says that it has.
TEST(MessageSchedules, StayWithinTheirBuffersAndSendOnlyWhatIsContiguous) {
  for (const MessageRow& row : message_registry()) {
    for (int n = 1; n <= 33; ++n) {
      for (const MessageSchedule& schedule : all_ranks(row, n, n / 2)) {
        SCOPED_TRACE(name_of(row, n, n / 2));
        const auto check = [&](Spot spot, Parts parts) {
          const Layout layout = spot.place == Place::kInput ? schedule.input : schedule.output;
          int most = layout == Layout::kBlocks ? n : 1;
          if (schedule.vectors()) most = schedule.parts;
          if (spot.place == Place::kScratch) most = schedule.scratch;
          EXPECT_GE(spot.index, 0);
          EXPECT_LE(spot.index + parts.size(), most);
          if (spot.place != Place::kScratch && !schedule.vectors()) EXPECT_LE(parts.size(), 1);
          if (spot.place != Place::kScratch && schedule.vectors() && parts.size() > 0) {
            EXPECT_EQ(spot.index, parts.first) << "another part of a vector";
          }
        };
        for (const MessageStep& step : schedule.steps) {
          check(step.at, step.parts);
          for (const Spot& source : step.sources) check(source, step.parts);
          if (step.verb == MessageVerb::kSend || step.verb == MessageVerb::kReceive) {
            EXPECT_NE(step.peer, schedule.shape.rank);
          }
        }
      }
    }
  }
}

// Nobody has received a last message before everybody has sent a first one.
TEST(MessageSchedules, LetNobodyLeaveABarrierBeforeAllHaveCome) {
  for (const MessageRow& row : message_registry()) {
    if (row.kind != Kind::kBarrier) continue;
    for (int n = 2; n <= 33; ++n) {
      // Without one rank, nobody ends.
      for (int missing = 0; missing < n; ++missing) {
        std::vector<MessageSchedule> all = all_ranks(row, n, 0);
        all[static_cast<size_t>(missing)].steps.clear();
        std::vector<size_t> pc(static_cast<size_t>(n), 0);
        std::map<std::pair<int, int>, int> sent;
        for (bool moved = true; moved;) {
          moved = false;
          for (int r = 0; r < n; ++r) {
            auto& steps = all[static_cast<size_t>(r)].steps;
            size_t& at = pc[static_cast<size_t>(r)];
            while (at < steps.size()) {
              const MessageStep& step = steps[at];
              if (step.verb == MessageVerb::kSend) ++sent[{r, step.peer}];
              if (step.verb == MessageVerb::kReceive && --sent[{step.peer, r}] < 0) {
                ++sent[{step.peer, r}];
                break;
              }
              ++at;
              moved = true;
            }
          }
        }
        for (int r = 0; r < n; ++r) {
          if (r == missing) continue;
          ASSERT_LT(pc[static_cast<size_t>(r)], all[static_cast<size_t>(r)].steps.size())
              << "n=" << n << ": rank " << r << " left without rank " << missing;
        }
      }
    }
  }
}

TEST(MessageRegistry, FindsEveryRowByItsAlgorithm) {
  for (const MessageRow& r : message_registry()) {
    EXPECT_EQ(&row(r.algorithm), &r);
    for (const char* text : {r.name, r.steps, r.bytes, r.exact, r.source}) EXPECT_STRNE(text, "");
  }
}

TEST(MessageRegistry, SendsAsLittleAsTheRingsPromise) {
  for (int n = 2; n <= 33; ++n) {
    MessageSimulator ring(all_ranks(row(MessageAlgorithm::kAllReduceRing), n, 0));
    ring.run();
    for (int r = 0; r < n; ++r) EXPECT_EQ(ring.sent(r), static_cast<size_t>(2 * (n - 1)));
  }
}

}  // namespace
}  // namespace goss::collectives
