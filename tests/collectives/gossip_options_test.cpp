// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "collectives/gossip_options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <set>

namespace goss::collectives {
namespace {

using testing::HasSubstr;

std::string refusal(const std::function<void(GossipOptions&)>& change, int nranks = 4) {
  GossipOptions options;
  change(options);
  const Status status = check_gossip_options(options, nranks);
  if (!status.ok()) EXPECT_EQ(status.code(), gossInvalidArgument);
  return status.message();
}

TEST(GossipOptions, TheDefaultsWork) {
  EXPECT_TRUE(check_gossip_options(GossipOptions{}, 1).ok());
  EXPECT_TRUE(check_gossip_options(GossipOptions{}, 4096).ok());
}

TEST(GossipOptions, RefusesEdgeDifferenceWhereReplicasWouldBeNeededForEveryPairOrMessagesGetLost) {
  const auto edge = [](auto more) {
    return [more](GossipOptions& o) {
      o.compression = Compression::kEdgeDifference;
      more(o);
    };
  };
  EXPECT_EQ(refusal(edge([](GossipOptions&) {})), "");
  EXPECT_THAT(
      refusal(edge([](GossipOptions& o) { o.rotate = true; })),
      HasSubstr("edge_difference with rotation needs a replica of the model for every pair"));
  EXPECT_THAT(refusal(edge([](GossipOptions& o) { o.topology = Topology::kRandomPair; })),
              HasSubstr("edge_difference with random pairs needs a replica"));
  EXPECT_THAT(
      refusal(edge([](GossipOptions& o) { o.push_sum = true; })),
      HasSubstr("edge_difference with push_sum: replicas are right only when every message"));
}

TEST(GossipOptions, RefusesModuloWithPushSum) {
  EXPECT_THAT(refusal([](GossipOptions& o) {
                o.compression = Compression::kModulo;
                o.push_sum = true;
              }),
              HasSubstr("modulo with push_sum: the bound holds for models"));
  // But rotation and random pairs need no memory of partners.
  EXPECT_EQ(refusal([](GossipOptions& o) {
              o.compression = Compression::kModulo;
              o.topology = Topology::kRandomPair;
              o.rotate = true;
            }),
            "");
}

TEST(GossipOptions, RefusesCompressionOfManyMessagesAtOnceAndOfExactAverages) {
  for (const Topology topology : {Topology::kRing, Topology::kMixedRadix, Topology::kFold}) {
    for (const Compression compression : {Compression::kModulo, Compression::kEdgeDifference}) {
      EXPECT_THAT(refusal([&](GossipOptions& o) {
                    o.topology = topology;
                    o.compression = compression;
                  }),
                  HasSubstr("several ranks at a time or to an exact average"));
    }
  }
}

TEST(GossipOptions, RefusesTooFewAndTooManyBits) {
  for (const Compression compression : {Compression::kModulo, Compression::kEdgeDifference}) {
    for (int bits = -1; bits <= 33; ++bits) {
      const std::string message = refusal([&](GossipOptions& o) {
        o.compression = compression;
        o.bits = bits;
      });
      EXPECT_EQ(message.empty(), bits >= 3 && bits <= 8) << bits << ": " << message;
    }
  }
  EXPECT_EQ(refusal([](GossipOptions& o) { o.bits = 0; }), "");  // nothing is compressed
}

TEST(GossipOptions, RefusesStalenessWithoutPushSumAndPushSumWithFold) {
  EXPECT_THAT(refusal([](GossipOptions& o) { o.staleness = 1; }),
              HasSubstr("staleness 1 without push_sum"));
  EXPECT_EQ(refusal([](GossipOptions& o) {
              o.staleness = 1;
              o.push_sum = true;
            }),
            "");
  EXPECT_THAT(refusal([](GossipOptions& o) {
                o.topology = Topology::kFold;
                o.push_sum = true;
              }),
              HasSubstr("push_sum with fold"));
  EXPECT_THAT(refusal([](GossipOptions& o) { o.staleness = -2; }), HasSubstr("staleness is -2"));
  EXPECT_THAT(refusal([](GossipOptions& o) { o.global_every = -1; }),
              HasSubstr("global_every is -1"));
}

TEST(GossipOptions, RefusesCustomListsThatDoNotKeepTheMean) {
  const auto list = [](std::vector<CustomPhase> phases) {
    return [phases](GossipOptions& o) {
      o.topology = Topology::kCustom;
      o.custom = phases;
    };
  };
  EXPECT_EQ(refusal(list({{1, 2, 3, 0}})), "");
  EXPECT_THAT(refusal(list({})), HasSubstr("without a list"));
  EXPECT_THAT(refusal(list({{1, 0, 2}})), HasSubstr("custom phase 0 names 3 peers, there are 4"));
  EXPECT_THAT(refusal(list({{1, 0, 3, 2}, {1, 0, 3, 4}})),
              HasSubstr("custom phase 1: rank 3 sends to 4; ranks are 0 to 3"));
  EXPECT_THAT(refusal(list({{1, 0, 3, 0}})),
              HasSubstr("custom phase 0: ranks 1 and 3 both send to rank 0"));
  EXPECT_THAT(refusal([](GossipOptions& o) {
                o.topology = Topology::kCustom;
                o.custom = {{1, 2, 3, 0}};
                o.rotate = true;
              }),
              HasSubstr("rotation would exchange the ranks"));
  EXPECT_THAT(refusal([](GossipOptions& o) {
                o.custom = {{1, 2, 3, 0}};
              }),
              HasSubstr("a custom list of 1 phases, but topology hypercube"));
}

TEST(GossipOptions, RefusesSkipsOfAnythingButTheHypercube) {
  EXPECT_THAT(refusal([](GossipOptions& o) {
                o.hypercube_skips = true;
                o.topology = Topology::kDissemination;
              }),
              HasSubstr("hypercube_skips belongs to the hypercube, not to dissemination"));
}

TEST(GossipOptions, HaveAFingerprintThatSeesEveryField) {
  const std::function<void(GossipOptions&)> changes[] = {
      [](GossipOptions&) {},
      [](GossipOptions& o) { o.topology = Topology::kDissemination; },
      [](GossipOptions& o) { o.hypercube_skips = true; },
      [](GossipOptions& o) { o.seed = 1; },
      [](GossipOptions& o) { o.rotate = true; },
      [](GossipOptions& o) { o.global_every = 48; },
      [](GossipOptions& o) {
        o.custom = {{0, 1}};
      },
      [](GossipOptions& o) {
        o.custom = {{1, 0}};
      },
      [](GossipOptions& o) { o.compression = Compression::kModulo; },
      [](GossipOptions& o) {
        o.compression = Compression::kModulo;
        o.bits = 4;
      },
      [](GossipOptions& o) { o.push_sum = true; },
      [](GossipOptions& o) { o.staleness = 1; },
  };
  std::set<uint64_t> seen;
  for (const auto& change : changes) {
    GossipOptions options;
    change(options);
    EXPECT_TRUE(seen.insert(fingerprint(options)).second);
  }
}

TEST(GossipOptions, NameEveryTopologyAndCompression) {
  std::set<std::string> names;
  for (int t = 0; t < kNumTopologies; ++t) names.insert(topology_name(static_cast<Topology>(t)));
  EXPECT_EQ(names, (std::set<std::string>{"hypercube", "dissemination", "random", "ring",
                                          "mixed_radix", "fold", "custom"}));
  names.clear();
  for (int c = 0; c < kNumCompressions; ++c) {
    names.insert(compression_name(static_cast<Compression>(c)));
  }
  EXPECT_EQ(names, (std::set<std::string>{"none", "modulo", "edge_difference"}));
}

}  // namespace
}  // namespace goss::collectives
