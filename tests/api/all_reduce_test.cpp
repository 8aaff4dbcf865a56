// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// The matrix of all-reduces through the public API: types, reductions, ranks, counts, in place and
// not, aligned and not. Every rank compares with the reference bit by bit, so all ranks agree.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <memory>

#include "support/ranks.h"
#include "support/reference.h"
#include "support/scoped_env.h"
#include "support/test_scale.h"

namespace goss::test {
namespace {

constexpr size_t kGuard = 64;
constexpr std::byte kGuardByte{0xa5};

// What all ranks send, and what comes of it by one operation after the other.
struct Data {
  gossDataType_t type;
  gossRedOp_t op;
  size_t count;
  std::vector<std::vector<std::byte>> inputs;
  std::vector<std::byte> expected;

  Data(int nranks, gossDataType_t t, size_t elements) : type(t), count(elements) {
    for (int r = 0; r < nranks; ++r) inputs.push_back(make_input(t, r, count));
  }
  Data(int nranks, gossDataType_t t, gossRedOp_t o, size_t elements) : Data(nranks, t, elements) {
    reduce_by(o);
  }

  void reduce_by(gossRedOp_t o) {
    op = o;
    std::vector<const std::byte*> all;
    for (const auto& input : inputs) all.push_back(input.data());
    // One rank alone copies. (Nothing else is special about it.)
    expected =
        all.size() == 1 && o != gossAvg ? inputs[0] : reference_all_reduce(all, count, type, o);
  }
};

struct Variant {
  bool in_place;
  size_t send_shift;  // elements
  size_t recv_shift;
};

// Elements are independent, so shifted operands give a shifted result.
void check_one(Rank& me, const Data& data, size_t count, const Variant& variant) {
  const size_t size = kSizes[data.type];
  const size_t shift = variant.in_place ? variant.recv_shift : variant.send_shift;
  const std::byte* send = data.inputs[static_cast<size_t>(me.rank)].data() + shift * size;
  const size_t at = kGuard + variant.recv_shift * size;
  std::vector<std::byte> recv(at + count * size + kGuard, kGuardByte);
  if (variant.in_place && count != 0) std::memcpy(recv.data() + at, send, count * size);
  const void* source = variant.in_place ? recv.data() + at : send;
  MUST(gossAllReduce(source, recv.data() + at, count, data.type, data.op, me.comm, nullptr));

  const std::string what =
      std::string(kTypes[data.type]) + "," + kOps[data.op] + ",count=" + std::to_string(count) +
      (variant.in_place ? ",in place" : ",out of place") + ",shift=" + std::to_string(shift);
  const std::byte* expected = data.expected.data() + shift * size;
  const std::byte* got = recv.data() + at;
  // As a whole, which sanitizers look at once.
  if (count != 0 && std::memcmp(got, expected, count * size) != 0) {
    const auto wrong = std::mismatch(got, got + count * size, expected).first - got;
    require(false, what + ": element " + std::to_string(static_cast<size_t>(wrong) / size));
  }
  for (size_t i = 0; i < at; ++i) require(recv[i] == kGuardByte, what + ": wrote before");
  for (size_t i = at + count * size; i < recv.size(); ++i) {
    require(recv[i] == kGuardByte, what + ": wrote behind");
  }
}

std::vector<size_t> small_counts(size_t size) {
  std::vector<size_t> counts{0, 1, 2, 3, 7, 13, 14, 15, 31, 97, 1021, 4099};
  for (size_t edge : {56 / size, 1016 / size, 8192 / size, 16384 / size, 65536 / size}) {
    counts.insert(counts.end(), {edge - 1, edge, edge + 1});
  }
  return counts;
}

void sweep(Rank& me, const Data& data, const std::vector<size_t>& counts, bool all_variants) {
  for (size_t i = 0; i < counts.size(); ++i) {
    const Variant variants[] = {{false, 0, 0}, {true, 0, 1}, {false, 1, 0}, {true, 0, 0}};
    if (!all_variants) {
      check_one(me, data, counts[i], variants[(i + data.type + data.op) % 4]);
      continue;
    }
    for (const Variant& variant : variants) check_one(me, data, counts[i], variant);
  }
}

struct Ranks {
  int n;
};
std::ostream& operator<<(std::ostream& out, const Ranks& ranks) { return out << "n=" << ranks.n; }

class AllReduceMatrix : public testing::TestWithParam<Ranks> {};

TEST_P(AllReduceMatrix, GivesTheLeftFoldBitForBit) {
  const int n = GetParam().n;
  const int stride = n > 8 ? std::max(4, test_stride()) : test_stride();  // many ranks take long
  for (int t = 0; t < gossNumTypes; ++t) {
    const size_t size = kSizes[t];
    const std::vector<size_t> counts = small_counts(size);
    Data data(n, type_at(t), std::max<size_t>(65536 / size + 2, 4100));
    for (int o = 0; o < gossNumOps; ++o) {
      if ((t + o + n) % stride != 0) continue;
      data.reduce_by(op_at(o));
      run_ranks(n, [&](Rank& me) { sweep(me, data, counts, n <= 5); });
    }
  }
}

// Chunks of many cells, through the ring many times.
TEST_P(AllReduceMatrix, GivesTheLeftFoldForLargeBuffers) {
  const int n = GetParam().n;
  const int every = n > 5 || test_stride() > 1 ? 13 : 4;
  for (int t = 0; t < gossNumTypes; ++t) {
    const size_t size = kSizes[t];
    const auto many = static_cast<size_t>(test_scale(300'000, 100'000));
    const auto mebibytes = static_cast<size_t>(test_scale(5 << 20, 3 << 18)) / size + 5;
    const std::vector<size_t> counts{65536 * 4 / size + 1, many, std::min(mebibytes, 4 * many)};
    std::unique_ptr<Data> data;
    for (int o = 0; o < gossNumOps; ++o) {
      if ((t * gossNumOps + o) % every != n % every) continue;
      if (data == nullptr) {
        data = std::make_unique<Data>(n, type_at(t),
                                      1 + *std::max_element(counts.begin(), counts.end()));
      }
      data->reduce_by(op_at(o));
      run_ranks(n, [&](Rank& me) { sweep(me, *data, counts, false); });
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Api, AllReduceMatrix,
                         testing::Values(Ranks{1}, Ranks{2}, Ranks{3}, Ranks{4}, Ranks{5}, Ranks{8},
                                         Ranks{13}, Ranks{17}),
                         [](const auto& p) { return "n" + std::to_string(p.param.n); });

class ForcedAlgorithm : public testing::TestWithParam<const char*> {};

TEST_P(ForcedAlgorithm, ChangesNoBit) {
  const ScopedEnv env("GOSS_ALGO", GetParam());
  for (int n : {2, 3, 5}) {
    for (int t : {gossFloat32, gossBfloat16, gossInt64, gossFloat8e5m2}) {
      const Data data(n, type_at(t), t == gossBfloat16 ? gossAvg : gossSum, 200'001);
      std::vector<size_t> counts = small_counts(kSizes[t]);
      counts.push_back(200'000);
      run_ranks(n, [&](Rank& me) { sweep(me, data, counts, true); });
    }
  }
}

TEST_P(ForcedAlgorithm, IsWhatExplainSays) {
  const ScopedEnv env("GOSS_ALGO", GetParam());
  const std::string forced = GetParam();
  Comms comms = make_comms(2);
  char text[2000];
  MUST(gossExplain(comms[0], "all_reduce", 1 << 20, gossFloat32, text, sizeof(text)));
  const std::string large = text;
  EXPECT_NE(large.find(forced == "oneshot" ? "oneshot" : "twoshot"), std::string::npos) << large;
  MUST(gossExplain(comms[0], "all_reduce", 2, gossFloat32, text, sizeof(text)));
  EXPECT_NE(std::string(text).find(forced == "twoshot" ? "twoshot" : "oneshot"), std::string::npos)
      << text;
  const bool known = forced == "oneshot" || forced == "twoshot";
  for (const char* collective : {"all_reduce", "reduce"}) {
    MUST(gossExplain(comms[0], collective, 1 << 20, gossFloat32, text, sizeof(text)));
    EXPECT_EQ(std::string(text).find("forced by GOSS_ALGO") != std::string::npos, known) << text;
  }
}

INSTANTIATE_TEST_SUITE_P(Api, ForcedAlgorithm,
                         testing::Values("auto", "inline", "oneshot", "twoshot"),
                         [](const auto& p) { return std::string(p.param); });

TEST(Settings, ThatAreUnknownAreRefusedWhenTheCommunicatorIsMade) {
  const std::pair<const char*, const char*> bad[] = {
      {"GOSS_ALGO", "teleport"}, {"GOSS_TRANSPORT", "pigeon"}, {"GOSS_STORES", "shelf"},
      {"GOSS_TIMEOUT", "soon"},  {"GOSS_WARN_AFTER", "-3s"},   {"GOSS_INIT_TIMEOUT", "5 h"}};
  for (const auto& [name, value] : bad) {
    const ScopedEnv env(name, value);
    gossComm_t comm = nullptr;
    EXPECT_EQ(gossCommInitAll(&comm, 1, nullptr), gossInvalidUsage) << name;
    EXPECT_NE(last_error().find(std::string(name) + "=" + value), std::string::npos)
        << last_error();
  }
}

TEST(AllReduce, IsTheSameFromRunToRun) {
  const Data data(4, gossFloat32, gossSum, 100'000);
  std::vector<float> first(100'000);
  for (int run = 0; run < 3; ++run) {
    run_ranks(4, [&](Rank& me) {
      std::vector<float> recv(100'000);
      MUST(gossAllReduce(data.inputs[static_cast<size_t>(me.rank)].data(), recv.data(), recv.size(),
                         gossFloat32, gossSum, me.comm, nullptr));
      if (run == 0 && me.rank == 0) first = recv;
      if (run != 0) require(std::memcmp(recv.data(), first.data(), 400'000) == 0, "differs");
    });
  }
}

// A new length at every call must neither fail nor fill a cache.
TEST(AllReduce, TakesANewCountAtEveryCallWithoutNewPlans) {
  run_ranks(3, [&](Rank& me) {
    std::vector<int32_t> x(20'000);
    for (size_t count = 1; count < 20'000; count += 97) {
      for (size_t i = 0; i < count; ++i) x[i] = static_cast<int32_t>(i) + me.rank;
      MUST(gossAllReduce(x.data(), x.data(), count, gossInt32, gossSum, me.comm, nullptr));
      for (size_t i = 0; i < count; ++i) {
        require(x[i] == 3 * static_cast<int32_t>(i) + 3, "count " + std::to_string(count));
      }
    }
    gossCommStats_t stats{};
    stats.size = sizeof(stats);
    MUST(gossCommGetStats(me.comm, &stats));
    require(stats.plans <= 2, "one plan per algorithm, not " + std::to_string(stats.plans));
    require(stats.operations == 207, std::to_string(stats.operations) + " operations");
  });
}

}  // namespace
}  // namespace goss::test
