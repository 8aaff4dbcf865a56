// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// What gossip refuses, when, and with which words; ranks that differ learn it on both sides.
#include "api/gossip_ranks.h"

#include <gmock/gmock.h>

namespace goss::test {
namespace {

using ::testing::HasSubstr;

gossGossipConfig_t with(void (*change)(gossGossipConfig_t*)) {
  gossGossipConfig_t config = gossip_config();
  change(&config);
  return config;
}

TEST(GossipRefusal, CombinationsThatCannotWorkAreRefusedAtCreationWithTheReason) {
  Comms comms = make_comms(2);
  const auto refuses = [&](const gossGossipConfig_t& config, const char* reason) {
    gossGossip_t gossip = nullptr;
    EXPECT_EQ(gossGossipCreate(&gossip, comms[0], &config), gossInvalidArgument) << reason;
    EXPECT_EQ(gossip, nullptr);
    EXPECT_THAT(last_error(), HasSubstr(reason));
  };
  refuses(with([](auto* c) {
            c->compression = gossGossipEdgeDifference;
            c->rotate = 1;
          }),
          "edge_difference with rotation");
  refuses(with([](auto* c) {
            c->compression = gossGossipModulo;
            c->pushSum = 1;
          }),
          "modulo with push_sum");
  refuses(with([](auto* c) {
            c->compression = gossGossipModulo;
            c->topology = gossRing;
          }),
          "with ring");
  refuses(with([](auto* c) {
            c->compression = gossGossipModulo;
            c->bits = 2;
          }),
          "2 bits");
  refuses(with([](auto* c) { c->maxStale = 1; }), "staleness 1 without push_sum");
  refuses(with([](auto* c) {
            c->pushSum = 1;
            c->globalEvery = 10;
          }),
          "push_sum with global_every");
  refuses(with([](auto* c) { c->topology = gossNumGossipTopologies; }), "topology");
  refuses(with([](auto* c) { c->minAlive = 3; }), "minAlive is 3; give 1 to 2");
  refuses(with([](auto* c) { c->magic = 0; }), "GOSS_GOSSIP_CONFIG_INITIALIZER");
  refuses(with([](auto* c) { c->timeoutMs = -1; }), "timeoutMs");
}

TEST(GossipRefusal, WrongCallsSayWhatIsWrongAndTheObjectGoesOn) {
  Comms comms = make_comms(1);
  gossGossip_t gossip = nullptr;
  MUST(gossGossipCreate(&gossip, comms[0], nullptr));
  float x[4] = {1, 2, 3, 4};
  gossGossip_t second = nullptr;
  EXPECT_EQ(gossGossipCreate(&second, comms[0], nullptr), gossInvalidUsage);
  EXPECT_THAT(last_error(), HasSubstr("has a gossip object"));
  EXPECT_EQ(gossGossipMix(x, x, 4, gossInt32, 0, gossip, nullptr), gossInvalidArgument);
  EXPECT_THAT(last_error(), HasSubstr("float, double, half or bfloat16"));
  EXPECT_EQ(gossGossipMix(nullptr, x, 4, gossFloat, 0, gossip, nullptr), gossInvalidArgument);
  EXPECT_EQ(gossGossipMix(x, x, SIZE_MAX, gossFloat, 0, gossip, nullptr), gossInvalidArgument);
  MUST(gossGossipMix(x, x, 4, gossFloat, 5, gossip, nullptr));
  EXPECT_EQ(gossGossipMix(x, x, 4, gossFloat, 4, gossip, nullptr), gossInvalidArgument);
  EXPECT_THAT(last_error(), HasSubstr("steps do not go back"));
  MUST(gossGroupStart());
  EXPECT_EQ(gossGossipMix(x, x, 4, gossFloat, 6, gossip, nullptr), gossInvalidUsage);
  EXPECT_THAT(last_error(), HasSubstr("not part of groups"));
  MUST(gossGroupEnd());
  MUST(gossGossipMix(nullptr, nullptr, 0, gossFloat, 6, gossip, nullptr));
  MUST(gossGossipDestroy(gossip));
  EXPECT_EQ(gossGossipDestroy(nullptr), gossSuccess);
  MUST(gossGossipCreate(&gossip, comms[0], nullptr));
  MUST(gossGossipDestroy(gossip));
}

// Both ranks of a pair get the same text, which has both values.
void expect_mismatch(const gossGossipConfig_t& first, const gossGossipConfig_t& second,
                     size_t second_count, gossDataType_t second_type,
                     const std::vector<const char*>& words) {
  std::string texts[2];
  run_ranks(2, [&](Rank& rank) {
    gossGossip_t gossip = nullptr;
    MUST(gossGossipCreate(&gossip, rank.comm, rank.rank == 0 ? &first : &second));
    std::vector<double> x(100, 1);
    const size_t count = rank.rank == 0 ? 100 : second_count;
    const gossDataType_t type = rank.rank == 0 ? gossFloat : second_type;
    gossResult_t result = gossSuccess;
    for (uint64_t step = 0; step < 100 && result == gossSuccess; ++step) {
      result = gossGossipMix(x.data(), x.data(), count, type, step, gossip, nullptr);
    }
    must(result, gossInvalidUsage, "mix", __FILE__, __LINE__);
    texts[rank.rank] = last_error();
    MUST_BE(gossInvalidUsage,
            gossGossipMix(x.data(), x.data(), count, type, 200, gossip, nullptr));
    MUST(gossGossipDestroy(gossip));
    // The communicator is not concerned.
    MUST(gossAllReduce(x.data(), x.data(), 10, gossDouble, gossSum, rank.comm, nullptr));
  });
  EXPECT_EQ(texts[0], texts[1]);
  for (const char* word : words) EXPECT_THAT(texts[0], HasSubstr(word));
}

TEST(GossipRefusal, RanksThatDifferLearnItOnBothSidesWithBothValues) {
  const gossGossipConfig_t plain = deterministic();
  expect_mismatch(plain, plain, 101, gossFloat, {"100 of float", "101 of float"});
  expect_mismatch(plain, plain, 100, gossDouble, {"100 of float", "100 of double"});
  gossGossipConfig_t other = plain;
  other.seed = 7;
  expect_mismatch(plain, other, 100, gossFloat, {"seed 2403", "seed 7"});
  other = plain;
  other.topology = gossDissemination;
  expect_mismatch(plain, other, 100, gossFloat, {"hypercube", "dissemination"});
  gossGossipConfig_t bits = plain;
  bits.compression = gossGossipModulo;
  bits.bits = 4;
  other = bits;
  other.bits = 5;
  expect_mismatch(bits, other, 100, gossFloat, {"4 bits", "5 bits"});
  other = plain;
  other.globalEvery = 1000;
  expect_mismatch(plain, other, 100, gossFloat, {"other options"});
}

}  // namespace
}  // namespace goss::test
