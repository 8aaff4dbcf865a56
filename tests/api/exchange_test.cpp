// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Reduce, all-gather, reduce-scatter, all-to-all, gather and scatter through the public API. What
// moves is compared with its source, what is reduced with gossAllReduce, bit for bit.
#include <gtest/gtest.h>
#include <unistd.h>

#include <functional>

#include "support/buffers.h"
#include "support/ranks.h"
#include "support/reference.h"
#include "support/scoped_env.h"
#include "support/test_scale.h"

namespace goss::test {
namespace {

struct Problem {
  size_t count;  // elements of a block
  gossDataType_t type = gossFloat32;
  gossRedOp_t op = gossSum;
  int root = 0;
  bool in_place = false;
  Memory memory = Memory::kPrivate;

  size_t block() const { return count * kSizes[type]; }
  std::string name(const char* collective, const Rank& me) const {
    return std::string(collective) + " n=" + std::to_string(me.nranks) +
           ",count=" + std::to_string(count) + ",type=" + kTypes[type] + ",op=" + kOps[op] +
           ",root=" + std::to_string(root) + ",in_place=" + std::to_string(in_place) +
           ",memory=" + std::to_string(static_cast<int>(memory));
  }
};

void require_equal(const std::byte* data, const std::byte* expected, size_t bytes,
                   const std::string& what) {
  require(bytes == 0 || std::memcmp(data, expected, bytes) == 0, what + ": wrong result");
}

// The whole result of the reduction of `count` elements of every rank's input.
std::vector<std::byte> all_reduced(Rank& me, const Problem& p, size_t count) {
  std::vector<std::byte> x(count * kSizes[p.type]);
  fill(x.data(), x.size(), me.rank);
  MUST(gossAllReduce(x.data(), x.data(), count, p.type, p.op, me.comm, nullptr));
  return x;
}

void check_reduce(Rank& me, const Problem& p) {
  const std::string what = p.name("reduce", me);
  const std::vector<std::byte> expected = all_reduced(me, p, p.count);
  const bool is_root = me.rank == p.root;
  Buffer send(p.memory, p.block());
  Buffer recv(p.memory, p.block());
  std::byte* source = p.in_place && is_root ? recv.data() : send.data();
  fill(source, p.block(), me.rank);
  MUST(gossReduce(source, is_root ? recv.data() : nullptr, p.count, p.type, p.op, p.root, me.comm,
                  nullptr));
  if (is_root) require_equal(recv.data(), expected.data(), p.block(), what);
  if (source == send.data()) require_content(source, p.block(), me.rank, 0, what + ", input");
  recv.require_guards(what);
}

void check_all_gather(Rank& me, const Problem& p) {
  const std::string what = p.name("all_gather", me);
  Buffer send(p.memory, p.block());
  Buffer recv(p.memory, p.block() * static_cast<size_t>(me.nranks));
  std::byte* own = recv.data() + p.block() * static_cast<size_t>(me.rank);
  std::byte* source = p.in_place ? own : send.data();
  fill(source, p.block(), me.rank);
  MUST(gossAllGather(source, recv.data(), p.count, p.type, me.comm, nullptr));
  for (int r = 0; r < me.nranks; ++r) {
    require_content(recv.data() + p.block() * static_cast<size_t>(r), p.block(), r, 0, what);
  }
  recv.require_guards(what);
}

void check_reduce_scatter(Rank& me, const Problem& p) {
  const std::string what = p.name("reduce_scatter", me);
  const size_t n = static_cast<size_t>(me.nranks);
  const std::vector<std::byte> expected = all_reduced(me, p, p.count * n);
  const size_t mine = p.block() * static_cast<size_t>(me.rank);
  Buffer send(p.memory, p.block() * n);
  Buffer recv(p.memory, p.block());
  fill(send.data(), send.bytes(), me.rank);
  std::byte* result = p.in_place ? send.data() + mine : recv.data();
  MUST(gossReduceScatter(send.data(), result, p.count, p.type, p.op, me.comm, nullptr));
  require_equal(result, expected.data() + mine, p.block(), what);
  recv.require_guards(what);
  send.require_guards(what);
}

void check_all_to_all(Rank& me, const Problem& p) {
  if (p.in_place) return;
  const std::string what = p.name("all_to_all", me);
  const size_t n = static_cast<size_t>(me.nranks);
  Buffer send(p.memory, p.block() * n);
  Buffer recv(p.memory, p.block() * n);
  fill(send.data(), send.bytes(), me.rank);
  MUST(gossAlltoAll(send.data(), recv.data(), p.count, p.type, me.comm, nullptr));
  for (int r = 0; r < me.nranks; ++r) {
    require_content(recv.data() + p.block() * static_cast<size_t>(r), p.block(), r,
                    p.block() * static_cast<size_t>(me.rank), what);
  }
  recv.require_guards(what);
}

void check_gather(Rank& me, const Problem& p) {
  const std::string what = p.name("gather", me);
  const bool is_root = me.rank == p.root;
  Buffer send(p.memory, p.block());
  Buffer recv(p.memory, p.block() * static_cast<size_t>(me.nranks));
  std::byte* own = recv.data() + p.block() * static_cast<size_t>(me.rank);
  std::byte* source = p.in_place && is_root ? own : send.data();
  fill(source, p.block(), me.rank);
  MUST(gossGather(source, is_root ? recv.data() : nullptr, p.count, p.type, p.root, me.comm,
                  nullptr));
  for (int r = 0; is_root && r < me.nranks; ++r) {
    require_content(recv.data() + p.block() * static_cast<size_t>(r), p.block(), r, 0, what);
  }
  recv.require_guards(what);
}

void check_scatter(Rank& me, const Problem& p) {
  const std::string what = p.name("scatter", me);
  const bool is_root = me.rank == p.root;
  const size_t mine = p.block() * static_cast<size_t>(me.rank);
  Buffer send(p.memory, p.block() * static_cast<size_t>(me.nranks));
  Buffer recv(p.memory, p.block());
  if (is_root) fill(send.data(), send.bytes(), me.rank);
  std::byte* result = p.in_place && is_root ? send.data() + mine : recv.data();
  MUST(gossScatter(is_root ? send.data() : nullptr, result, p.count, p.type, p.root, me.comm,
                   nullptr));
  require_content(result, p.block(), p.root, mine, what);
  recv.require_guards(what);
}

using Check = void (*)(Rank&, const Problem&);
constexpr Check kChecks[] = {check_reduce,     check_all_gather, check_reduce_scatter,
                             check_all_to_all, check_gather,     check_scatter};

struct Ranks {
  int n;
};
std::ostream& operator<<(std::ostream& out, const Ranks& ranks) { return out << "n=" << ranks.n; }

class Exchange : public testing::TestWithParam<Ranks> {};

TEST_P(Exchange, GivesTheRightBytesForEveryCountAndRoot) {
  run_ranks(GetParam().n, [](Rank& me) {
    for (const Check check : kChecks) {
      int variant = 0;
      for (size_t count : {0, 1, 2, 7, 14, 15, 63, 64, 127, 254, 255, 1021, 4096, 4099, 16385}) {
        for (int root : {0, me.nranks / 2, me.nranks - 1}) {
          Problem p{.count = count, .root = root};
          p.in_place = variant % 2 == 0;
          p.memory = variant % 3 == 0 ? Memory::kUnaligned : Memory::kPrivate;
          check(me, p);
          ++variant;
        }
      }
    }
  });
}

TEST_P(Exchange, GivesTheRightBytesForEveryTypeAndOperation) {
  run_ranks(GetParam().n, [](Rank& me) {
    for (const Check check : kChecks) {
      for (int t = 0; t < gossNumTypes; ++t) {
        for (int op = 0; op < gossNumOps; ++op) {
          if ((t + op + me.nranks) % test_stride() != 0) continue;
          for (size_t count : {5, 1031}) {
            check(me, {.count = count,
                       .type = type_at(t),
                       .op = op_at(op),
                       .root = (t + op) % me.nranks,
                       .in_place = (t + op) % 2 == 0});
          }
        }
      }
    }
  });
}

INSTANTIATE_TEST_SUITE_P(Api, Exchange,
                         testing::Values(Ranks{1}, Ranks{2}, Ranks{3}, Ranks{4}, Ranks{5}, Ranks{8},
                                         Ranks{13}, Ranks{17}),
                         [](const auto& p) { return "n" + std::to_string(p.param.n); });

// Many chunks, staged and in place, in calls whose ranks mix the kinds of memory.
TEST(LargeExchange, GivesTheRightBytesWhateverTheMemory) {
  for (const char* stores : {"cached", "stream"}) {
    const ScopedEnv env("GOSS_STORES", stores);
    run_ranks(3, [](Rank& me) {
      const auto count = static_cast<size_t>(test_scale(700'001, 150'001));
      for (const Check check : kChecks) {
        for (const bool in_place : {false, true}) {
          Problem p{.count = count, .root = 1, .in_place = in_place};
          check(me, p);
          p.memory = Memory::kShared;
          check(me, p);
          p.memory = me.rank == 1 ? Memory::kPrivate : Memory::kShared;
          check(me, p);
        }
      }
    });
  }
}

TEST(LargeExchange, OfAReductionMayBeForcedToEitherAlgorithm) {
  for (const char* algorithm : {"oneshot", "twoshot"}) {
    const ScopedEnv env("GOSS_ALGO", algorithm);
    run_ranks(4, [](Rank& me) {
      for (size_t count : {1, 100, 10'000, 300'000}) check_reduce(me, {.count = count, .root = 3});
    });
  }
}

// Different collectives one after the other use the same lines and cells.
TEST(MixedExchange, KeepsEveryResultApart) {
  run_ranks(4, [](Rank& me) {
    const int rounds = test_scale(400, 60);
    for (int round = 0; round < rounds; ++round) {
      const auto random = static_cast<uint64_t>(mix(static_cast<uint64_t>(round)));
      const size_t counts[] = {1, 20, 300, 5000, 40'000};
      Problem p{.count = counts[random % 5], .root = static_cast<int>(random / 8 % 4)};
      p.in_place = random / 64 % 2 == 0;
      if (me.rank == round % 16) ::usleep(200);
      kChecks[random / 128 % std::size(kChecks)](me, p);
    }
  });
}

TEST(MixedExchange, WorksInGroupsOfOneThreadAndOnStreams) {
  constexpr int kRanks = 3;
  constexpr size_t kCount = 5000;
  Comms comms = make_comms(kRanks);
  std::vector<gossStream_t> streams(kRanks);
  for (gossStream_t& stream : streams) MUST(gossStreamCreate(&stream));
  for (const bool queued : {false, true}) {
    std::vector<std::vector<float>> in(kRanks, std::vector<float>(kRanks * kCount));
    std::vector<std::vector<float>> gathered = in;
    std::vector<std::vector<float>> scattered(kRanks, std::vector<float>(kCount));
    std::vector<std::vector<float>> exchanged = in;
    for (int r = 0; r < kRanks; ++r) {
      for (size_t i = 0; i < kRanks * kCount; ++i) in[r][i] = static_cast<float>(r * 100 + i % 97);
    }
    MUST(gossGroupStart());
    for (int r = 0; r < kRanks; ++r) {
      gossStream_t where = queued ? streams[r] : nullptr;
      MUST(gossAllGather(in[r].data(), gathered[r].data(), kCount, gossFloat, comms[r], where));
      MUST(gossReduceScatter(in[r].data(), scattered[r].data(), kCount, gossFloat, gossSum,
                             comms[r], where));
      MUST(gossAlltoAll(in[r].data(), exchanged[r].data(), kCount, gossFloat, comms[r], where));
    }
    MUST(gossGroupEnd());
    for (gossStream_t stream : streams) MUST(gossStreamSynchronize(stream));
    for (int r = 0; r < kRanks; ++r) {
      for (size_t i = 0; i < kCount; ++i) {
        const size_t here = static_cast<size_t>(r) * kCount + i;
        ASSERT_EQ(scattered[r][i], in[0][here] + in[1][here] + in[2][here]);
        for (int s = 0; s < kRanks; ++s) {
          const size_t there = static_cast<size_t>(s) * kCount + i;
          ASSERT_EQ(gathered[r][there], in[s][i]);
          ASSERT_EQ(exchanged[r][there], in[s][here]);
        }
      }
    }
  }
  for (gossStream_t stream : streams) MUST(gossStreamDestroy(stream));
}

TEST(ExchangeArguments, ThatMakeNoSenseAreRefusedAndNamed) {
  run_ranks(2, [](Rank& me) {
    float x[4] = {};
    gossRedOp_t invalid_op;
    const int nine = 9;  // C callers may pass any number
    std::memcpy(&invalid_op, &nine, sizeof(invalid_op));
    const auto refused = [&](gossResult_t code, const char* text) {
      require(code == gossInvalidArgument, std::string(text) + ": another code");
      const std::string error = last_error();
      require(error.find(text) != std::string::npos, error + " does not say " + text);
    };
    refused(gossReduce(x, x, 1, gossFloat, gossSum, 2, me.comm, nullptr), "invalid root 2");
    refused(gossGather(x, x, 1, gossFloat, -1, me.comm, nullptr), "invalid root -1");
    refused(gossScatter(x, nullptr, 1, gossFloat, 0, me.comm, nullptr), "receive buffer is NULL");
    refused(gossReduce(nullptr, x, 1, gossFloat, gossSum, 0, me.comm, nullptr),
            "send buffer is NULL");
    refused(gossAlltoAll(x, x, 1, gossFloat, me.comm, nullptr), "in place");
    refused(gossAllGather(x, x, SIZE_MAX / 8, gossFloat, me.comm, nullptr), "address space");
    refused(gossReduceScatter(x, x, 1, gossFloat, invalid_op, me.comm, nullptr),
            "invalid reduction operation 9");
    refused(gossAllGather(x, x, 1, static_cast<gossDataType_t>(12), me.comm, nullptr),
            "invalid type 12");
    // The communicator goes on.
    float gathered[2] = {};
    x[0] = static_cast<float>(me.rank + 1);
    MUST(gossAllGather(x, gathered, 1, gossFloat, me.comm, nullptr));
    require(gathered[0] == 1 && gathered[1] == 2, "all-gather after refusals");
  });
}

TEST(ExchangeArguments, ThatDifferBetweenRanksAreNamedOnBoth) {
  run_ranks(2, [](Rank& me) {
    std::vector<float> x(4000);
    std::vector<float> y(4000);
    const gossResult_t code =
        me.rank == 0 ? gossGather(x.data(), y.data(), 2000, gossFloat, 0, me.comm, nullptr)
                     : gossAllGather(x.data(), y.data(), 2000, gossFloat, me.comm, nullptr);
    // A rank that waits for nobody hears of it in its next call.
    if (code == gossSuccess) {
      MUST_BE(gossInvalidUsage, gossBarrier(me.comm, nullptr));
    } else {
      require(code == gossInvalidUsage, "another code");
    }
    const std::string error = gossGetLastError(me.comm);
    require(error.find("all_gather(count 2000") != std::string::npos, error);
    require(error.find("gather(count 2000, float, root 0") != std::string::npos, error);
  });
}

TEST(Explain, KnowsEveryCollective) {
  run_ranks(2, [](Rank& me) {
    for (const char* name : {"all_reduce", "broadcast", "barrier", "reduce", "all_gather",
                             "reduce_scatter", "all_to_all", "gather", "scatter"}) {
      char text[2048];
      MUST(gossExplain(me.comm, name, 100'000, gossFloat, text, sizeof(text)));
      require(std::string(text).rfind(name, 0) == 0, text);
    }
  });
}

}  // namespace
}  // namespace goss::test
