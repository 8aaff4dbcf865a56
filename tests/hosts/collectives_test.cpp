// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Every collective between ranks on several hosts, which are threads connected by a LocalNetwork:
// all kinds, roots, counts, in place and not, whatever the hosts look like.
#include <gtest/gtest.h>

#include <cstdint>
#include <numeric>

#include "support/buffers.h"
#include "support/hosts.h"
#include "support/ranks.h"
#include "support/scoped_env.h"
#include "support/test_scale.h"

namespace goss::test {
namespace {

struct Layout {
  const char* name;
  std::vector<int> host_of;
};
std::ostream& operator<<(std::ostream& out, const Layout& layout) { return out << layout.name; }

const Layout kLayouts[] = {
    {"TwoAlone", {0, 1}},
    {"TwoOfTwo", {0, 0, 1, 1}},
    {"TwoOfTwoInTurn", {0, 1, 0, 1}},
    {"FourAlone", {0, 1, 2, 3}},
    {"Uneven", {0, 0, 0, 1, 2}},
    {"ThreeOfTwo", {0, 0, 1, 1, 2, 2}},
    {"UnevenInTurn", {0, 1, 0, 1, 0}},
};

// Sums of these are exact in any order.
int32_t value(int rank, size_t i) {
  return static_cast<int32_t>((static_cast<size_t>(rank) * 7919 + i * 31) % 1000) - 500;
}
int32_t sum_at(int n, size_t i) {
  int32_t sum = 0;
  for (int r = 0; r < n; ++r) sum += value(r, i);
  return sum;
}

struct Problem {
  Rank& me;
  size_t count;
  int root = 0;
  bool in_place = false;

  size_t n() const { return static_cast<size_t>(me.nranks); }
  bool is_root() const { return me.rank == root; }
  std::string what(const char* collective) const {
    return std::string(collective) + " n=" + std::to_string(me.nranks) +
           ",count=" + std::to_string(count) + ",root=" + std::to_string(root) +
           ",in_place=" + std::to_string(in_place) + ",rank=" + std::to_string(me.rank);
  }
  std::vector<int32_t> input(size_t length) const {
    std::vector<int32_t> data(length);
    for (size_t i = 0; i < length; ++i) data[i] = value(me.rank, i);
    return data;
  }
};

template <class Expected>
void require_values(const int32_t* data, size_t count, const std::string& what, Expected expected) {
  for (size_t i = 0; i < count; ++i) {
    if (data[i] == expected(i)) continue;
    require(false, what + ": element " + std::to_string(i) + " is " + std::to_string(data[i]) +
                       " and not " + std::to_string(expected(i)));
  }
}

void check_all_reduce(const Problem& p) {
  std::vector<int32_t> in = p.input(p.count);
  std::vector<int32_t> out(p.in_place ? 0 : p.count);
  int32_t* result = p.in_place ? in.data() : out.data();
  MUST(gossAllReduce(in.data(), result, p.count, gossInt32, gossSum, p.me.comm, nullptr));
  require_values(result, p.count, p.what("all_reduce"),
                 [&](size_t i) { return sum_at(p.me.nranks, i); });
  std::vector<float> numbers(p.count);
  for (size_t i = 0; i < p.count; ++i) numbers[i] = static_cast<float>(value(p.me.rank, i));
  MUST(gossAllReduce(numbers.data(), numbers.data(), p.count, gossFloat, gossAvg, p.me.comm,
                     nullptr));
  for (size_t i = 0; i < p.count; ++i) {
    const float average =
        static_cast<float>(sum_at(p.me.nranks, i)) * (1.0f / static_cast<float>(p.me.nranks));
    require(numbers[i] == average, p.what("average") + ": " + std::to_string(i));
  }
}

void check_broadcast(const Problem& p) {
  std::vector<int32_t> in = p.input(p.count);
  std::vector<int32_t> out(p.count);
  int32_t* result = p.in_place ? in.data() : out.data();
  MUST(gossBroadcast(in.data(), result, p.count, gossInt32, p.root, p.me.comm, nullptr));
  require_values(result, p.count, p.what("broadcast"), [&](size_t i) { return value(p.root, i); });
}

void check_reduce(const Problem& p) {
  std::vector<int32_t> in = p.input(p.count);
  std::vector<int32_t> out(p.count);
  int32_t* result = p.in_place ? in.data() : out.data();
  MUST(gossReduce(in.data(), p.is_root() ? result : nullptr, p.count, gossInt32, gossSum, p.root,
                  p.me.comm, nullptr));
  if (p.is_root()) {
    require_values(result, p.count, p.what("reduce"),
                   [&](size_t i) { return sum_at(p.me.nranks, i); });
  }
}

void check_all_gather(const Problem& p) {
  std::vector<int32_t> in = p.input(p.count);
  std::vector<int32_t> out(p.n() * p.count);
  int32_t* own = out.data() + static_cast<size_t>(p.me.rank) * p.count;
  if (p.in_place) std::copy(in.begin(), in.end(), own);
  MUST(gossAllGather(p.in_place ? own : in.data(), out.data(), p.count, gossInt32, p.me.comm,
                     nullptr));
  for (size_t r = 0; r < p.n(); ++r) {
    require_values(out.data() + r * p.count, p.count, p.what("all_gather"),
                   [&](size_t i) { return value(static_cast<int>(r), i); });
  }
}

void check_reduce_scatter(const Problem& p) {
  std::vector<int32_t> in = p.input(p.n() * p.count);
  std::vector<int32_t> out(p.count);
  const size_t first = static_cast<size_t>(p.me.rank) * p.count;
  int32_t* result = p.in_place ? in.data() + first : out.data();
  MUST(gossReduceScatter(in.data(), result, p.count, gossInt32, gossSum, p.me.comm, nullptr));
  require_values(result, p.count, p.what("reduce_scatter"),
                 [&](size_t i) { return sum_at(p.me.nranks, first + i); });
}

void check_all_to_all(const Problem& p) {
  std::vector<int32_t> in = p.input(p.n() * p.count);
  std::vector<int32_t> out(p.n() * p.count);
  MUST(gossAlltoAll(in.data(), out.data(), p.count, gossInt32, p.me.comm, nullptr));
  for (size_t r = 0; r < p.n(); ++r) {
    const size_t first = static_cast<size_t>(p.me.rank) * p.count;
    require_values(out.data() + r * p.count, p.count, p.what("all_to_all"),
                   [&](size_t i) { return value(static_cast<int>(r), first + i); });
  }
}

void check_gather(const Problem& p) {
  std::vector<int32_t> in = p.input(p.count);
  std::vector<int32_t> out(p.n() * p.count);
  MUST(gossGather(in.data(), p.is_root() ? out.data() : nullptr, p.count, gossInt32, p.root,
                  p.me.comm, nullptr));
  for (size_t r = 0; p.is_root() && r < p.n(); ++r) {
    require_values(out.data() + r * p.count, p.count, p.what("gather"),
                   [&](size_t i) { return value(static_cast<int>(r), i); });
  }
}

void check_scatter(const Problem& p) {
  std::vector<int32_t> in = p.input(p.n() * p.count);
  std::vector<int32_t> out(p.count);
  MUST(gossScatter(p.is_root() ? in.data() : nullptr, out.data(), p.count, gossInt32, p.root,
                   p.me.comm, nullptr));
  require_values(out.data(), p.count, p.what("scatter"), [&](size_t i) {
    return value(p.root, static_cast<size_t>(p.me.rank) * p.count + i);
  });
}

void check_varied(const Problem& p) {
  // Blocks in another order than their ranks', with gaps, of which some are empty.
  std::vector<size_t> counts(p.n());
  std::vector<size_t> places(p.n());
  size_t total = 0;
  for (size_t i = 0; i < p.n(); ++i) {
    const size_t r = p.n() - 1 - i;
    counts[r] = r % 3 == 1 ? 0 : p.count + r;
    places[r] = total;
    total += counts[r] + 2;
  }
  const auto mine = static_cast<size_t>(p.me.rank);
  std::vector<int32_t> in = p.input(counts[mine]);
  std::vector<int32_t> out(total, -1);
  MUST(gossAllGatherv(in.data(), out.data(), counts.data(), places.data(), gossInt32, p.me.comm,
                      nullptr));
  for (size_t r = 0; r < p.n(); ++r) {
    require_values(out.data() + places[r], counts[r], p.what("all_gather_v"),
                   [&](size_t i) { return value(static_cast<int>(r), i); });
    require(out[places[r] + counts[r]] == -1, p.what("all_gather_v") + ": wrote into a gap");
  }
  size_t first = 0;  // blocks of a reduce-scatter lie one after the other
  for (size_t r = 0; r < mine; ++r) first += counts[r];
  in = p.input(std::accumulate(counts.begin(), counts.end(), size_t{0}));
  out.assign(counts[mine] + 1, -1);
  MUST(gossReduceScatterv(in.data(), out.data(), counts.data(), gossInt32, gossSum, p.me.comm,
                          nullptr));
  require_values(out.data(), counts[mine], p.what("reduce_scatter_v"),
                 [&](size_t i) { return sum_at(p.me.nranks, first + i); });
  require(out.back() == -1, p.what("reduce_scatter_v") + ": wrote behind the block");
}

using Check = void (*)(const Problem&);
constexpr Check kChecks[] = {check_all_reduce, check_broadcast,      check_reduce,
                             check_all_gather, check_reduce_scatter, check_all_to_all,
                             check_gather,     check_scatter,        check_varied};

class AcrossHosts : public testing::TestWithParam<Layout> {
 protected:
  HostsOfThreads hosts_{GetParam().host_of};
  int ranks() const { return static_cast<int>(GetParam().host_of.size()); }
};

TEST_P(AcrossHosts, EveryCollectiveGivesTheRightResult) {
  run_ranks(ranks(), [](Rank& me) {
    int variant = 0;
    for (size_t count : {0, 1, 2, 17, 250, 1024, 5000, 100'003}) {
      for (const Check check : kChecks) {
        check({me, count, variant % me.nranks, variant % 2 == 0});
        ++variant;
      }
      MUST(gossBarrier(me.comm, nullptr));
    }
  });
}

TEST_P(AcrossHosts, LongBuffersGoInChunks) {
  hosts_.network().set_delay(std::chrono::microseconds(50));
  run_ranks(ranks(), [](Rank& me) {
    const auto count = static_cast<size_t>(test_scale(1'500'007, 300'007));
    for (const Check check : kChecks) {
      const bool blocks = check != check_all_reduce && check != check_broadcast;
      check({me, blocks ? count / 4 : count, 1, true});
    }
  });
}

TEST_P(AcrossHosts, EveryAlgorithmThatCanBeForcedGivesTheRightResult) {
  for (const char* algorithm : {"oneshot", "twoshot", "flat", "ring", "doubling", "halving",
                                "binomial", "bruck", "pairwise"}) {
    const ScopedEnv env("GOSS_ALGO", algorithm);
    run_ranks(ranks(), [](Rank& me) {
      for (size_t count : {1, 70, 40'000}) {
        for (const Check check : kChecks) check({me, count, me.nranks - 1, false});
        MUST(gossBarrier(me.comm, nullptr));
      }
    });
  }
}

TEST_P(AcrossHosts, SplitsWorkToo) {
  run_ranks(ranks(), [](Rank& me) {
    gossComm_t half = nullptr;
    MUST(gossCommSplit(me.comm, me.rank % 2, -me.rank, &half, nullptr));
    Rank inner{0, 0, half};
    MUST(gossCommUserRank(half, &inner.rank));
    MUST(gossCommCount(half, &inner.nranks));
    for (const Check check : kChecks) check({inner, 300, 0, false});
    for (const Check check : kChecks) check({me, 300, 0, false});
    MUST(gossCommDestroy(half));
  });
}

TEST_P(AcrossHosts, GroupsAndStreamsWork) {
  const int n = ranks();
  Comms comms = make_comms(n);
  std::vector<gossStream_t> streams(static_cast<size_t>(n));
  for (gossStream_t& stream : streams) MUST(gossStreamCreate(&stream));
  for (const bool queued : {false, true}) {
    constexpr size_t kCount = 3000;
    const auto ranks = static_cast<size_t>(n);
    std::vector<std::vector<int32_t>> sums(ranks, std::vector<int32_t>(kCount));
    std::vector<std::vector<int32_t>> more = sums;
    for (size_t r = 0; r < ranks; ++r) {
      for (size_t i = 0; i < kCount; ++i) sums[r][i] = value(static_cast<int>(r), i);
      more[r] = sums[r];
    }
    MUST(gossGroupStart());
    for (int r = 0; r < n; ++r) {
      const auto at = static_cast<size_t>(r);
      gossStream_t where = queued ? streams[at] : nullptr;
      // Two that are aggregated and are not neighbours, then one of another kind.
      MUST(
          gossAllReduce(sums[at].data(), sums[at].data(), 10, gossInt32, gossSum, comms[r], where));
      MUST(gossAllReduce(sums[at].data() + 20, sums[at].data() + 20, kCount - 20, gossInt32,
                         gossSum, comms[r], where));
      MUST(gossBroadcast(more[at].data(), more[at].data(), kCount, gossInt32, n - 1, comms[r],
                         where));
    }
    MUST(gossGroupEnd());
    for (gossStream_t stream : streams) MUST(gossStreamSynchronize(stream));
    for (size_t r = 0; r < ranks; ++r) {
      for (size_t i = 0; i < kCount; ++i) {
        const bool summed = i < 10 || i >= 20;
        ASSERT_EQ(sums[r][i], summed ? sum_at(n, i) : value(static_cast<int>(r), i)) << i;
        ASSERT_EQ(more[r][i], value(n - 1, i)) << i;
      }
    }
  }
  for (gossStream_t stream : streams) MUST(gossStreamDestroy(stream));
}

INSTANTIATE_TEST_SUITE_P(Hosts, AcrossHosts, testing::ValuesIn(kLayouts),
                         [](const auto& p) { return std::string(p.param.name); });

}  // namespace
}  // namespace goss::test
