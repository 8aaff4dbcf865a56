// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "engine/compression.h"

#include <gtest/gtest.h>

#include "engine/call_options.h"

namespace goss::engine {
namespace {

using collectives::Algorithm;
using collectives::Kind;
using quant::Codec;

Operation floats(Kind kind, size_t bytes) {
  Operation operation;
  operation.kind = kind;
  operation.type = gossFloat32;
  operation.count = bytes / 4;
  return operation;
}

CodecRules rules(const std::string& text) {
  Result<CodecRules> parsed = CodecRules::parse(text, "GOSS_CODEC");
  EXPECT_TRUE(parsed.ok()) << parsed.status().message();
  return parsed.ok() ? parsed.take() : CodecRules();
}

std::string chosen(const Operation& operation, int nranks, const CodecRules& given) {
  const Result<CompressionChoice> choice = choose_compression(operation, nranks, given);
  if (!choice.ok()) return "refused";
  return choice.value().use ? describe(*choice.value().use) : "none";
}

constexpr size_t kKiB = 1024;
constexpr size_t kMiB = 1024 * kKiB;

TEST(CodecRules, TheFirstThatFitsHolds) {
  const CodecRules given =
      rules("all_reduce:int8/int4+sr@1M-, all_reduce : bf16 @ 64K-1M, broadcast:none, int6@ -2M");
  EXPECT_EQ(chosen(floats(Kind::kAllReduce, 4 * kMiB), 4, given), "int8/int4+sr");
  EXPECT_EQ(chosen(floats(Kind::kAllReduce, kMiB), 4, given), "int8/int4+sr");
  EXPECT_EQ(chosen(floats(Kind::kAllReduce, kMiB - 4), 4, given), "bf16");
  EXPECT_EQ(chosen(floats(Kind::kAllReduce, kKiB), 4, given), "int6");
  EXPECT_EQ(chosen(floats(Kind::kBroadcast, kMiB), 4, given), "none");
  EXPECT_EQ(chosen(floats(Kind::kAllGather, kMiB), 4, given), "int6");
  EXPECT_EQ(chosen(floats(Kind::kAllGather, 3 * kMiB), 4, given), "none");
}

TEST(CodecRules, WithoutARangeSmallCallsAreLeftAlone) {
  const CodecRules given = rules("int8");
  EXPECT_EQ(chosen(floats(Kind::kAllReduce, 64 * kKiB), 2, given), "int8");
  EXPECT_EQ(chosen(floats(Kind::kAllReduce, 64 * kKiB - 4), 2, given), "none");
  EXPECT_EQ(chosen(floats(Kind::kAllReduce, kMiB), 1, given), "none");
  EXPECT_EQ(chosen(floats(Kind::kAllReduce, kMiB), 2, CodecRules()), "none");
}

TEST(CodecRules, SayWhatIsWrongWithThem) {
  struct Wrong {
    const char* text;
    const char* message;
  };
  for (const Wrong& wrong :
       {Wrong{"int9", "GOSS_CODEC: no codec is called \"int9\""},
        Wrong{"allreduce:int8", "GOSS_CODEC: unknown collective \"allreduce\" (all_reduce, "},
        Wrong{"int8@1M", "GOSS_CODEC: \"1M\" is no range"},
        Wrong{"int8@1T-", "GOSS_CODEC: \"1T\" is no size"},
        Wrong{"int8+srr", "GOSS_CODEC: unknown \"+srr\""},
        Wrong{"int8,", "GOSS_CODEC: no codec is called \"\""},
        Wrong{"error=x", "GOSS_CODEC: \"error=x\" is no error"}}) {
    const Result<CodecRules> parsed = CodecRules::parse(wrong.text, "GOSS_CODEC");
    ASSERT_FALSE(parsed.ok()) << wrong.text;
    EXPECT_EQ(parsed.status().message().rfind(wrong.message, 0), 0u) << parsed.status().message();
  }
}

TEST(ChooseCompression, LeavesAloneWhatGainsNothingOrMustNotBeLossy) {
  const CodecRules given = rules("bf16@0-");
  Operation operation = floats(Kind::kAllReduce, kMiB);
  operation.op = gossProd;
  EXPECT_EQ(chosen(operation, 2, given), "none");
  operation.op = gossMax;
  EXPECT_EQ(chosen(operation, 2, given), "bf16");
  for (gossDataType_t type : {gossInt32, gossUint8, gossFloat8e4m3, gossFloat64, gossBfloat16}) {
    operation.type = type;
    EXPECT_EQ(chosen(operation, 2, given), "none") << type;
  }
  operation.type = gossFloat64;
  EXPECT_EQ(chosen(operation, 2, rules("bf16+fp64")), "bf16");
  EXPECT_EQ(chosen(floats(Kind::kBarrier, 0), 2, given), "none");
}

TEST(ChooseCompression, TakesOneExchangeForLittle) {
  const auto algorithm = [](Kind kind, size_t bytes, int n, const char* text) {
    const auto choice = choose_compression(floats(kind, bytes), n, rules(text));
    return choice.value().use->algorithm;
  };
  EXPECT_EQ(algorithm(Kind::kAllReduce, kMiB - 64 * kKiB, 2, "int8"), Algorithm::kAllReduceOneShot);
  EXPECT_EQ(algorithm(Kind::kAllReduce, 64 * kMiB, 2, "int8"), Algorithm::kAllReduceTwoShot);
  EXPECT_EQ(algorithm(Kind::kAllReduce, 128 * kKiB, 2, "int8/int4"), Algorithm::kAllReduceTwoShot);
  EXPECT_EQ(algorithm(Kind::kAllReduce, 64 * kKiB, 4, "int8"), Algorithm::kAllReduceOneShot);
  EXPECT_EQ(algorithm(Kind::kAllReduce, 128 * kKiB, 4, "int8"), Algorithm::kAllReduceTwoShot);
  EXPECT_EQ(algorithm(Kind::kAllReduce, 64 * kMiB, 4, "int8"), Algorithm::kAllReduceTwoShot);
  EXPECT_EQ(algorithm(Kind::kAllReduce, 64 * kMiB, 4, "int8+ring"), Algorithm::kAllReduceRing);
  EXPECT_EQ(algorithm(Kind::kBroadcast, 64 * kMiB, 4, "int8"), Algorithm::kBroadcastTwoShot);
  EXPECT_EQ(algorithm(Kind::kBroadcast, 64 * kMiB, 2, "int8"), Algorithm::kBroadcastFlat);
}

TEST(ChooseCompression, RefusesARingBeyondWhatItsCodecStands) {
  const Operation operation = floats(Kind::kAllReduce, kMiB);
  EXPECT_EQ(chosen(operation, 16, rules("int8+ring")), "int8");
  EXPECT_EQ(chosen(operation, 17, rules("int8+ring")), "refused");
  EXPECT_EQ(chosen(operation, 8, rules("int6+ring")), "int6");
  EXPECT_EQ(chosen(operation, 9, rules("int6+ring")), "refused");
  EXPECT_EQ(chosen(operation, 4, rules("int8/int4+ring")), "int8/int4");
  EXPECT_EQ(chosen(operation, 5, rules("int8/int4+ring")), "refused");
  EXPECT_EQ(chosen(operation, 1000, rules("bf16+ring")), "bf16");
  EXPECT_EQ(chosen(operation, 4, rules("error=0.1+ring")), "refused");
}

TEST(CodecWithin, PromisesWhatTheFormulaOfTheWireFormatSays) {
  EXPECT_EQ(codec_within(0.15, true, quant::Rounding::kNearest), Codec::kInt4);
  EXPECT_EQ(codec_within(0.144, true, quant::Rounding::kNearest), Codec::kInt5);
  EXPECT_EQ(codec_within(0.01, true, quant::Rounding::kNearest), Codec::kInt8);
  EXPECT_EQ(codec_within(0.007, true, quant::Rounding::kNearest), std::nullopt);
  EXPECT_EQ(codec_within(0.004, false, quant::Rounding::kNearest), Codec::kInt8);
  EXPECT_EQ(codec_within(0.01, true, quant::Rounding::kStochastic), std::nullopt);
}

TEST(CodecChoice, IsPackedIntoTheSignatureAndDescribedFromIt) {
  for (const auto& info : quant::codec_table()) {
    CodecChoice compression;
    compression.reduce = info.codec;
    compression.gather = Codec::kInt8;
    compression.rounding = quant::Rounding::kStochastic;
    EXPECT_LT(compression.packed(), 1u << 12);
    EXPECT_NE(compression.packed(), 0u);
    EXPECT_EQ(describe_packed(compression.packed()), describe(compression));
    const Operation operation = floats(Kind::kAllReduce, kMiB);
    const Signature signature = Signature::of(operation, 0, compression.packed());
    EXPECT_NE(describe(signature).find("compressed as " + describe(compression)),
              std::string::npos);
    EXPECT_NE(signature.what, Signature::of(operation, 0).what);
  }
  EXPECT_EQ(describe_packed(31), "?");
}

}  // namespace
}  // namespace goss::engine
