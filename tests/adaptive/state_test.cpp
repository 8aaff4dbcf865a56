// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "adaptive/state.h"

#include <gtest/gtest.h>

namespace goss::adaptive {
namespace {

std::vector<std::byte> sample_state() {
  StateWriter state;
  state.put(uint64_t{5});
  state.put(-3);
  state.put(0.1);
  state.put(std::vector<float>{1.5f, -2.5f});
  return state.finish(StateKind::kPrecision);
}

TEST(State, ComesBackAsItWasPut) {
  auto opened = StateReader::open(sample_state(), StateKind::kPrecision);
  ASSERT_TRUE(opened.ok()) << opened.status().message();
  const std::vector<std::byte> bytes = sample_state();
  StateReader reader = StateReader::open(bytes, StateKind::kPrecision).take();
  EXPECT_EQ(reader.get<uint64_t>("a"), 5u);
  EXPECT_EQ(reader.get<int>("b"), -3);
  EXPECT_EQ(reader.get<double>("c"), 0.1);
  EXPECT_EQ(reader.get_vector<float>("d"), (std::vector<float>{1.5f, -2.5f}));
  EXPECT_TRUE(reader.finish().ok());
}

TEST(State, IsLittleEndianOnEveryMachine) {
  StateWriter state;
  state.put(uint32_t{0x01020304});
  const auto bytes = state.finish(StateKind::kPrecision);
  ASSERT_EQ(bytes.size(), 44u);
  EXPECT_EQ(std::to_integer<int>(bytes[40]), 4);
  EXPECT_EQ(std::to_integer<int>(bytes[43]), 1);
}

TEST(State, EveryChangedByteAndEveryLengthIsNoticed) {
  const auto good = sample_state();
  for (size_t at = 0; at < good.size(); ++at) {
    for (const int flip : {1, 0x80}) {
      auto bad = good;
      bad[at] ^= static_cast<std::byte>(flip);
      const auto opened = StateReader::open(bad, StateKind::kPrecision);
      ASSERT_FALSE(opened.ok()) << "byte " << at;
      EXPECT_NE(opened.status().message().find("byte"), std::string::npos);
    }
  }
  for (size_t length = 0; length < good.size(); ++length) {
    EXPECT_FALSE(StateReader::open(std::span(good).first(length), StateKind::kPrecision).ok());
  }
  auto longer = good;
  longer.push_back(std::byte{0});
  EXPECT_FALSE(StateReader::open(longer, StateKind::kPrecision).ok());
}

TEST(State, OfAnotherObjectNamesBoth) {
  const auto bytes = sample_state();
  const auto opened = StateReader::open(bytes, StateKind::kBatchPlanner);
  ASSERT_FALSE(opened.ok());
  EXPECT_NE(opened.status().message().find("batch planner"), std::string::npos);
  EXPECT_NE(opened.status().message().find("precision controller"), std::string::npos);
}

TEST(State, WhatIsMissingOrLeftOverIsNamed) {
  const auto bytes = sample_state();
  StateReader reader = StateReader::open(bytes, StateKind::kPrecision).take();
  reader.get<uint64_t>("first");
  EXPECT_FALSE(reader.finish().ok());
  StateReader greedy = StateReader::open(bytes, StateKind::kPrecision).take();
  greedy.get<uint64_t>("first");
  greedy.get<int>("second");
  // The bits of 0.1 as a number of elements: refused before memory is taken.
  EXPECT_TRUE(greedy.get_vector<float>("third").empty());
  EXPECT_NE(greedy.status().message().find("third"), std::string::npos)
      << greedy.status().message();
}

}  // namespace
}  // namespace goss::adaptive
