// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// The environment as parameters, and groups that are only simulated.
#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <string>

#include "support/processes.h"
#include "support/ranks.h"
#include "support/scoped_env.h"

namespace goss::test {
namespace {

gossParamHandle_t bind(const char* key) {
  gossParamHandle_t handle = nullptr;
  MUST(gossParamBind(&handle, key));
  return handle;
}

TEST(Parameters, AreFoundWithAndWithoutThePrefix) {
  EXPECT_EQ(bind("TIMEOUT"), bind("GOSS_TIMEOUT"));
  const char** keys = nullptr;
  int count = 0;
  MUST(gossParamGetAllParameterKeys(&keys, &count));
  EXPECT_GT(count, 10);
  for (int i = 0; i < count; ++i) {
    EXPECT_NE(bind(keys[i]), nullptr);
    if (i > 0) EXPECT_LT(std::strcmp(keys[i - 1], keys[i]), 0);
  }
}

TEST(Parameters, AreTextThatFollowsTheEnvironment) {
  const char* text = nullptr;
  int length = 0;
  {
    const ScopedEnv set("GOSS_DUMP", "/tmp/records");
    MUST(gossParamGetStr(bind("DUMP"), &text));
    EXPECT_STREQ(text, "/tmp/records");
    char cut[5];
    MUST(gossParamGet(bind("DUMP"), cut, sizeof(cut), &length));
    EXPECT_STREQ(cut, "/tmp");
    EXPECT_EQ(length, 12);
  }
  MUST(gossParamGetParameter("GOSS_ALGO", &text, &length));
  EXPECT_STREQ(text, "auto");
  EXPECT_EQ(length, 4);
}

TEST(Parameters, DoNotTellSecrets) {
  const ScopedEnv set("GOSS_SECRET", "correct horse battery staple");
  const char* text = nullptr;
  MUST(gossParamGetStr(bind("SECRET"), &text));
  EXPECT_STREQ(text, "(set)");
}

TEST(Parameters, AreNumbersOfEverySize) {
  const ScopedEnv set("GOSS_TIMEOUT", "40s");
  int8_t i8 = 0;
  int16_t i16 = 0;
  int32_t i32 = 0;
  int64_t i64 = 0;
  uint8_t u8 = 0;
  uint16_t u16 = 0;
  uint32_t u32 = 0;
  uint64_t u64 = 0;
  const gossParamHandle_t timeout = bind("TIMEOUT");
  MUST(gossParamGetI32(timeout, &i32));
  MUST(gossParamGetI64(timeout, &i64));
  MUST(gossParamGetU16(timeout, &u16));
  MUST(gossParamGetU32(timeout, &u32));
  MUST(gossParamGetU64(timeout, &u64));
  EXPECT_EQ(i32, 40'000);
  EXPECT_EQ(i64, 40'000);
  EXPECT_EQ(u16, 40'000);
  EXPECT_EQ(u32, 40'000u);
  EXPECT_EQ(u64, 40'000u);
  EXPECT_EQ(gossParamGetI8(timeout, &i8), gossInvalidArgument);
  EXPECT_EQ(gossParamGetU8(timeout, &u8), gossInvalidArgument);
  EXPECT_EQ(gossParamGetI16(timeout, &i16), gossInvalidArgument);
  EXPECT_NE(last_error().find("16 bits"), std::string::npos) << last_error();
  MUST(gossParamGetI32(bind("WARN_AFTER"), &i32));  // its default
  EXPECT_EQ(i32, 30'000);
  MUST(gossParamGetI8(bind("INSECURE"), &i8));
  EXPECT_EQ(i8, 0);
  const ScopedEnv port("GOSS_PORT", "300");
  MUST(gossParamGetI16(bind("PORT"), &i16));
  EXPECT_EQ(i16, 300);
}

TEST(Parameters, WrongQuestionsAreRefused) {
  gossParamHandle_t handle = nullptr;
  int32_t number = 0;
  const char* text = nullptr;
  int length = 0;
  char buffer[8];
  const char** keys = nullptr;
  EXPECT_EQ(gossParamBind(nullptr, "TIMEOUT"), gossInvalidArgument);
  EXPECT_EQ(gossParamBind(&handle, nullptr), gossInvalidArgument);
  EXPECT_EQ(gossParamBind(&handle, "NCCL_TIMEOUT"), gossInvalidArgument);
  EXPECT_EQ(gossParamGetI32(nullptr, &number), gossInvalidArgument);
  EXPECT_EQ(gossParamGetI32(bind("TIMEOUT"), nullptr), gossInvalidArgument);
  EXPECT_EQ(gossParamGetI32(bind("DUMP"), &number), gossInvalidArgument);
  EXPECT_EQ(gossParamGetStr(nullptr, &text), gossInvalidArgument);
  EXPECT_EQ(gossParamGetStr(bind("DUMP"), nullptr), gossInvalidArgument);
  EXPECT_EQ(gossParamGet(bind("DUMP"), buffer, 0, &length), gossInvalidArgument);
  EXPECT_EQ(gossParamGet(bind("DUMP"), nullptr, 8, &length), gossInvalidArgument);
  EXPECT_EQ(gossParamGet(bind("DUMP"), buffer, 8, nullptr), gossInvalidArgument);
  EXPECT_EQ(gossParamGet(nullptr, buffer, 8, &length), gossInvalidArgument);
  EXPECT_EQ(gossParamGetParameter("TIMEOUT", nullptr, &length), gossInvalidArgument);
  EXPECT_EQ(gossParamGetParameter("TIMEOUT", &text, nullptr), gossInvalidArgument);
  EXPECT_EQ(gossParamGetParameter("nothing", &text, &length), gossInvalidArgument);
  EXPECT_EQ(gossParamGetAllParameterKeys(nullptr, &length), gossInvalidArgument);
  EXPECT_EQ(gossParamGetAllParameterKeys(&keys, nullptr), gossInvalidArgument);
  EXPECT_EQ(gossParamGetI32(bind("PORT"), &number), gossInvalidUsage);  // unset, no default
  const ScopedEnv set("GOSS_TIMEOUT", "soon");
  EXPECT_EQ(gossParamGetI32(bind("TIMEOUT"), &number), gossInvalidUsage);
}

TEST(Parameters, AllAreDumpedWithTheirValues) {
  const ScopedEnv set("GOSS_DUMP", "/tmp/records");
  testing::internal::CaptureStdout();
  gossParamDumpAll();
  const std::string text = testing::internal::GetCapturedStdout();
  EXPECT_NE(text.find("GOSS_DUMP=/tmp/records\n"), std::string::npos) << text;
  EXPECT_NE(text.find("GOSS_TIMEOUT=600s\n"), std::string::npos) << text;
}

TEST(Parameters, TheLogFollowsTheEnvironmentWhenAsked) {
  const support::TemporaryDirectory folder;
  const std::string path = folder.path() + "/log";
  {
    const ScopedEnv file("GOSS_LOG_FILE", path.c_str());
    const ScopedEnv level("GOSS_LOG", "info");
    gossResetDebugInit();
    Comms comms = make_comms(1);
  }
  gossResetDebugInit();
  Comms comms = make_comms(1);  // says nothing
  std::ifstream log(path);
  const std::string text{std::istreambuf_iterator<char>(log), std::istreambuf_iterator<char>()};
  EXPECT_NE(text.find("rank 0 of 1"), std::string::npos) << text;
  EXPECT_EQ(text.find("rank 0 of 1"), text.rfind("rank 0 of 1")) << text;
}

TEST(SimulatedGroup, CostsMoreForMoreAndRunsNothing) {
  Comms comms = make_comms(2);
  std::vector<float> x(1'000'000, 1);
  const auto cost = [&](size_t count) {
    gossSimInfo_t info = GOSS_SIM_INFO_INITIALIZER;
    MUST(gossGroupStart());
    for (int r = 0; r < 2; ++r) {
      MUST(gossAllReduce(x.data(), x.data(), count, gossFloat, gossSum, comms[r], nullptr));
      MUST(gossSend(x.data(), count, gossFloat, 1 - r, comms[r], nullptr));
    }
    MUST(gossGroupSimulateEnd(&info));
    return info.estimatedTime;
  };
  EXPECT_GT(cost(1), 0);
  EXPECT_GT(cost(1'000'000), 10 * cost(1'000));
  EXPECT_EQ(x[0], 1);
  MUST(gossGroupStart());
  MUST(gossGroupSimulateEnd(nullptr));
}

TEST(SimulatedGroup, MakesNoCommunicatorsAndKeepsItsFailures) {
  gossSimInfo_t info = GOSS_SIM_INFO_INITIALIZER;
  EXPECT_EQ(gossGroupSimulateEnd(&info), gossInvalidUsage);

  Comms comms(1);
  gossUniqueId id;
  MUST(gossGetUniqueId(&id));
  MUST(gossGroupStart());
  MUST(gossCommInitRank(comms.data(), 1, id, 0));
  EXPECT_EQ(gossGroupSimulateEnd(&info), gossInvalidUsage);

  Comms ready = make_comms(1);
  MUST(gossGroupStart());
  MUST(gossCommFinalize(ready[0]));
  EXPECT_EQ(gossGroupSimulateEnd(&info), gossInvalidUsage);
  MUST(gossBarrier(ready[0], nullptr));  // not finalized

  float x = 1;
  MUST(gossGroupStart());
  EXPECT_EQ(gossAllReduce(&x, &x, 1, gossFloat, gossNumOps, ready[0], nullptr),
            gossInvalidArgument);
  EXPECT_EQ(gossGroupSimulateEnd(&info), gossInvalidArgument);

  info.magic = 0;
  MUST(gossGroupStart());
  EXPECT_EQ(gossGroupSimulateEnd(&info), gossInvalidArgument);
  EXPECT_EQ(gossGroupEnd(), gossInvalidUsage) << "the group was closed all the same";
}

}  // namespace
}  // namespace goss::test
