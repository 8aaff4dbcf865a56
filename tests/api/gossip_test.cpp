// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Gossip through the public API, ranks as threads: what a step computes is the published matrix.
#include "api/gossip_ranks.h"

#include <cmath>
#include <numeric>

namespace goss::test {
namespace {

// x of all ranks, one number each, after the steps of `gossip`'s published matrices.
std::vector<double> simulated(gossGossip_t gossip, int n, std::vector<double> x, uint64_t step) {
  std::vector<double> w(static_cast<size_t>(n) * static_cast<size_t>(n));
  MUST(gossGossipGetMatrix(gossip, step, w.data()));
  std::vector<double> mixed(x.size(), 0);
  for (size_t i = 0; i < x.size(); ++i) {
    for (size_t j = 0; j < x.size(); ++j) mixed[i] += w[i * x.size() + j] * x[j];
  }
  return mixed;
}

std::vector<double> first_models(int n) {
  std::vector<double> x;
  for (int r = 0; r < n; ++r) x.push_back(r * r + 1);
  return x;
}

TEST(Gossip, StepsComputeThePublishedMatricesForEveryTopologyAndNumberOfRanks) {
  for (const int n : some_sizes()) {
    for (const gossGossipConfig_t& config : all_topologies()) {
      SCOPED_TRACE("topology " + std::to_string(config.topology) + ", n " + std::to_string(n));
      run_gossip(n, config, [](GossipRank& rank) {
        std::vector<double> all = first_models(rank.n);
        std::vector<double> x(33, all[static_cast<size_t>(rank.index)]);
        for (uint64_t step = 0; step < 7; ++step) {
          all = simulated(rank.gossip, rank.n, all, step);
          MUST(gossGossipMix(x.data(), x.data(), x.size(), gossDouble, step, rank.gossip, nullptr));
          for (const double value : x) {
            const double wanted = all[static_cast<size_t>(rank.index)];
            require(std::abs(value - wanted) <= 1e-12 * std::abs(wanted) + 1e-12,
                    "step " + std::to_string(step) + ": " + std::to_string(value) +
                        " instead of " + std::to_string(wanted));
          }
        }
        require(stats_of(rank).skipped == 0, "nothing is skipped");
      });
    }
  }
}

TEST(Gossip, PeriodOfAPowerOfTwoGivesTheMean) {
  for (const int n : {2, 4, 8, 16}) {
    for (const gossGossipTopology_t topology : {gossHypercube, gossDissemination}) {
      gossGossipConfig_t config = deterministic();
      config.topology = topology;
      config.rotate = 1;
      run_gossip(n, config, [](GossipRank& rank) {
        std::vector<double> x(100, rank.index);
        const auto period = static_cast<uint64_t>(info_of(rank).period);
        require(1 << period == rank.n, "log2 n steps");
        for (uint64_t step = period; step < 2 * period; ++step) mix(rank, &x, step);
        for (const double value : x) {
          require(std::abs(value - (rank.n - 1) / 2.0) < 1e-12, std::to_string(value));
        }
      });
    }
  }
}

template <class T>
void partners_agree(gossDataType_t type, T (*make)(int rank, size_t i)) {
  std::vector<std::vector<T>> all(8);
  run_gossip(8, deterministic(), [&](GossipRank& rank) {
    std::vector<T>& x = all[static_cast<size_t>(rank.index)];
    x.resize(1001);
    for (size_t i = 0; i < x.size(); ++i) x[i] = make(rank.index, i);
    MUST(gossGossipMix(x.data(), x.data(), x.size(), type, 1, rank.gossip, nullptr));
  });
  for (size_t r = 0; r < 8; ++r) EXPECT_EQ(all[r], all[r ^ 2]) << "rank " << r;
}

TEST(Gossip, HypercubePartnersEndWithTheSameBits) {
  partners_agree<float>(gossFloat, [](int rank, size_t i) {
    return std::sin(static_cast<float>(i) + static_cast<float>(rank) * 0.37f);
  });
  partners_agree<double>(gossDouble, [](int rank, size_t i) {
    return std::sin(static_cast<double>(i) + rank * 0.37);
  });
  partners_agree<uint16_t>(gossBfloat16, [](int rank, size_t i) {
    return static_cast<uint16_t>(0x3f00 + i * 7 % 256 + static_cast<size_t>(rank) * 3);
  });
  partners_agree<uint16_t>(gossHalf, [](int rank, size_t i) {
    return static_cast<uint16_t>(0x3800 + i * 5 % 512 + static_cast<size_t>(rank) * 11);
  });
}

TEST(Gossip, MixesOutOfPlaceUnalignedAndInSeveralBuffers) {
  run_gossip(4, deterministic(), [](GossipRank& rank) {
    for (uint64_t step = 0; step < 4; ++step) {
      std::vector<std::byte> memory(4096 + 1);
      std::vector<size_t> counts{0, 1, 255, 256, 257};
      std::vector<std::vector<float>> in;
      std::vector<gossGossipBuffer_t> buffers;
      std::byte* out = memory.data() + 1;
      for (const size_t count : counts) {
        in.emplace_back(count, static_cast<float>(rank.index) + static_cast<float>(count));
        buffers.push_back({in.back().data(), out, count});
        out += count * sizeof(float);
      }
      for (size_t i = 0; i < in.size(); ++i) buffers[i].sendbuff = in[i].data();
      MUST(gossGossipMixBuffers(buffers.data(), buffers.size(), gossFloat, step, rank.gossip,
                                nullptr));
      const int peer = rank.index ^ (1 << step % 2);
      const float mean = static_cast<float>(rank.index + peer) / 2;
      for (const gossGossipBuffer_t& buffer : buffers) {
        for (size_t i = 0; i < buffer.count; ++i) {
          float value = 0;
          std::memcpy(&value, static_cast<std::byte*>(buffer.recvbuff) + i * sizeof(float),
                      sizeof(float));
          require(value == mean + static_cast<float>(buffer.count), "mean of the pair");
        }
      }
      require(in[1][0] == static_cast<float>(rank.index) + 1, "the input is only read");
    }
    const gossGossipStats_t stats = stats_of(rank);
    require(stats.messages == 4, "one message per step for all buffers");
    require(stats.bytes == 4 * 769 * sizeof(float), "bytes are those of the models");
  });
}

TEST(Gossip, OneRankAloneKeepsItsModel) {
  for (const gossGossipConfig_t& config : all_topologies()) {
    run_gossip(1, config, [](GossipRank& rank) {
      const std::vector<float> in{1, 2, 3};
      std::vector<float> out(3);
      MUST(gossGossipMix(in.data(), out.data(), 3, gossFloat, 0, rank.gossip, nullptr));
      require(in == out, "copied");
      require(stats_of(rank).messages == 0, "nothing sent");
    });
  }
}

TEST(Gossip, EveryGlobalStepGivesAllRanksTheSameBitsOfTheMean) {
  for (const int n : {2, 3, 5, 8}) {
    gossGossipConfig_t config = deterministic();
    config.globalEvery = 3;
    std::vector<std::vector<float>> all(static_cast<size_t>(n));
    run_gossip(n, config, [&](GossipRank& rank) {
      std::vector<float>& x = all[static_cast<size_t>(rank.index)];
      for (size_t i = 0; i < 501; ++i) {
        x.push_back(std::cos(static_cast<float>(i) * 0.1f + static_cast<float>(rank.index)));
      }
      for (uint64_t step = 0; step < 3; ++step) {
        MUST(gossGossipMix(x.data(), x.data(), x.size(), gossFloat, step, rank.gossip, nullptr));
      }
    });
    for (const auto& x : all) EXPECT_EQ(x, all[0]);
    for (size_t i = 0; i < 501; ++i) {
      double mean = 0;
      for (int r = 0; r < n; ++r) {
        mean += std::cos(static_cast<double>(i) * 0.1 + r) / n;
      }
      // Dissemination with n = 3 or 5 keeps the mean as well.
      EXPECT_NEAR(all[0][i], mean, 1e-5);
    }
  }
}

TEST(Gossip, PostedBucketsOverlapAndAreWaitedForInAnyOrder) {
  run_gossip(4, deterministic(), [](GossipRank& rank) {
    for (uint64_t step = 0; step < 6; ++step) {
      std::vector<std::vector<double>> buckets(20, std::vector<double>(500, rank.index));
      std::vector<gossGossipRequest_t> requests(buckets.size());
      for (size_t b = 0; b < buckets.size(); ++b) {
        MUST(gossGossipPost(buckets[b].data(), buckets[b].data(), 500, gossDouble, step,
                            rank.gossip, &requests[b]));
      }
      int done = 0;
      MUST(gossGossipTest(requests[0], &done));
      for (size_t b = buckets.size(); b-- > 0;) MUST(gossGossipWait(requests[b]));
      const double mean = (rank.index + (rank.index ^ (1 << step % 2))) / 2.0;
      for (const auto& bucket : buckets) {
        for (const double value : bucket) require(value == mean, std::to_string(value));
      }
    }
    require(stats_of(rank).mixes == 120 && stats_of(rank).skipped == 0, "all are mixed");
  });
}

TEST(Gossip, OneThreadThatIsAllRanksPostsAndThenWaits) {
  Comms comms = make_comms(4);
  std::vector<gossGossip_t> gossips(4);
  std::vector<std::vector<float>> x;
  for (int r = 0; r < 4; ++r) {
    const gossGossipConfig_t config = deterministic();
    MUST(gossGossipCreate(&gossips[static_cast<size_t>(r)], comms[r], &config));
    x.emplace_back(10, static_cast<float>(r));
  }
  for (uint64_t step = 0; step < 2; ++step) {
    std::vector<gossGossipRequest_t> requests(4);
    for (size_t r = 0; r < 4; ++r) {
      MUST(gossGossipPost(x[r].data(), x[r].data(), 10, gossFloat, step, gossips[r],
                          &requests[r]));
    }
    for (gossGossipRequest_t request : requests) MUST(gossGossipWait(request));
  }
  for (const auto& model : x) EXPECT_EQ(model, std::vector<float>(10, 1.5f));
  for (gossGossip_t gossip : gossips) MUST(gossGossipDestroy(gossip));
}

TEST(Gossip, RunsOnAStreamInTheOrderOfTheCalls) {
  run_gossip(4, deterministic(), [](GossipRank& rank) {
    gossStream_t stream = nullptr;
    MUST(gossStreamCreate(&stream));
    std::vector<double> x(64, rank.index);
    MUST(gossGossipMix(x.data(), x.data(), x.size(), gossDouble, 0, rank.gossip, stream));
    MUST(gossGossipMix(x.data(), x.data(), x.size(), gossDouble, 1, rank.gossip, nullptr));
    for (const double value : x) require(value == 1.5, "queued before, so mixed before");
    MUST(gossStreamDestroy(stream));
  });
}

TEST(Gossip, CollectivesOfTheCommunicatorGoOnBesideIt) {
  run_gossip(4, deterministic(), [](GossipRank& rank) {
    std::vector<float> x(3000, static_cast<float>(rank.index));
    for (uint64_t step = 0; step < 2; ++step) {
      MUST(gossGossipMix(x.data(), x.data(), x.size(), gossFloat, step, rank.gossip, nullptr));
      MUST(gossAllReduce(x.data(), x.data(), x.size(), gossFloat, gossAvg, rank.comm, nullptr));
    }
    for (const float value : x) require(value == 1.5f, "the mean");
  });
}

TEST(Gossip, QueriesAnswerForAnyStepAndRankWithoutAMessage) {
  run_gossip(6, deterministic(), [](GossipRank& rank) {
    const gossGossipInfo_t info = info_of(rank);
    require(info.topology == gossDissemination && info.period == 3 && info.living == 6,
            "6 ranks are no hypercube");
    require(std::abs(info.contraction - 0.217) < 0.001, "closed form");
    int sends[6];
    int receives[6];
    int parts[6];
    gossGossipPeers_t peers{sizeof(gossGossipPeers_t), 0, 0, 0, 0, sends, receives, parts};
    for (uint64_t step = 0; step < 1000; step += 7) {
      for (int r = 0; r < 6; ++r) {
        MUST(gossGossipGetPeers(rank.gossip, step, 0, r, &peers));
        require(peers.sends == 1 && peers.receives == 1 && peers.totalParts == 2, "one each");
        require(sends[0] == (r + (1 << step % 3)) % 6, "to r + 2^k");
        require(receives[0] == (r + 6 - (1 << step % 3)) % 6, "from r - 2^k");
      }
    }
    require(stats_of(rank).messages == 0, "no messages");
    MUST_BE(gossInvalidArgument, gossGossipGetPeers(rank.gossip, 0, 0, 6, &peers));
    MUST_BE(gossInvalidArgument, gossGossipGetPeers(rank.gossip, 0, 1, 0, &peers));
  });
}

}  // namespace
}  // namespace goss::test
