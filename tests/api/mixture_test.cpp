// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Thousands of operations of random kind and size on one communicator, so that rings, lines and
// records wrap around many times with different neighbours.
#include <gtest/gtest.h>
#include <unistd.h>

#include <random>

#include "support/ranks.h"
#include "support/reference.h"
#include "support/scoped_env.h"
#include "support/test_scale.h"

namespace goss::test {
namespace {

// Element i of what `rank` contributes to operation number `op`.
uint32_t term(int rank, uint32_t op, size_t i) {
  return static_cast<uint32_t>(rank + 1) * 2654435761u + op * 40503u + static_cast<uint32_t>(i) * 3;
}

constexpr size_t kMostElements = 1'500'000;

size_t random_count(std::mt19937* random) {
  switch ((*random)() % 8) {
    case 0: return 0;
    case 1:
    case 2: return 1 + (*random)() % 14;  // in a line
    case 3:
    case 4: return 15 + (*random)() % 2000;      // one cell
    case 5: return 2000 + (*random)() % 60'000;  // up to four cells
    case 6: return 16'383 + (*random)() % 3;     // around a cell
    default: break;
  }
  switch ((*random)() % 32) {
    case 0: return kMostElements;  // three rings full
    case 1:
    case 2: return 50'000 + (*random)() % 400'000;  // chunks of two, four and eight cells
    default: return 4096;
  }
}

void all_reduce(Rank& me, std::vector<uint32_t>* x, uint32_t op, size_t count, bool in_place) {
  static thread_local std::vector<uint32_t> send;
  send.resize(x->size());
  uint32_t* source = in_place ? x->data() : send.data();
  for (size_t i = 0; i < count; ++i) source[i] = term(me.rank, op, i);
  MUST(gossAllReduce(source, x->data(), count, gossUint32, gossSum, me.comm, nullptr));
  uint32_t sum = 0;
  for (int r = 0; r < me.nranks; ++r) sum += term(r, op, 0);
  const auto step = static_cast<uint32_t>(me.nranks) * 3;
  for (size_t i = 0; i < count; ++i, sum += step) {
    if ((*x)[i] != sum) {
      require(false, "all-reduce #" + std::to_string(op) + " of " + std::to_string(count));
    }
  }
}

void broadcast(Rank& me, std::vector<uint32_t>* x, uint32_t op, size_t count, int root) {
  for (size_t i = 0; me.rank == root && i < count; ++i) (*x)[i] = term(root, op, i);
  MUST(gossBcast(x->data(), count, gossUint32, root, me.comm, nullptr));
  for (size_t i = 0; i < count; ++i) {
    if ((*x)[i] != term(root, op, i)) {
      require(false, "broadcast #" + std::to_string(op) + " of " + std::to_string(count));
    }
  }
}

void mixture(Rank& me, int operations, unsigned seed) {
  std::mt19937 random(seed);  // the same on all ranks
  std::vector<uint32_t> x(kMostElements);
  for (int i = 0; i < operations; ++i) {
    const auto op = static_cast<uint32_t>(i);
    const size_t count = random_count(&random);
    const auto kind = static_cast<unsigned>(random() % 10);
    const int root = static_cast<int>(random()) & 0xffff;
    if (i % 500 == 7 * me.rank) ::usleep(1500);
    if (kind == 0) {
      MUST(gossBarrier(me.comm, nullptr));
    } else if (kind < 4) {
      broadcast(me, &x, op, count, root % me.nranks);
    } else {
      all_reduce(me, &x, op, count, kind < 7);
    }
  }
}

struct Case {
  int n;
  int operations;
};
std::ostream& operator<<(std::ostream& out, const Case& c) {
  return out << "n=" << c.n << ",operations=" << c.operations;
}

class Mixture : public testing::TestWithParam<Case> {};

TEST_P(Mixture, OfOperationsAndSizesGivesEveryResult) {
  const int operations = test_scale(GetParam().operations, 300);
  run_ranks(GetParam().n, [&](Rank& me) { mixture(me, operations, 11); });
}

INSTANTIATE_TEST_SUITE_P(Api, Mixture,
                         testing::Values(Case{1, 2000}, Case{2, 4000}, Case{3, 3000}, Case{5, 1500},
                                         Case{8, 800}),
                         [](const auto& p) { return "n" + std::to_string(p.param.n); });

TEST(MixtureApi, WorksWithEveryForcedAlgorithm) {
  for (const char* algorithm : {"inline", "oneshot", "twoshot"}) {
    const ScopedEnv env("GOSS_ALGO", algorithm);
    run_ranks(3, [](Rank& me) { mixture(me, test_scale(500, 100), 5); });
  }
}

// As when the CPUs are far apart, and as when they are near.
TEST(MixtureApi, WorksWithEveryKindOfStores) {
  for (const char* stores : {"stream", "cached"}) {
    const ScopedEnv env("GOSS_STORES", stores);
    run_ranks(3, [](Rank& me) { mixture(me, test_scale(1000, 100), 7); });
  }
}

// Several communicators over the same threads, used in turn.
TEST(MixtureApi, WorksOnSeveralCommunicatorsInTurn) {
  run_ranks(4, [](Rank& me) {
    gossComm_t half = nullptr;
    gossComm_t reversed = nullptr;
    MUST(gossCommSplit(me.comm, me.rank % 2, 0, &half, nullptr));
    MUST(gossCommSplit(me.comm, 0, -me.rank, &reversed, nullptr));
    Rank in_half{me.rank / 2, 2, half};
    Rank in_reverse{3 - me.rank, 4, reversed};
    int rank = -1;
    MUST(gossCommUserRank(reversed, &rank));
    require(rank == in_reverse.rank, "ordered by key");
    for (unsigned seed = 0; seed < 3; ++seed) {
      mixture(in_half, test_scale(200, 50), seed);
      mixture(me, test_scale(200, 50), seed);
      mixture(in_reverse, test_scale(200, 50), seed);
    }
    MUST(gossCommDestroy(half));
    MUST(gossCommDestroy(reversed));
  });
}

}  // namespace
}  // namespace goss::test
