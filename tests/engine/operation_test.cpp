// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "engine/operation.h"

#include <gtest/gtest.h>

#include <random>
#include <set>

namespace goss::engine {
namespace {

using collectives::Algorithm;
using collectives::Kind;

constexpr int kOneShot = static_cast<int>(Algorithm::kAllReduceOneShot);
constexpr int kTwoShot = static_cast<int>(Algorithm::kAllReduceTwoShot);
constexpr int kFlat = static_cast<int>(Algorithm::kBroadcastFlat);

Operation operation(Kind kind, DataType type, RedOp op, int root, size_t count) {
  Operation o;
  o.kind = kind;
  o.type = type;
  o.op = op;
  o.root = root;
  o.count = count;
  return o;
}

TEST(Signature, DiffersInEverythingThatRanksMustAgreeOn) {
  std::vector<Signature> all;
  for (size_t count : {0, 1, 1000}) {
    for (int type = 0; type < gossNumTypes; ++type) {
      for (int op = 0; op < gossNumOps; ++op) {
        const auto o = operation(Kind::kAllReduce, static_cast<DataType>(type),
                                 static_cast<RedOp>(op), 0, count);
        all.push_back(Signature::of(o, kOneShot));
        all.push_back(Signature::of(o, kTwoShot));
      }
      for (int root : {0, 1, 255, 256, 65535}) {
        all.push_back(Signature::of(
            operation(Kind::kBroadcast, static_cast<DataType>(type), gossSum, root, count), kFlat));
      }
    }
  }
  std::set<std::pair<uint64_t, uint64_t>> words;
  std::set<uint32_t> hashes;
  for (const Signature& s : all) {
    words.insert({s.what, s.count});
    hashes.insert(s.hash());
  }
  EXPECT_EQ(words.size(), all.size());
  EXPECT_EQ(hashes.size(), all.size());
}

TEST(Signature, IgnoresWhereTheBuffersAre) {
  std::byte bytes[4];
  Operation a = operation(Kind::kAllReduce, gossFloat32, gossSum, 0, 1);
  Operation b = a;
  b.buffer = {bytes, bytes, 1};
  EXPECT_EQ(Signature::of(a, kOneShot).hash(), Signature::of(b, kOneShot).hash());
}

TEST(Signature, TellsGroupedCallsFromASingleOne) {
  const Operation one = operation(Kind::kBroadcast, gossFloat32, gossSum, 3, 64);
  Operation grouped = one;
  grouped.calls = 7;
  EXPECT_NE(Signature::of(one, kOneShot).hash(), Signature::of(grouped, kOneShot).hash());
  Operation also = one;
  also.calls = 2;
  EXPECT_EQ(Signature::of(also, kOneShot).hash(), Signature::of(grouped, kOneShot).hash());
  EXPECT_EQ(describe(Signature::of(grouped, kOneShot)),
            "broadcast(count 64, float, root 3, oneshot, grouped)");
}

TEST(Signature, HashesNeighbouringCountsDifferently) {
  std::set<uint32_t> hashes;
  for (size_t count = 0; count < 10'000; ++count) {
    hashes.insert(
        Signature::of(operation(Kind::kAllReduce, gossFloat32, gossSum, 0, count), kTwoShot)
            .hash());
  }
  EXPECT_GE(hashes.size(), 9'999u);  // 10^8/2 pairs over 2^32: a collision is unlikely
}

TEST(CallCounts, OfJoinedRunsAreThoseOfAllCalls) {
  for (size_t split = 0; split <= 9; ++split) {
    CallCounts all;
    CallCounts first;
    CallCounts second;
    for (size_t i = 0; i < 9; ++i) {
      all.add(i * i + 1);
      (i < split ? first : second).add(i * i + 1);
    }
    first.join(second, static_cast<uint32_t>(9 - split));
    EXPECT_EQ(first.hash, all.hash) << split;
  }
}

TEST(CallCounts, TellOrdersAndPortionsApart) {
  const auto of = [](std::initializer_list<size_t> counts) {
    CallCounts all;
    for (size_t count : counts) all.add(count);
    return all.hash >> 32;
  };
  EXPECT_NE(of({400, 600}), of({600, 400}));
  EXPECT_NE(of({1, 6}), of({2, 1}));
  EXPECT_NE(of({1, 1}), of({2}));
}

TEST(Describe, SaysWhatTheCallWas) {
  EXPECT_EQ(
      describe(Signature::of(operation(Kind::kAllReduce, gossFloat32, gossSum, 0, 1024), kTwoShot)),
      "all_reduce(count 1024, float, sum, twoshot)");
  EXPECT_EQ(describe(Signature::of(operation(Kind::kBroadcast, gossInt8, gossSum, 300, 7), kFlat)),
            "broadcast(count 7, int8, root 300, flat)");
  EXPECT_EQ(describe(Signature::of(Operation(), static_cast<int>(Algorithm::kBarrierFlat))),
            "barrier");
}

// Records are memory that others write.
TEST(Describe, SurvivesGarbage) {
  std::mt19937_64 random(7);
  for (int i = 0; i < 20'000; ++i) {
    Signature signature;
    signature.what = random() >> (random() % 64);
    signature.count = random();
    const std::string text = describe(signature);
    ASSERT_FALSE(text.empty());
    ASSERT_LT(text.size(), 200u);
  }
  for (int shift : {0, 8, 24}) {
    Signature signature;
    signature.what = 255ULL << shift;
    EXPECT_EQ(describe(signature), "unknown operation");
  }
  Signature signature;  // kind 0 with an op that does not exist
  signature.what = 200ULL << 16;
  EXPECT_NE(describe(signature).find("unknown op"), std::string::npos);
}

}  // namespace
}  // namespace goss::engine
