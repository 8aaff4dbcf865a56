// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Ranks that call different things, or do not come: both are told what and who, soon, and nobody
// writes to their buffers afterwards.
#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <cstring>

#include "support/ranks.h"

namespace goss::test {
namespace {

using Clock = std::chrono::steady_clock;

// Long before any time limit, long after any scheduling delay.
constexpr std::chrono::seconds kSoon{5};

struct Call {
  const char* text;  // as messages describe it
  enum { kReduce, kBroadcast, kBarrier } kind;
  size_t count = 0;
  gossDataType_t type = gossFloat;
  gossRedOp_t op = gossSum;
  int root = 0;
};

gossResult_t make_call(const Call& call, gossComm_t comm, std::vector<char>* memory) {
  switch (call.kind) {
    case Call::kReduce:
      return gossAllReduce(memory->data(), memory->data(), call.count, call.type, call.op, comm,
                           nullptr);
    case Call::kBroadcast:
      return gossBcast(memory->data(), call.count, call.type, call.root, comm, nullptr);
    case Call::kBarrier: return gossBarrier(comm, nullptr);
  }
  return gossInternalError;
}

struct Pair {
  const char* name;
  Call first;   // of rank 0
  Call second;  // of rank 1
};
std::ostream& operator<<(std::ostream& out, const Pair& pair) {
  return out << pair.first.text << " with " << pair.second.text;
}

const Pair kPairs[] = {
    {"CountInALine",
     {"all_reduce(count 10, float, sum", Call::kReduce, 10},
     {"all_reduce(count 11, float, sum", Call::kReduce, 11}},
    {"CountInACell",
     {"all_reduce(count 1000, float, sum", Call::kReduce, 1000},
     {"all_reduce(count 1001, float, sum", Call::kReduce, 1001}},
    {"CountOfDifferentAlgorithms",
     {"all_reduce(count 1000, float, sum", Call::kReduce, 1000},
     {"all_reduce(count 100000, float, sum", Call::kReduce, 100'000}},
    {"CountOfDifferentPaths",
     {"all_reduce(count 1, float, sum", Call::kReduce, 1},
     {"all_reduce(count 100000, float, sum", Call::kReduce, 100'000}},
    {"CountOfManyChunks",
     {"all_reduce(count 400000, float, sum", Call::kReduce, 400'000},
     {"all_reduce(count 800000, float, sum", Call::kReduce, 800'000}},
    {"CountZero",
     {"all_reduce(count 0, float, sum", Call::kReduce, 0},
     {"all_reduce(count 5, float, sum", Call::kReduce, 5}},
    {"Type",
     {"all_reduce(count 1000, float, sum", Call::kReduce, 1000},
     {"all_reduce(count 1000, int32, sum", Call::kReduce, 1000, gossInt32}},
    {"Operation",
     {"all_reduce(count 3, float, sum", Call::kReduce, 3},
     {"all_reduce(count 3, float, max", Call::kReduce, 3, gossFloat, gossMax}},
    {"KindInALine",
     {"all_reduce(count 3, float, sum", Call::kReduce, 3},
     {"barrier", Call::kBarrier}},
    {"KindInACell",
     {"all_reduce(count 3000, float, sum", Call::kReduce, 3000},
     {"barrier", Call::kBarrier}},
    {"ReduceAndBroadcastToIt",
     {"all_reduce(count 3000, float, sum", Call::kReduce, 3000},
     {"broadcast(count 3000, float, root 0", Call::kBroadcast, 3000}},
    {"ReduceAndBroadcastFromTheOther",
     {"all_reduce(count 3000, float, sum", Call::kReduce, 3000},
     {"broadcast(count 3000, float, root 1", Call::kBroadcast, 3000, gossFloat, gossSum, 1}},
    {"BarrierAndBroadcast",
     {"barrier", Call::kBarrier},
     {"broadcast(count 30, float, root 0", Call::kBroadcast, 30}},
    {"BroadcastCount",
     {"broadcast(count 30, float, root 0", Call::kBroadcast, 30},
     {"broadcast(count 31, float, root 0", Call::kBroadcast, 31}},
    {"BroadcastRootsOfTheOther",
     {"broadcast(count 30, float, root 1", Call::kBroadcast, 30, gossFloat, gossSum, 1},
     {"broadcast(count 30, float, root 0", Call::kBroadcast, 30}},
};

class Disagreement : public testing::TestWithParam<Pair> {};

// A rank that needed nobody learns it from its next call.
TEST_P(Disagreement, IsToldToBothRanksWithBothCalls) {
  const Pair& pair = GetParam();
  std::string said[2];
  run_ranks(2, [&](Rank& me) {
    std::vector<char> memory(4 << 20);
    // Some agreement first, so that this is not about the first operation.
    MUST(gossBarrier(me.comm, nullptr));
    MUST(gossBcast(memory.data(), 100, gossInt8, 1, me.comm, nullptr));
    const auto begin = Clock::now();
    gossResult_t code = make_call(me.rank == 0 ? pair.first : pair.second, me.comm, &memory);
    if (code == gossSuccess) code = gossBarrier(me.comm, nullptr);
    MUST_BE(gossInvalidUsage, code);
    require(Clock::now() - begin < kSoon, "took too long");
    said[me.rank] = last_error();
    MUST_BE(gossInvalidUsage, gossBarrier(me.comm, nullptr));
    require(last_error() == said[me.rank], "stays failed with the first cause");
  });
  EXPECT_EQ(said[0], said[1]);
  for (const char* part : {"rank 0", "rank 1", pair.first.text, pair.second.text}) {
    EXPECT_NE(said[0].find(part), std::string::npos) << part << " is not in: " << said[0];
  }
}

INSTANTIATE_TEST_SUITE_P(Api, Disagreement, testing::ValuesIn(kPairs),
                         [](const auto& p) { return std::string(p.param.name); });

// Every root needs nobody, so both return. The next synchronising call must not hide it.
TEST(DisagreementApi, OnWhoIsTheRootIsFoundAtTheLatestByTheNextCall) {
  for (int n : {2, 3}) {
    run_ranks(n, [](Rank& me) {
      std::vector<float> x(30);
      const int root = me.rank == 1 ? 1 : 0;
      gossResult_t code = gossBcast(x.data(), 30, gossFloat, root, me.comm, nullptr);
      if (code == gossSuccess) code = gossBarrier(me.comm, nullptr);
      MUST_BE(gossInvalidUsage, code);
    });
  }
}

TEST(DisagreementApi, InOneGroupOfOneThreadIsFound) {
  Comms comms = make_comms(3);
  float x[3] = {};
  MUST(gossGroupStart());
  for (int r = 0; r < 3; ++r) {
    MUST(gossAllReduce(&x[r], &x[r], 1, gossFloat, r == 2 ? gossMin : gossSum, comms[r], nullptr));
  }
  EXPECT_EQ(gossGroupEnd(), gossInvalidUsage);
  EXPECT_NE(last_error().find("min"), std::string::npos) << last_error();
  EXPECT_NE(last_error().find("rank 2"), std::string::npos) << last_error();
}

TEST(DisagreementApi, OfOneRankOfManyIsToldToAll) {
  run_ranks(5, [](Rank& me) {
    std::vector<double> x(5000);
    const size_t count = me.rank == 3 ? 4999 : 5000;
    MUST_BE(gossInvalidUsage,
            gossAllReduce(x.data(), x.data(), count, gossDouble, gossSum, me.comm, nullptr));
    require(last_error().find("rank 3") != std::string::npos, last_error());
    require(last_error().find("4999") != std::string::npos, last_error());
  });
}

// ---- ranks that do not come

gossConfig_t short_limit() {
  gossConfig_t config = default_config();
  config.timeoutMs = 200;
  config.commName = "weights";
  return config;
}

TEST(Timeout, NamesTheRankThatDidNotCome) {
  for (size_t count : {4, 5000, 400'000}) {
    std::atomic<int> failed{0};
    run_ranks(
        3,
        [&](Rank& me) {
          if (me.rank == 1) {  // late: comes when the others have given up
            while (failed < 2) ::usleep(1000);
          }
          std::vector<float> x(count);
          const auto begin = Clock::now();
          MUST_BE(gossTimeout,
                  gossAllReduce(x.data(), x.data(), count, gossFloat, gossSum, me.comm, nullptr));
          require(Clock::now() - begin < kSoon, "took too long");
          for (const char* part : {"rank 1", "weights", "all_reduce"}) {
            require(last_error().find(part) != std::string::npos, last_error());
          }
          ++failed;
        },
        short_limit());
  }
}

TEST(Timeout, OfZeroIsNone) {
  gossConfig_t config = default_config();
  config.timeoutMs = 0;
  run_ranks(
      2,
      [](Rank& me) {
        if (me.rank == 1) ::usleep(300'000);
        MUST(gossBarrier(me.comm, nullptr));
      },
      config);
}

TEST(Timeout, OfAStreamIsItsFirstFailure) {
  Comms comms = make_comms(2, short_limit());
  gossStream_t stream = nullptr;
  MUST(gossStreamCreate(&stream));
  MUST(gossBarrier(comms[0], stream));
  EXPECT_EQ(gossStreamSynchronize(stream), gossTimeout);
  EXPECT_NE(last_error().find("rank 1"), std::string::npos) << last_error();
  MUST(gossStreamDestroy(stream));
}

TEST(Timeout, OfStartUpNamesWhoDidNotCome) {
  gossConfig_t config = default_config();
  config.initTimeoutMs = 300;
  gossUniqueId id;
  MUST(gossGetUniqueId(&id));
  gossComm_t comm = nullptr;
  EXPECT_EQ(gossCommInitRankConfig(&comm, 2, id, 0, &config), gossTimeout);
  EXPECT_NE(last_error().find("1"), std::string::npos) << last_error();
  EXPECT_EQ(comm, nullptr);
}

// ---- after a failure

TEST(Failure, LeavesNobodyWritingToTheBuffers) {
  for (bool shared : {false, true}) {
    std::atomic<int> failed{0};
    std::atomic<int> checked{0};
    run_ranks(
        3,
        [&](Rank& me) {
          const size_t count = 400'000;
          std::vector<float> own(count, 1.0f);
          void* allocated = nullptr;
          if (shared) MUST(gossMemAlloc(&allocated, count * sizeof(float)));
          float* x = shared ? static_cast<float*>(allocated) : own.data();
          if (me.rank == 2) {  // comes when the others have failed and refilled their buffers
            while (failed < 2) ::usleep(1000);
          }
          MUST_BE(gossTimeout, gossAllReduce(x, x, count, gossFloat, gossSum, me.comm, nullptr));
          std::memset(x, 0x3c, count * sizeof(float));
          ++failed;
          while (failed < 3) ::usleep(1000);
          ::usleep(20'000);
          const auto* bytes = reinterpret_cast<const unsigned char*>(x);
          for (size_t i = 0; i < count * sizeof(float); ++i) {
            if (bytes[i] != 0x3c) require(false, "byte " + std::to_string(i) + " was overwritten");
          }
          ++checked;
          while (checked < 3) ::usleep(1000);
          MUST(gossMemFree(allocated));
        },
        short_limit());
  }
}

TEST(Failure, OfAStreamLeavesNobodyWritingToTheBuffers) {
  Comms comms = make_comms(2, short_limit());
  gossStream_t stream = nullptr;
  MUST(gossStreamCreate(&stream));
  std::vector<unsigned char> x(1 << 20, 1);
  MUST(gossBcast(x.data(), x.size(), gossUint8, 1, comms[0], stream));
  ASSERT_EQ(gossStreamSynchronize(stream), gossTimeout);
  std::fill(x.begin(), x.end(), static_cast<unsigned char>(0x3c));
  std::vector<unsigned char> y(1 << 20, 2);
  EXPECT_NE(gossBcast(y.data(), y.size(), gossUint8, 1, comms[1], nullptr), gossSuccess);
  ::usleep(20'000);
  for (unsigned char byte : x) ASSERT_EQ(byte, 0x3c);
  MUST(gossStreamDestroy(stream));
}

// A root may have completed its broadcast before it hears that the other rank did something else.
TEST(DisagreementApi, AboutACompletedOperationSpoilsTheNextOne) {
  for (const size_t count : {size_t{8}, size_t{300'000}}) {
    run_ranks(2, [count](Rank& me) {
      std::vector<int> x(count, 1);
      const auto sum = [&] {
        return gossAllReduce(x.data(), x.data(), count, gossInt, gossSum, me.comm, nullptr);
      };
      gossResult_t code = gossSuccess;
      if (me.rank == 0) {
        ::usleep(20000);  // what the other rank sends is there, for another operation
        code = gossBroadcast(x.data(), x.data(), count, gossInt, 0, me.comm, nullptr);
      }
      if (code == gossSuccess) code = sum();
      require(code == gossInvalidUsage, std::to_string(code) + ": " + last_error());
    });
  }
}

}  // namespace
}  // namespace goss::test
