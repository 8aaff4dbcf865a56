// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "temporary_folder.h"

namespace goss::train {
namespace {

using ::testing::HasSubstr;

Options parse(std::vector<std::string> words) {
  words.insert(words.begin(), "goss-train");
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  return parse_options(static_cast<int>(argv.size()), argv.data()).value();
}

TEST(Options, FlagsReachThePlannerAndTheController) {
  const Options o =
      parse({"--mode", "reversed", "--batches", "16,128", "--shares", ".3,.7", "--seed", "9",
             "--batch-warmup", "3", "--precision", "level", "--epochs", "7"});
  EXPECT_EQ(o.batches.mode, gossBatchReversed);
  EXPECT_EQ(o.batches.buckets, 2);
  EXPECT_EQ(o.batches.batch[1], 128);
  EXPECT_DOUBLE_EQ(o.batches.share[0], .3);
  EXPECT_EQ(o.batches.seed, 9u);
  EXPECT_EQ(o.batches.epochs, 7);
  EXPECT_TRUE(o.watch_precision);
  EXPECT_EQ(o.precision.rule, gossPrecisionLevel);
  EXPECT_EQ(o.precision.buckets, 2);
  EXPECT_EQ(o.precision.warmupEpochs, 3);
}

TEST(Options, TheControllerHasAsManyBucketsAsThePlanner) {
  for (const char* mode : {"fixed", "growth", "infobatch"}) {
    EXPECT_EQ(parse({"--precision", "level", "--mode", mode}).precision.buckets, 1) << mode;
  }
  for (const char* mode : {"adaptive", "sizes-random", "reversed", "sorted"}) {
    EXPECT_EQ(parse({"--precision", "level", "--mode", mode}).precision.buckets, 3) << mode;
  }
}

TEST(Options, WhatIsComputedIsInTheJson) {
  const auto base = to_json(parse({}));
  for (const std::vector<std::string>& words : {std::vector<std::string>{"--lr", "1"},
                                                {"--data", "textures"},
                                                {"--label-noise", ".1"},
                                                {"--lr-rule", "adascale"},
                                                {"--guard", "0"},
                                                {"--momentum", "0"},
                                                {"--trim", "0"},
                                                {"--bounds", "apply"},
                                                {"--codec", "int4"},
                                                {"--sync", "gossip"}}) {
    EXPECT_NE(to_json(parse(words)), base) << words[0];
  }
  EXPECT_EQ(to_json(parse({"--log", "x", "--quiet"})), base);
  const auto mixed = to_json(parse({"--sync", "gossip"}));
  for (const std::vector<std::string>& words : {std::vector<std::string>{"--gossip-order", "cta"},
                                                {"--gossip-topology", "ring"},
                                                {"--gossip-global-every", "9"},
                                                {"--gossip-compression", "modulo"},
                                                {"--gossip-bits", "3"},
                                                {"--gossip-rotate"},
                                                {"--gossip-deterministic"}}) {
    std::vector<std::string> all = words;
    all.insert(all.end(), {"--sync", "gossip"});
    EXPECT_NE(to_json(parse(all)), mixed) << words[0];
  }
}

TEST(Options, MistakesAreNamed) {
  EXPECT_THAT(failure_of([] { parse({"--batches", "32,64"}); }), HasSubstr("2 sizes, --shares 3"));
  EXPECT_THAT(failure_of([] { parse({"--mode", "best"}); }), HasSubstr("best"));
  EXPECT_THAT(failure_of([] { parse({"--resume"}); }), HasSubstr("--checkpoint"));
  EXPECT_THAT(failure_of([] { parse({"--what"}); }), HasSubstr("--what"));
  EXPECT_THAT(failure_of([] {
                parse({"--gossip-order", "cta"});
              }),
              HasSubstr("--gossip-order says nothing without --sync gossip"));
  for (const auto& [words, complaint] :
       std::vector<std::pair<std::vector<std::string>, std::string>>{
           {{"--feedback", "int8"}, "nothing without --codec"},
           {{"--codec", "int9"}, "int9"},
           {{"--codec", "adaptive"}, "needs --precision"},
           {{"--codec", "int4", "--sync", "gossip"}, "--gossip-compression"},
           {{"--codec", "int4", "--lr-rule", "adascale"}, "adascale"}}) {
    EXPECT_THAT(failure_of([&words = words] { parse(words); }), HasSubstr(complaint)) << words[0];
  }
}

}  // namespace
}  // namespace goss::train
