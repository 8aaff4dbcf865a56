// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Wrong arguments: the code, the sentence, and that the communicator can be used afterwards.
#include <gtest/gtest.h>

#include <cstring>

#include "support/ranks.h"
#include "support/raw_enum.h"
#include "support/reference.h"

namespace goss::test {
namespace {

class Arguments : public testing::Test {
 protected:
  Arguments() : comms_(make_comms(1)), comm_(comms_[0]) {}
  // No wrong argument may fail the communicator.
  void TearDown() override {
    gossResult_t state = gossInternalError;
    EXPECT_EQ(gossCommGetAsyncError(comm_, &state), gossSuccess);
    EXPECT_EQ(state, gossSuccess);
    float x = 2;
    EXPECT_EQ(gossAllReduce(&x, &x, 1, gossFloat, gossSum, comm_, nullptr), gossSuccess)
        << last_error();
  }
  static void expect_said(const std::string& words) {
    EXPECT_NE(last_error().find(words), std::string::npos) << last_error();
  }

  Comms comms_;
  gossComm_t comm_;
  float x_[4] = {};
};

TEST_F(Arguments, NullCommunicatorsAreRefused) {
  int value = 0;
  gossResult_t state = gossSuccess;
  gossCommStats_t stats{};
  stats.size = sizeof(stats);
  char text[10];
  EXPECT_EQ(gossAllReduce(x_, x_, 1, gossFloat, gossSum, nullptr, nullptr), gossInvalidArgument);
  EXPECT_EQ(gossBroadcast(x_, x_, 1, gossFloat, 0, nullptr, nullptr), gossInvalidArgument);
  EXPECT_EQ(gossBcast(x_, 1, gossFloat, 0, nullptr, nullptr), gossInvalidArgument);
  EXPECT_EQ(gossBarrier(nullptr, nullptr), gossInvalidArgument);
  EXPECT_EQ(gossCommCount(nullptr, &value), gossInvalidArgument);
  EXPECT_EQ(gossCommUserRank(nullptr, &value), gossInvalidArgument);
  EXPECT_EQ(gossCommCuDevice(nullptr, &value), gossInvalidArgument);
  EXPECT_EQ(gossCommGetAsyncError(nullptr, &state), gossInvalidArgument);
  EXPECT_EQ(gossCommGetStats(nullptr, &stats), gossInvalidArgument);
  EXPECT_EQ(gossExplain(nullptr, "barrier", 0, gossInt8, text, 10), gossInvalidArgument);
}

TEST_F(Arguments, NullResultsAreRefused) {
  EXPECT_EQ(gossGetVersion(nullptr), gossInvalidArgument);
  EXPECT_EQ(gossGetUniqueId(nullptr), gossInvalidArgument);
  EXPECT_EQ(gossCommCount(comm_, nullptr), gossInvalidArgument);
  EXPECT_EQ(gossCommUserRank(comm_, nullptr), gossInvalidArgument);
  EXPECT_EQ(gossCommCuDevice(comm_, nullptr), gossInvalidArgument);
  EXPECT_EQ(gossCommGetAsyncError(comm_, nullptr), gossInvalidArgument);
  EXPECT_EQ(gossCommGetStats(comm_, nullptr), gossInvalidArgument);
  EXPECT_EQ(gossCommInitAll(nullptr, 1, nullptr), gossInvalidArgument);
  EXPECT_EQ(gossCommInitEnv(nullptr, nullptr), gossInvalidArgument);
}

TEST_F(Arguments, NullBuffersAreRefusedUnlessNothingIsMoved) {
  EXPECT_EQ(gossAllReduce(nullptr, x_, 1, gossFloat, gossSum, comm_, nullptr), gossInvalidArgument);
  expect_said("send");
  EXPECT_EQ(gossAllReduce(x_, nullptr, 1, gossFloat, gossSum, comm_, nullptr), gossInvalidArgument);
  expect_said("receive");
  EXPECT_EQ(gossBroadcast(nullptr, x_, 1, gossFloat, 0, comm_, nullptr), gossInvalidArgument);
  EXPECT_EQ(gossAllReduce(nullptr, nullptr, 0, gossFloat, gossSum, comm_, nullptr), gossSuccess);
  EXPECT_EQ(gossBcast(nullptr, 0, gossFloat, 0, comm_, nullptr), gossSuccess);
}

TEST_F(Arguments, TypesAndReductionsOutOfRangeAreRefused) {
  for (int bad : {-1, static_cast<int>(gossNumTypes), 99, INT32_MIN, INT32_MAX}) {
    const auto type = raw<gossDataType_t>(bad);
    EXPECT_EQ(gossAllReduce(x_, x_, 1, type, gossSum, comm_, nullptr), gossInvalidArgument) << bad;
    expect_said("type " + std::to_string(bad));
    EXPECT_EQ(gossBroadcast(x_, x_, 1, type, 0, comm_, nullptr), gossInvalidArgument) << bad;
    char text[10];
    EXPECT_EQ(gossExplain(comm_, "all_reduce", 1, type, text, 10), gossInvalidArgument) << bad;
  }
  for (int bad : {-1, static_cast<int>(gossNumOps), 77}) {
    const auto op = raw<gossRedOp_t>(bad);
    EXPECT_EQ(gossAllReduce(x_, x_, 1, gossFloat, op, comm_, nullptr), gossInvalidArgument) << bad;
    expect_said("operation " + std::to_string(bad));
  }
}

TEST_F(Arguments, RootsOutOfRangeAreRefusedInWords) {
  for (int root : {-1, 1, 1000}) {
    EXPECT_EQ(gossBcast(x_, 1, gossFloat, root, comm_, nullptr), gossInvalidArgument);
    expect_said("root " + std::to_string(root));
    const std::string of_comm = gossGetLastError(comm_);
    EXPECT_NE(of_comm.find("root " + std::to_string(root)), std::string::npos)
        << "the communicator's last failure is: '" << of_comm << "'";
  }
}

TEST_F(Arguments, CountsThatOverflowAreRefused) {
  for (size_t count : {SIZE_MAX, SIZE_MAX / 2 + 1, SIZE_MAX / 8 + 2}) {
    EXPECT_EQ(gossAllReduce(x_, x_, count, gossDouble, gossSum, comm_, nullptr),
              gossInvalidArgument)
        << count;
    EXPECT_EQ(gossBcast(x_, count, gossInt64, 0, comm_, nullptr), gossInvalidArgument) << count;
  }
  EXPECT_EQ(gossBcast(x_, SIZE_MAX, gossInt8, 0, comm_, nullptr), gossInvalidArgument);
}

TEST_F(Arguments, OfExplainAreChecked) {
  char text[4000];
  EXPECT_EQ(gossExplain(comm_, nullptr, 1, gossInt8, text, 10), gossInvalidArgument);
  EXPECT_EQ(gossExplain(comm_, "all_reduce", 1, gossInt8, nullptr, 10), gossInvalidArgument);
  EXPECT_EQ(gossExplain(comm_, "all_reduce", 1, gossInt8, text, 0), gossInvalidArgument);
  EXPECT_EQ(gossExplain(comm_, "all_gossip", 1, gossInt8, text, 10), gossInvalidArgument);
  for (const char* name : {"all_reduce", "broadcast", "barrier"}) {
    EXPECT_EQ(gossExplain(comm_, name, 1 << 20, gossFloat, text, sizeof(text)), gossSuccess);
    EXPECT_NE(std::string(text).find(name), std::string::npos) << text;
  }
  std::memset(text, 'x', sizeof(text));
  EXPECT_EQ(gossExplain(comm_, "barrier", 0, gossInt8, text, 5), gossSuccess);
  EXPECT_STREQ(text, "barr") << "cut, with its NUL";
  EXPECT_EQ(text[5], 'x');
}

// ---- structs of other versions

gossResult_t init_alone(gossConfig_t* config) {
  gossUniqueId id;
  MUST(gossGetUniqueId(&id));
  gossComm_t comm = nullptr;
  const gossResult_t code = gossCommInitRankConfig(&comm, 1, id, 0, config);
  if (code == gossSuccess) {
    MUST(gossCommDestroy(comm));
  } else if (code != gossInProgress) {
    EXPECT_EQ(comm, nullptr) << "a failed call gives no communicator";
  }
  return code;
}

TEST(Config, OfOtherVersionsIsUnderstood) {
  gossConfig_t config = default_config();
  EXPECT_EQ(init_alone(nullptr), gossSuccess);
  EXPECT_EQ(init_alone(&config), gossSuccess);
  config.size = offsetof(gossConfig_t, blocking) + sizeof(int);  // the first version
  config.blocking = 1;
  config.timeoutMs = -77;  // beyond what this caller knows
  EXPECT_EQ(init_alone(&config), gossSuccess) << last_error();
  struct {
    gossConfig_t known = GOSS_CONFIG_INITIALIZER;
    int newer[8] = {};
  } longer;
  longer.known.size = sizeof(longer);
  EXPECT_EQ(init_alone(&longer.known), gossSuccess) << last_error();
}

TEST(Config, ThatIsDamagedIsRefused) {
  const auto refused = [](auto change, const char* word) {
    gossConfig_t config = default_config();
    change(&config);
    EXPECT_EQ(init_alone(&config), gossInvalidArgument) << word;
    EXPECT_NE(last_error().find(word), std::string::npos) << last_error();
  };
  refused([](gossConfig_t* c) { c->size = 0; }, "size");
  refused([](gossConfig_t* c) { c->size = 8; }, "size");
  refused([](gossConfig_t* c) { c->magic = 0; }, "INITIALIZER");
  refused([](gossConfig_t* c) { c->blocking = 2; }, "blocking");
  refused([](gossConfig_t* c) { c->device = -2; }, "device");
  refused([](gossConfig_t* c) { c->device = 12345; }, "device");
  refused([](gossConfig_t* c) { c->timeoutMs = -1; }, "timeoutMs");
  refused([](gossConfig_t* c) { c->warnMs = -5; }, "warnMs");
  refused([](gossConfig_t* c) { c->initTimeoutMs = -1; }, "initTimeoutMs");
}

TEST(Stats, OfOtherSizesAreFilledAsFarAsTheyGo) {
  Comms comms = make_comms(1);
  MUST(gossBarrier(comms[0], nullptr));
  gossCommStats_t stats;
  std::memset(&stats, 0x77, sizeof(stats));
  stats.size = 0;
  EXPECT_EQ(gossCommGetStats(comms[0], &stats), gossInvalidArgument);
  stats.size = offsetof(gossCommStats_t, payload_bytes);
  MUST(gossCommGetStats(comms[0], &stats));
  EXPECT_EQ(stats.operations, 1u);
  EXPECT_EQ(stats.payload_bytes, 0x7777777777777777u) << "beyond what the caller knows";
  EXPECT_EQ(stats.size, offsetof(gossCommStats_t, payload_bytes));
  struct {
    gossCommStats_t known;
    uint64_t newer = 5;
  } longer;
  longer.known.size = sizeof(longer);
  MUST(gossCommGetStats(comms[0], &longer.known));
  EXPECT_EQ(longer.known.operations, 1u);
}

// ---- making

TEST(Init, RefusesRanksThatDoNotExist) {
  gossUniqueId id;
  MUST(gossGetUniqueId(&id));
  gossComm_t comm = reinterpret_cast<gossComm_t>(&id);
  const std::pair<int, int> bad[] = {{0, 0}, {-1, 0}, {2, 2}, {2, -1}, {1, 1}};
  for (const auto& [nranks, rank] : bad) {
    EXPECT_EQ(gossCommInitRank(&comm, nranks, id, rank), gossInvalidArgument);
    EXPECT_EQ(comm, nullptr);
  }
  EXPECT_EQ(gossCommInitRank(nullptr, 1, id, 0), gossInvalidArgument);
  EXPECT_EQ(gossCommInitRank(&comm, 1025, id, 0), gossInvalidUsage);  // without waiting for others
  EXPECT_NE(last_error().find("at most 1024"), std::string::npos) << last_error();
  EXPECT_EQ(gossCommInitAll(&comm, 0, nullptr), gossInvalidArgument);
  EXPECT_EQ(gossCommInitAll(&comm, -3, nullptr), gossInvalidArgument);
  const int no_such_device = 4321;
  EXPECT_EQ(gossCommInitAll(&comm, 1, &no_such_device), gossInvalidArgument);
  EXPECT_EQ(comm, nullptr);
}

TEST(Init, RefusesIdsThatAreNoIds) {
  gossUniqueId zero{};
  gossUniqueId damaged;
  MUST(gossGetUniqueId(&damaged));
  for (char& c : damaged.internal) c = static_cast<char>(c ^ 0x55);
  gossComm_t comm = nullptr;
  EXPECT_EQ(gossCommInitRank(&comm, 2, zero, 0), gossInvalidArgument);
  EXPECT_EQ(gossCommInitRank(&comm, 2, damaged, 0), gossInvalidArgument);
  EXPECT_EQ(comm, nullptr);
}

TEST(Init, InAGroupThatFailedLeavesNothingRunning) {
  gossUniqueId id;
  MUST(gossGetUniqueId(&id));
  Comms comms(2);
  MUST(gossGroupStart());
  MUST(gossCommInitRank(&comms[0], 2, id, 0));
  EXPECT_EQ(gossCommInitRank(&comms[1], 2, id, 2), gossInvalidArgument);
  EXPECT_EQ(gossGroupEnd(), gossInvalidArgument);
}

TEST(Version, IsTheHeaders) {
  int version = 0;
  MUST(gossGetVersion(&version));
  EXPECT_EQ(version, GOSS_VERSION_CODE);
}

TEST(ErrorString, ExistsForEveryCodeAndForNone) {
  std::vector<std::string> seen;
  for (int code = 0; code < gossNumResults; ++code) {
    seen.push_back(gossGetErrorString(raw<gossResult_t>(code)));
    EXPECT_FALSE(seen.back().empty());
  }
  std::sort(seen.begin(), seen.end());
  EXPECT_EQ(std::adjacent_find(seen.begin(), seen.end()), seen.end()) << "each says its own";
  EXPECT_STRNE(gossGetErrorString(raw<gossResult_t>(12345)), nullptr);
  EXPECT_STRNE(gossGetErrorString(raw<gossResult_t>(-1)), nullptr);
}

TEST(LastError, BelongsToTheThread) {
  gossGetVersion(nullptr);
  EXPECT_FALSE(last_error().empty());
  std::thread([] { EXPECT_EQ(last_error(), ""); }).join();
}

}  // namespace
}  // namespace goss::test
