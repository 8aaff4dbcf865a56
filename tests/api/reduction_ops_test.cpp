// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// gossRedOpCreatePreMulSum: the bits of a multiplication on every rank followed by gossSum, in
// every collective that reduces.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <numeric>

#include "support/buffers.h"
#include "support/ranks.h"
#include "support/raw_enum.h"
#include "support/reference.h"
#include "support/test_scale.h"

namespace goss::test {
namespace {

// 3 on rank 0, 4 on rank 1 and so on, in any type; halves of them in floats.
std::vector<std::byte> scalar_of(gossDataType_t type, int rank) {
  std::vector<std::byte> bytes(kSizes[type]);
  const auto put = [&](auto value) { std::memcpy(bytes.data(), &value, sizeof(value)); };
  const float half = 0.5f * static_cast<float>(3 + rank);
  switch (type) {
    case gossFloat32: put(half); break;
    case gossFloat64: put(static_cast<double>(half)); break;
    case gossFloat16:
    case gossBfloat16: put(static_cast<uint16_t>(narrow_format(type).encode(half))); break;
    case gossFloat8e4m3:
    case gossFloat8e5m2: put(static_cast<uint8_t>(narrow_format(type).encode(half))); break;
    default: bytes[0] = static_cast<std::byte>(3 + rank); break;
  }
  return bytes;
}

// What rank `rank` contributes: input times scalar, rounded to the type.
std::vector<std::byte> products(const std::byte* input, size_t count, gossDataType_t type,
                                int rank) {
  const std::vector<std::byte> scalar = scalar_of(type, rank);
  std::vector<std::byte> factors;
  for (size_t i = 0; i < count; ++i) factors.insert(factors.end(), scalar.begin(), scalar.end());
  return reference_all_reduce({input, factors.data()}, count, type, gossProd);
}

std::vector<std::byte> expected_sum(size_t count, gossDataType_t type, int nranks) {
  std::vector<std::vector<std::byte>> all;
  std::vector<const std::byte*> inputs;
  for (int r = 0; r < nranks; ++r) {
    std::vector<std::byte> input(count * kSizes[type]);
    fill(input.data(), input.size(), r);
    all.push_back(products(input.data(), count, type, r));
  }
  for (const auto& one : all) inputs.push_back(one.data());
  return reference_all_reduce(inputs, count, type, gossSum);
}

gossRedOp_t make_op(gossDataType_t type, gossScalarResidence_t residence, Rank& me,
                    std::vector<std::byte>* scalar) {
  *scalar = scalar_of(type, me.rank);
  gossRedOp_t op = gossSum;
  MUST(gossRedOpCreatePreMulSum(&op, scalar->data(), type, residence, me.comm));
  return op;
}

void require_equal(const std::byte* got, const std::byte* wanted, size_t bytes,
                   const std::string& what) {
  require(bytes == 0 || std::memcmp(got, wanted, bytes) == 0, what);
}

class PreMulSum : public ::testing::TestWithParam<int> {};

TEST_P(PreMulSum, IsAMultiplicationThenASumInEveryType) {
  run_ranks(GetParam(), [](Rank& me) {
    for (int t = 0; t < gossNumTypes; ++t) {
      const gossDataType_t type = type_at(t);
      std::vector<std::byte> scalar;
      const gossRedOp_t op = make_op(type, gossScalarHostImmediate, me, &scalar);
      scalar.assign(scalar.size(), std::byte{0});  // it was copied
      for (size_t count : {size_t{0}, size_t{1}, size_t{37}, size_t{20'003}}) {
        const std::string what = std::string(kTypes[t]) + " " + std::to_string(count);
        const size_t bytes = count * kSizes[t];
        const std::vector<std::byte> wanted = expected_sum(count, type, me.nranks);
        Buffer send(static_cast<Memory>(t % 3), bytes);
        Buffer recv(static_cast<Memory>((t + 1) % 3), bytes);
        fill(send.data(), bytes, me.rank);
        MUST(gossAllReduce(send.data(), recv.data(), count, type, op, me.comm, nullptr));
        require_equal(recv.data(), wanted.data(), bytes, what + " out of place");
        require_content(send.data(), bytes, me.rank, 0, what + ": input");
        recv.require_guards(what);
        MUST(gossAllReduce(send.data(), send.data(), count, type, op, me.comm, nullptr));
        require_equal(send.data(), wanted.data(), bytes, what + " in place");
      }
      MUST(gossRedOpDestroy(op, me.comm));
    }
  });
}

TEST_P(PreMulSum, ReducesToARootAndInBlocks) {
  run_ranks(GetParam(), [](Rank& me) {
    const auto n = static_cast<size_t>(me.nranks);
    const auto own = static_cast<size_t>(me.rank);
    const gossDataType_t type = gossFloat32;
    constexpr size_t kElement = 4;
    std::vector<std::byte> scalar;
    const gossRedOp_t op = make_op(type, gossScalarDevice, me, &scalar);
    for (size_t block : {size_t{3}, size_t{9'001}}) {
      const size_t total = n * block;
      const std::vector<std::byte> wanted = expected_sum(total, type, me.nranks);
      Buffer send(Memory::kPrivate, total * kElement);
      Buffer recv(Memory::kUnaligned, total * kElement);
      fill(send.data(), total * kElement, me.rank);
      for (int root = 0; root < me.nranks; ++root) {
        const bool mine = root == me.rank;
        MUST(gossReduce(send.data(), mine ? recv.data() : nullptr, total, type, op, root, me.comm,
                        nullptr));
        if (mine) require_equal(recv.data(), wanted.data(), total * kElement, "reduce");
      }
      MUST(gossReduceScatter(send.data(), recv.data(), block, type, op, me.comm, nullptr));
      require_equal(recv.data(), wanted.data() + own * block * kElement, block * kElement,
                    "reduce-scatter");
      std::vector<size_t> counts(n, block);
      counts[0] += n - 1;
      for (size_t r = 1; r < n; ++r) counts[r] -= 1;
      const size_t before = std::accumulate(counts.begin(), counts.begin() + me.rank, size_t{0});
      require_content(send.data(), total * kElement, me.rank, 0, "input");
      std::byte* in_place = send.data() + before * kElement;
      MUST(gossReduceScatterv(send.data(), in_place, counts.data(), type, op, me.comm, nullptr));
      require_equal(in_place, wanted.data() + before * kElement, counts[own] * kElement,
                    "reduce-scatter with counts, in place");
    }
  });
}

TEST_P(PreMulSum, WorksOnStreamsAndInGroupsAfterItWasDestroyed) {
  run_ranks(GetParam(), [](Rank& me) {
    const gossDataType_t type = gossBfloat16;
    std::vector<std::byte> scalar;
    constexpr size_t kCounts[] = {5, 40, 300'000};
    gossStream_t stream = nullptr;
    MUST(gossStreamCreate(&stream));
    for (gossStream_t where : {stream, gossStream_t{nullptr}}) {
      const gossRedOp_t op = make_op(type, gossScalarHostImmediate, me, &scalar);
      std::vector<std::vector<std::byte>> data;
      for (size_t count : kCounts) {
        data.emplace_back(count * 2);
        fill(data.back().data(), data.back().size(), me.rank);
      }
      MUST(gossGroupStart());
      for (size_t i = 0; i < data.size(); ++i) {
        MUST(gossAllReduce(data[i].data(), data[i].data(), kCounts[i], type, op, me.comm, where));
      }
      MUST(gossRedOpDestroy(op, me.comm));
      MUST(gossGroupEnd());
      MUST(gossStreamSynchronize(stream));
      for (size_t i = 0; i < data.size(); ++i) {
        const auto wanted = expected_sum(kCounts[i], type, me.nranks);
        require_equal(data[i].data(), wanted.data(), wanted.size(), std::to_string(kCounts[i]));
      }
    }
    MUST(gossStreamDestroy(stream));
  });
}

INSTANTIATE_TEST_SUITE_P(ReductionOps, PreMulSum, ::testing::Values(1, 2, 3, 5),
                         ::testing::PrintToStringParamName());

TEST(ReductionOps, ADeviceScalarIsReadWhenTheOperationBegins) {
  Comms comms = make_comms(1);
  float scalar = 2;
  gossRedOp_t op = gossSum;
  MUST(gossRedOpCreatePreMulSum(&op, &scalar, gossFloat, gossScalarDevice, comms[0]));
  scalar = 5;
  float x = 3;
  MUST(gossAllReduce(&x, &x, 1, gossFloat, op, comms[0], nullptr));
  EXPECT_EQ(x, 15);
}

TEST(ReductionOps, WrongArgumentsAreRefusedAndNamed) {
  Comms comms = make_comms(1);
  Comms others = make_comms(1);
  gossRedOp_t op = gossSum;
  float scalar = 2;
  float x = 3;
  const auto make = [&](gossRedOp_t* out, void* at, gossDataType_t type,
                        gossScalarResidence_t residence, gossComm_t comm) {
    return gossRedOpCreatePreMulSum(out, at, type, residence, comm);
  };
  const auto wrong = raw<gossScalarResidence_t>(2);
  constexpr auto kImmediate = gossScalarHostImmediate;
  EXPECT_EQ(make(nullptr, &scalar, gossFloat, kImmediate, comms[0]), gossInvalidArgument);
  EXPECT_EQ(make(&op, nullptr, gossFloat, kImmediate, comms[0]), gossInvalidArgument);
  EXPECT_EQ(make(&op, &scalar, gossNumTypes, kImmediate, comms[0]), gossInvalidArgument);
  EXPECT_EQ(make(&op, &scalar, gossFloat, wrong, comms[0]), gossInvalidArgument);
  EXPECT_EQ(make(&op, &scalar, gossFloat, kImmediate, nullptr), gossInvalidArgument);
  MUST(make(&op, &scalar, gossFloat, kImmediate, comms[0]));
  EXPECT_GE(op, gossNumOps);

  EXPECT_EQ(gossAllReduce(&x, &x, 1, gossInt32, op, comms[0], nullptr), gossInvalidArgument);
  EXPECT_NE(last_error().find("was made for float"), std::string::npos) << last_error();
  EXPECT_EQ(gossAllReduce(&x, &x, 1, gossFloat, op, others[0], nullptr), gossInvalidArgument);
  EXPECT_NE(last_error().find("on this communicator"), std::string::npos) << last_error();
  EXPECT_EQ(gossRedOpDestroy(op, others[0]), gossInvalidArgument);
  EXPECT_EQ(gossRedOpDestroy(gossSum, comms[0]), gossInvalidArgument);
  EXPECT_EQ(gossRedOpDestroy(op, nullptr), gossInvalidArgument);

  MUST(gossGroupStart());
  EXPECT_EQ(gossAllReduce(&x, &x, 1, gossFloat, op, others[0], nullptr), gossInvalidArgument);
  EXPECT_EQ(gossGroupEnd(), gossInvalidArgument);

  MUST(gossRedOpDestroy(op, comms[0]));
  EXPECT_EQ(gossRedOpDestroy(op, comms[0]), gossInvalidArgument);
  EXPECT_EQ(gossAllReduce(&x, &x, 1, gossFloat, op, comms[0], nullptr), gossInvalidArgument);
  EXPECT_EQ(x, 3);
  MUST(gossAllReduce(&x, &x, 1, gossFloat, gossSum, comms[0], nullptr));
}

TEST(ReductionOps, ARankThatSumsPlainlyIsNamed) {
  Comms comms = make_comms(2);
  float scalar = 2;
  gossRedOp_t op = gossSum;
  MUST(gossRedOpCreatePreMulSum(&op, &scalar, gossFloat, gossScalarHostImmediate, comms[0]));
  float x[2] = {1, 1};
  MUST(gossGroupStart());
  MUST(gossAllReduce(&x[0], &x[0], 1, gossFloat, op, comms[0], nullptr));
  MUST(gossAllReduce(&x[1], &x[1], 1, gossFloat, gossSum, comms[1], nullptr));
  EXPECT_EQ(gossGroupEnd(), gossInvalidUsage);
  EXPECT_NE(last_error().find("premulsum"), std::string::npos) << last_error();
}

}  // namespace
}  // namespace goss::test
