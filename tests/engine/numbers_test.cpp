// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// The numbers of operations where their last 32 bits, which is what ranks show each other, begin
// anew.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include "engine/communicator.h"
#include "engine/handle.h"
#include "support/ranks.h"

namespace goss::engine {
namespace {

using test::last_error;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr uint64_t kTurn = uint64_t{1} << 32;

// Two ranks that have done all but `left` of the first 2^32 operations.
test::Comms nearly_there(uint64_t left) {
  test::Comms comms = test::make_comms(2);
  for (int r = 0; r < 2; ++r) comms[r]->comm->count_from(kTurn - left);
  return comms;
}

gossResult_t sum(test::Comms* comms, size_t count_of_0, size_t count_of_1) {
  std::vector<int32_t> x[2] = {std::vector<int32_t>(count_of_0, 1),
                               std::vector<int32_t>(count_of_1, 2)};
  MUST(gossGroupStart());
  for (int r = 0; r < 2; ++r) {
    MUST(gossAllReduce(x[r].data(), x[r].data(), x[r].size(), gossInt32, gossSum, (*comms)[r],
                       nullptr));
  }
  const gossResult_t code = gossGroupEnd();
  if (code != gossSuccess) return code;
  for (const auto& buffer : x) EXPECT_EQ(buffer, std::vector<int32_t>(buffer.size(), 3));
  return code;
}

std::string number(uint64_t n) { return "#" + std::to_string(n); }

class Numbers : public ::testing::TestWithParam<size_t> {};

TEST_P(Numbers, GoOnAfterTheirLast32BitsBeginAnew) {
  test::Comms comms = nearly_there(3);
  for (int i = 0; i < 6; ++i) ASSERT_EQ(sum(&comms, GetParam(), GetParam()), gossSuccess);
  const std::string record = comms[0]->comm->flight_record();
  for (uint64_t n = kTurn - 2; n <= kTurn + 3; ++n) EXPECT_THAT(record, HasSubstr(number(n) + " "));
  EXPECT_THAT(record, Not(HasSubstr("not completed")));
  EXPECT_THAT(comms[0]->comm->last_seen(1), HasSubstr("last seen after all_reduce"));
  EXPECT_THAT(comms[0]->comm->last_seen(1), HasSubstr(number(kTurn + 3)));
}

// Places that were never written look like operation 0.
TEST_P(Numbers, OfRanksThatDifferAreNamedAtTheTurn) {
  for (uint64_t left : {1, 2}) {
    test::Comms comms = nearly_there(left);
    for (uint64_t i = 1; i < left; ++i) ASSERT_EQ(sum(&comms, 1, 1), gossSuccess);
    EXPECT_EQ(sum(&comms, GetParam(), GetParam() + 1), gossInvalidUsage);
    EXPECT_THAT(last_error(), HasSubstr("operation " + number(kTurn)));
    EXPECT_THAT(last_error(), HasSubstr("rank 1"));
    EXPECT_THAT(comms[1]->comm->flight_record(), HasSubstr(number(kTurn) + " "));
    EXPECT_THAT(comms[1]->comm->flight_record(), HasSubstr("not completed"));
  }
}

INSTANTIATE_TEST_SUITE_P(Path, Numbers, ::testing::Values(size_t{2}, size_t{40'000}),
                         [](const auto& test) { return test.param == 2 ? "inline" : "mapped"; });

TEST(Numbers, OfAFinishedOperationDoNotMakeARankThatLeftAfterwardsAFailure) {
  test::Comms comms = nearly_there(2);
  for (int i = 0; i < 3; ++i) ASSERT_EQ(sum(&comms, 2, 2), gossSuccess);
  MUST(gossCommDestroy(comms[1]));
  comms[1] = nullptr;
  Communicator& comm = *comms[0]->comm;
  const auto word = [&](uint64_t n) {
    return comm.mine().records[n % shm::kRecords].signature.load(std::memory_order_relaxed);
  };
  for (uint64_t n = kTurn - 1; n <= kTurn + 1; ++n) {
    EXPECT_EQ(comm.number_of(word(n)), n);
    const Status status = comm.check_wait(1, word(n), std::chrono::milliseconds(0));
    EXPECT_TRUE(status.ok()) << status.message();
  }
  float x = 0;
  EXPECT_EQ(gossAllReduce(&x, &x, 1, gossFloat, gossSum, comms[0], nullptr), gossRemoteError);
  EXPECT_THAT(last_error(), HasSubstr("left"));
  EXPECT_THAT(last_error(), HasSubstr(number(kTurn + 2)));
}

}  // namespace
}  // namespace goss::engine
