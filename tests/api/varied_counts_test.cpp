// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// All-gather, reduce-scatter and all-to-all with a count for each rank, through the public API.
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <utility>

#include "support/buffers.h"
#include "support/ranks.h"
#include "support/scoped_env.h"
#include "support/test_scale.h"

namespace goss::test {
namespace {

const unsigned kRounds = static_cast<unsigned>(test_scale(15, 5));

class VariedCounts : public ::testing::TestWithParam<int> {};

// Where `n` blocks lie that are `counts` long: in another order than their ranks', with gaps.
struct Layout {
  std::vector<size_t> places;
  size_t total = 3;

  explicit Layout(const std::vector<size_t>& counts) {
    const size_t n = counts.size();
    places.resize(n);
    for (size_t i = 0; i < n; ++i) {
      const size_t block = n - 1 - i;
      places[block] = total;
      total += counts[block] + i % 3;
    }
  }
};

// Skewed, short, long, with zeros; the same on all ranks.
std::vector<size_t> counts_of_round(unsigned round, int n) {
  std::vector<size_t> counts(static_cast<size_t>(n));
  for (size_t r = 0; r < counts.size(); ++r) {
    const uint64_t random = mix(r + round * 1'000);
    switch (round % 5) {
      case 0: counts[r] = random % 3 == 0 ? 0 : random % 50; break;
      case 1: counts[r] = random % 10'000; break;
      case 2: counts[r] = r == 1 ? 300'001 : random % 2; break;
      case 3: counts[r] = r; break;
      case 4: counts[r] = 0; break;
      default: break;
    }
  }
  return counts;
}

TEST_P(VariedCounts, OfAnAllGatherLeaveGapsAlone) {
  run_ranks(GetParam(), [](Rank& me) {
    constexpr size_t kElement = 4;
    const auto own = static_cast<size_t>(me.rank);
    for (unsigned round = 0; round < kRounds; ++round) {
      const std::vector<size_t> counts = counts_of_round(round, me.nranks);
      const Layout layout(counts);
      const auto memory = static_cast<Memory>(round % 3);
      const bool in_place = round % 2 == 1;
      Buffer send(memory, counts[own] * kElement);
      Buffer recv(memory, layout.total * kElement);
      std::byte* source = in_place ? recv.data() + layout.places[own] * kElement : send.data();
      fill(source, counts[own] * kElement, me.rank, round);
      MUST(gossAllGatherv(source, recv.data(), counts.data(), layout.places.data(), gossFloat32,
                          me.comm, nullptr));
      const std::string what = "round " + std::to_string(round);
      std::vector<bool> written(layout.total, false);
      for (size_t r = 0; r < counts.size(); ++r) {
        require_content(recv.data() + layout.places[r] * kElement, counts[r] * kElement,
                        static_cast<int>(r), round, what);
        std::fill_n(written.begin() + static_cast<ptrdiff_t>(layout.places[r]), counts[r], true);
      }
      for (size_t i = 0; i < layout.total * kElement; ++i) {
        require(written[i / kElement] || recv.data()[i] == std::byte{0xa5}, what + ": a gap");
      }
      recv.require_guards(what);
    }
  });
}

// The same bits as an all-reduce of the whole.
TEST_P(VariedCounts, OfAReduceScatterGiveTheAllReduceInParts) {
  // Adds in the order of the ranks, as reduce-scatter does; between hosts long vectors go by rings.
  const ScopedEnv env("GOSS_ALGO", "twoshot");
  run_ranks(GetParam(), [](Rank& me) {
    const auto own = static_cast<size_t>(me.rank);
    for (unsigned round = 0; round < kRounds; ++round) {
      const std::vector<size_t> counts = counts_of_round(round, me.nranks);
      const size_t total = std::accumulate(counts.begin(), counts.end(), size_t{0});
      const size_t before = std::accumulate(counts.begin(), counts.begin() + me.rank, size_t{0});
      const gossDataType_t type = round % 2 == 0 ? gossFloat32 : gossBfloat16;
      const size_t element = kSizes[type];
      const gossRedOp_t op = op_at(static_cast<int>(round % gossNumOps));
      const bool in_place = round % 4 == 3;
      Buffer send(static_cast<Memory>(round % 3), total * element);
      Buffer recv(Memory::kPrivate, counts[own] * element);
      fill(send.data(), total * element, me.rank, round);
      std::vector<std::byte> expected(total * element);
      MUST(gossAllReduce(send.data(), expected.data(), total, type, op, me.comm, nullptr));
      std::byte* result = in_place ? send.data() + before * element : recv.data();
      MUST(gossReduceScatterv(send.data(), result, counts.data(), type, op, me.comm, nullptr));
      require(counts[own] == 0 || std::memcmp(result, expected.data() + before * element,
                                              counts[own] * element) == 0,
              "round " + std::to_string(round));
      recv.require_guards("reduce-scatter");
      if (!in_place) require_content(send.data(), total * element, me.rank, round, "input");
    }
  });
}

// Counts from 0 to 9,999 elements, in blocks that lie in no order and leave gaps.
TEST_P(VariedCounts, OfAnAllToAllLeaveGapsAlone) {
  run_ranks(GetParam(), [](Rank& me) {
    const auto n = static_cast<size_t>(me.nranks);
    for (unsigned round = 0; round < static_cast<unsigned>(test_scale(6, 3)); ++round) {
      const auto count_of = [&](size_t from, size_t to) -> size_t {
        const uint64_t random = mix(from * 1000 + to + round * 1'000'000);
        return random % 3 == 0 ? 0 : random % (round % 2 == 0 ? 10'000 : 50);
      };
      const auto me_index = static_cast<size_t>(me.rank);
      std::vector<size_t> send_counts(n), send_places(n), recv_counts(n), recv_places(n);
      size_t send_total = 3;
      size_t recv_total = 3;
      for (size_t i = 0; i < n; ++i) {
        const size_t peer = (i * 5 + 2) % n;  // every one once, when n is no multiple of 5
        const size_t p = n % 5 == 0 ? i : peer;
        send_counts[p] = count_of(me_index, p);
        recv_counts[p] = count_of(p, me_index);
        send_places[p] = send_total;
        recv_places[p] = recv_total;
        send_total += send_counts[p] + i % 2;
        recv_total += recv_counts[p] + 1;
      }
      constexpr size_t kElement = 2;
      Buffer send(Memory::kPrivate, send_total * kElement);
      Buffer recv(round % 3 == 2 ? Memory::kShared : Memory::kPrivate, recv_total * kElement);
      for (size_t p = 0; p < n; ++p) {
        fill_message(send.data() + send_places[p] * kElement, send_counts[p] * kElement, me.rank,
                     static_cast<int>(p), round);
      }
      MUST(gossAlltoAllv(send.data(), send_counts.data(), send_places.data(), recv.data(),
                         recv_counts.data(), recv_places.data(), gossBfloat16, me.comm, nullptr));
      std::vector<bool> written(recv_total, false);
      for (size_t p = 0; p < n; ++p) {
        require_message(recv.data() + recv_places[p] * kElement, recv_counts[p] * kElement,
                        static_cast<int>(p), me.rank, round, "round " + std::to_string(round));
        for (size_t i = 0; i < recv_counts[p]; ++i) written[recv_places[p] + i] = true;
      }
      for (size_t i = 0; i < recv_total * kElement; ++i) {
        require(written[i / kElement] || recv.data()[i] == std::byte{0xa5}, "a gap was written");
      }
      recv.require_guards("all-to-all-v");
    }
  });
}

INSTANTIATE_TEST_SUITE_P(Api, VariedCounts, ::testing::Values(1, 2, 3, 4, 5, 8, 13, 17),
                         [](const auto& n) { return "n" + std::to_string(n.param); });

// The arrays are read during the call, also in groups and on streams.
TEST(VariedCountsLater, DoNotNeedTheirArraysAnyMore) {
  run_ranks(3, [](Rank& me) {
    gossStream_t stream = nullptr;
    MUST(gossStreamCreate(&stream));
    const uint32_t x = 7 + static_cast<uint32_t>(me.rank);
    uint32_t out[2][3] = {};
    MUST(gossGroupStart());
    for (int i = 0; i < 2; ++i) {
      std::vector<size_t> counts = {1, 1, 1};
      std::vector<size_t> places = {2, 1, 0};
      MUST(gossAllGatherv(&x, out[i], counts.data(), places.data(), gossUint32, me.comm,
                          i == 0 ? nullptr : stream));
      std::fill(counts.begin(), counts.end(), size_t{1} << 40);
      std::fill(places.begin(), places.end(), size_t{1} << 40);
    }
    MUST(gossGroupEnd());
    MUST(gossStreamSynchronize(stream));
    for (const auto& row : out) {
      require(row[0] == 9 && row[1] == 8 && row[2] == 7, "what was gathered");
    }
    MUST(gossStreamDestroy(stream));
  });
}

TEST(VariedCountsThatDiffer, AreNamedOnAllRanks) {
  std::string texts[2];
  run_ranks(2, [&](Rank& me) {
    std::vector<uint32_t> in(10), out(20);
    const size_t counts[] = {static_cast<size_t>(4 + me.rank), 9};
    const size_t places[] = {0, 10};
    const gossResult_t code =
        gossAllGatherv(in.data(), out.data(), counts, places, gossUint32, me.comm, nullptr);
    require(code == gossInvalidUsage, "code " + std::to_string(code));
    texts[me.rank] = gossGetLastError(me.comm);
  });
  EXPECT_EQ(texts[0], texts[1]);
  EXPECT_NE(texts[0].find("all_gather(counts up to 9, uint32"), std::string::npos) << texts[0];
  EXPECT_NE(texts[0].find("with other counts"), std::string::npos) << texts[0];
}

TEST(VariedCountsDone, AreInTheStatistics) {
  run_ranks(2, [](Rank& me) {
    const size_t counts[] = {10, 30};
    const size_t places[] = {0, 30};
    std::vector<float> from(60);
    std::vector<float> to(60);
    const auto done = [&] {
      gossCommStats_t stats{};
      stats.size = sizeof(stats);
      MUST(gossCommGetStats(me.comm, &stats));
      return std::pair(stats.operations, stats.payload_bytes);
    };
    const uint64_t own = 4 * counts[me.rank];
    MUST(gossAllGatherv(from.data(), to.data(), counts, places, gossFloat, me.comm, nullptr));
    require(done() == std::pair(uint64_t{1}, own), "all_gather");
    MUST(gossReduceScatterv(from.data(), to.data(), counts, gossFloat, gossSum, me.comm, nullptr));
    require(done() == std::pair(uint64_t{2}, 2 * own), "reduce_scatter");
    const size_t same[] = {counts[me.rank], counts[me.rank]};
    MUST(gossAlltoAllv(from.data(), same, places, to.data(), counts, places, gossFloat, me.comm,
                       nullptr));
    require(done() == std::pair(uint64_t{6}, 4 * own), "all_to_all");
  });
}

TEST(VariedCountArguments, ThatMakeNoSenseAreRefused) {
  Comms comms = make_comms(1);
  int x = 0;
  int y = 0;
  const size_t one[] = {1};
  const size_t huge[] = {SIZE_MAX / 2};
  const auto refused = [&](gossResult_t code, const char* why) {
    EXPECT_EQ(code, gossInvalidArgument);
    EXPECT_NE(last_error().find(why), std::string::npos) << last_error();
    EXPECT_EQ(last_error(), gossGetLastError(comms[0]));
  };
  const auto gather = [&](const void* from, void* to, const size_t* counts, const size_t* places) {
    return gossAllGatherv(from, to, counts, places, gossInt32, comms[0], nullptr);
  };
  refused(gather(&x, &y, nullptr, one), "counts are NULL");
  refused(gather(&x, &y, one, nullptr), "displacements");
  refused(gather(nullptr, &y, one, one), "send buffer is NULL");
  refused(gather(&x, nullptr, one, one), "receive buffer is NULL");
  refused(gather(&x, &y, huge, one), "address space");
  refused(gather(&x, &y, one, huge), "address space");
  const auto scatter = [&](const void* from, void* to, const size_t* counts, gossDataType_t type) {
    return gossReduceScatterv(from, to, counts, type, gossSum, comms[0], nullptr);
  };
  refused(scatter(&x, &y, nullptr, gossInt32), "counts are NULL");
  refused(scatter(nullptr, &y, one, gossInt32), "send buffer is NULL");
  refused(scatter(&x, nullptr, one, gossInt32), "receive buffer is NULL");
  refused(scatter(&x, &y, one, gossNumTypes), "invalid type");
  const auto all_to_all = [&](const void* from, const size_t* counts, const size_t* places,
                              void* to) {
    return gossAlltoAllv(from, counts, places, to, one, one, gossInt32, comms[0], nullptr);
  };
  refused(all_to_all(&x, nullptr, one, &y), "counts are NULL");
  refused(all_to_all(&x, one, one, &x), "in place");
  refused(all_to_all(nullptr, one, one, &y), "send buffer is NULL");
  refused(all_to_all(&x, one, huge, &y), "displacement");
  EXPECT_EQ(gossAllGatherv(&x, &y, one, one, gossInt32, nullptr, nullptr), gossInvalidArgument);
  EXPECT_NE(last_error().find("NULL"), std::string::npos) << last_error();
  EXPECT_EQ(gossBarrier(comms[0], nullptr), gossSuccess);  // it goes on
}

}  // namespace
}  // namespace goss::test
