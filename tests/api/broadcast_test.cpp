// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Broadcast and barrier through the public API.
#include <gtest/gtest.h>
#include <unistd.h>

#include "support/ranks.h"
#include "support/reference.h"
#include "support/test_scale.h"

namespace goss::test {
namespace {

std::byte pattern(int root, size_t i) {
  return static_cast<std::byte>(mix(i * 1000 + static_cast<uint64_t>(root)));
}

void check_broadcast(Rank& me, size_t count, gossDataType_t type, int root, bool in_place) {
  const size_t bytes = count * kSizes[type];
  std::vector<std::byte> send(bytes);
  std::vector<std::byte> recv(bytes + 32, std::byte{0xa5});
  const bool is_root = me.rank == root;
  std::byte* source = in_place ? recv.data() : send.data();
  for (size_t i = 0; is_root && i < bytes; ++i) source[i] = pattern(root, i);
  if (in_place) {
    MUST(gossBcast(recv.data(), count, type, root, me.comm, nullptr));
  } else {
    MUST(gossBroadcast(is_root ? send.data() : nullptr, recv.data(), count, type, root, me.comm,
                       nullptr));
  }
  for (size_t i = 0; i < bytes; ++i) {
    if (recv[i] != pattern(root, i)) {
      require(false, "n=" + std::to_string(me.nranks) + ",root=" + std::to_string(root) +
                         ",count=" + std::to_string(count) + ": byte " + std::to_string(i));
    }
  }
  for (size_t i = bytes; i < recv.size(); ++i) {
    require(recv[i] == std::byte{0xa5}, "wrote behind the buffer");
  }
}

struct Ranks {
  int n;
};
std::ostream& operator<<(std::ostream& out, const Ranks& ranks) { return out << "n=" << ranks.n; }

class Broadcast : public testing::TestWithParam<Ranks> {};

TEST_P(Broadcast, CopiesTheBytesOfEveryRootToEveryRank) {
  run_ranks(GetParam().n, [](Rank& me) {
    for (int root = 0; root < me.nranks; ++root) {
      for (size_t count : {0, 1, 7, 14, 15, 1021, 8191, 8192, 8193, 65535, 65537, 300'000}) {
        if (me.nranks > 8 && count > 65537) continue;
        check_broadcast(me, count, gossInt8, root, false);
        check_broadcast(me, count, gossInt8, root, true);
      }
    }
  });
}

TEST_P(Broadcast, CopiesEveryType) {
  run_ranks(GetParam().n, [](Rank& me) {
    for (int t = 0; t < gossNumTypes; ++t) {
      for (size_t count : {3, 4099}) {
        check_broadcast(me, count, type_at(t), t % me.nranks, t % 2 == 0);
      }
    }
  });
}

INSTANTIATE_TEST_SUITE_P(Api, Broadcast,
                         testing::Values(Ranks{1}, Ranks{2}, Ranks{3}, Ranks{4}, Ranks{5}, Ranks{8},
                                         Ranks{13}, Ranks{17}),
                         [](const auto& p) { return "n" + std::to_string(p.param.n); });

TEST(BroadcastApi, CopiesSomeMegabytes) {
  run_ranks(3, [](Rank& me) {
    check_broadcast(me, static_cast<size_t>(test_scale(9'000'001, 2'500'001)), gossInt8, 1, false);
    check_broadcast(me, static_cast<size_t>(test_scale(900'001, 300'001)), gossFloat64, 2, true);
  });
}

// The root needs nobody, so it gets as far ahead as its staging allows, and no further.
TEST(BroadcastApi, LetsTheRootRunAheadWithoutOverwritingWhatOthersHaveNotRead) {
  const int rounds = test_scale(1000, 200);
  for (size_t count : {25, 20'000}) {
    run_ranks(4, [&](Rank& me) {
      std::vector<uint32_t> x(count);
      for (int round = 0; round < rounds; ++round) {
        const std::vector<uint32_t> expected(count, static_cast<uint32_t>(round * 7 + 1));
        if (me.rank == 2) {
          x = expected;
        } else if (round % 97 == me.rank) {
          ::usleep(2000);  // late: the root is far ahead now
        }
        MUST(gossBcast(x.data(), count, gossUint32, 2, me.comm, nullptr));
        require(x == expected, "round " + std::to_string(round));
      }
    });
  }
}

TEST(BroadcastApi, UsesMoreRootsThanPlansAreKept) {
  constexpr int kRanks = 40;
  run_ranks(kRanks, [](Rank& me) {
    for (int round = 0; round < 2; ++round) {
      for (int root = 0; root < kRanks; ++root) check_broadcast(me, 100, gossInt8, root, true);
    }
  });
}

class Barrier : public testing::TestWithParam<Ranks> {};

TEST_P(Barrier, IsPassedByNobodyBeforeEverybodyHasArrived) {
  const int n = GetParam().n;
  std::vector<std::atomic<int>> arrived(static_cast<size_t>(n));
  const int rounds = test_scale(n > 8 ? 100 : 500, 50);
  run_ranks(n, [&](Rank& me) {
    for (int round = 1; round <= rounds; ++round) {
      if (round % 50 == me.rank % 50) ::usleep(500);
      arrived[static_cast<size_t>(me.rank)].store(round, std::memory_order_relaxed);
      MUST(gossBarrier(me.comm, nullptr));
      for (int r = 0; r < n; ++r) {
        const int seen = arrived[static_cast<size_t>(r)].load(std::memory_order_relaxed);
        require(seen == round || seen == round + 1, "rank " + std::to_string(r) + " was at " +
                                                        std::to_string(seen) + " in round " +
                                                        std::to_string(round));
      }
    }
  });
}

INSTANTIATE_TEST_SUITE_P(Api, Barrier,
                         testing::Values(Ranks{1}, Ranks{2}, Ranks{3}, Ranks{8}, Ranks{17}),
                         [](const auto& p) { return "n" + std::to_string(p.param.n); });

}  // namespace
}  // namespace goss::test
