// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "transport/messages/match_table.h"

#include <gtest/gtest.h>

#include <deque>

namespace goss::transport {
namespace {

struct Node {
  int peer = 0;
  MessageKey key;
  int id = 0;
  Node* next_match = nullptr;
};

TEST(MatchTable, GivesEqualKeysBackInTheirOrderHoweverManyThereAre) {
  MatchTable<Node> table;
  std::deque<Node> nodes;
  for (int id = 0; id < 5000; ++id) {
    const auto number = static_cast<uint64_t>(id % 700);
    table.insert(&nodes.emplace_back(Node{id % 3, {number % 5, number}, id, nullptr}));
  }
  std::deque<int> last(2100, -1);
  for (int i = 0; i < 5000; ++i) {
    const auto number = static_cast<uint64_t>(i % 700);
    Node* const node = table.take(i % 3, {number % 5, number});
    ASSERT_NE(node, nullptr);
    int& before = last[number * 3 + static_cast<size_t>(i % 3)];
    EXPECT_GT(node->id, before);
    before = node->id;
  }
  EXPECT_EQ(table.size(), 0U);
  EXPECT_EQ(table.take(0, {0, 0}), nullptr);
}

TEST(MatchTable, TellsPeersAndBothHalvesOfAKeyApart) {
  MatchTable<Node> table;
  Node node{1, {2, 3}, 0, nullptr};
  table.insert(&node);
  EXPECT_EQ(table.take(0, {2, 3}), nullptr);
  EXPECT_EQ(table.take(1, {3, 3}), nullptr);
  EXPECT_EQ(table.take(1, {2, 2}), nullptr);
  EXPECT_EQ(table.take(1, {2, 3}), &node);
}

TEST(MatchTable, RemovesFromTheMiddleAndTakesWhatIsWanted) {
  MatchTable<Node> table;
  std::deque<Node> nodes;
  for (int id = 0; id < 10; ++id) table.insert(&nodes.emplace_back(Node{0, {1, 1}, id, nullptr}));
  table.remove(&nodes[9]);
  table.remove(&nodes[4]);
  int taken = 0;
  table.take_if([](const Node& node) { return node.id % 2 == 1; }, [&](Node*) { ++taken; });
  EXPECT_EQ(taken, 4);  // 1, 3, 5, 7
  for (const int id : {0, 2, 6, 8}) EXPECT_EQ(table.take(0, {1, 1})->id, id);
  table.insert(&nodes[0]);  // the chain's end is right
  table.insert(&nodes[1]);
  EXPECT_EQ(table.take(0, {1, 1})->id, 0);
  EXPECT_EQ(table.take(0, {1, 1})->id, 1);
  EXPECT_EQ(table.size(), 0U);
}

}  // namespace
}  // namespace goss::transport
