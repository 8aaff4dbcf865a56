// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// The noise of integers is that of equally likely remainders. That of the other formats was
// measured with normally distributed numbers (tests/quant/error_test.cpp holds it).
#include "quant/registry.h"

namespace goss::quant {

namespace {

constexpr ErrorFacts integer(int bits) {
  return {0.5f, 1.0f, 1.0f / 12, 1.0f / 6, static_cast<float>((1 << (bits - 1)) - 1)};
}

constexpr CodecInfo kTable[kNumCodecs] = {
    {Codec::kBf16, "bf16", {Scale::kNone, 16}, {0x1p-8f, 0, 2.8e-6f, 5.6e-6f, 0}},
    {Codec::kFp16, "fp16", {Scale::kNone, 16}, {0x1p-11f, 0, 4.4e-8f, 8.8e-8f, 0}},
    {Codec::kInt8, "int8", {Scale::kBf16, 8}, integer(8)},
    {Codec::kInt6, "int6", {Scale::kBf16, 6}, integer(6)},
    {Codec::kInt5, "int5", {Scale::kBf16, 5}, integer(5)},
    {Codec::kInt4, "int4", {Scale::kBf16, 4}, integer(4)},
    {Codec::kInt3, "int3", {Scale::kBf16, 3}, integer(3)},
    {Codec::kInt2, "int2", {Scale::kBf16, 2}, integer(2)},
    {Codec::kSign, "sign", {Scale::kMean, 1}, {1028.0f, 0, 0.5708f, 0.5708f, 1}},
    {Codec::kFp8E4m3, "fp8_e4m3", {Scale::kBf16, 8}, {16.0f, 64.0f, 18.9f, 37.8f, 448}},
    {Codec::kFp8E5m2, "fp8_e5m2", {Scale::kBf16, 8}, {4096.0f, 8192.0f, 1.24e6f, 2.48e6f, 57344}},
    {Codec::kMxFp8E4m3, "mxfp8_e4m3", {Scale::kE8m0, 8}, {16.0f, 64.0f, 11.5f, 23.0f, 448}},
    {Codec::kMxFp8E5m2,
     "mxfp8_e5m2",
     {Scale::kE8m0, 8},
     {4096.0f, 8192.0f, 7.4e5f, 1.48e6f, 57344}},
    {Codec::kMxFp6E2m3, "mxfp6_e2m3", {Scale::kE8m0, 6}, {0.25f, 0.5f, 3.7e-3f, 7.4e-3f, 7.5f}},
    {Codec::kMxFp6E3m2, "mxfp6_e3m2", {Scale::kE8m0, 6}, {2.0f, 4.0f, 0.181f, 0.36f, 28}},
    {Codec::kMxFp4, "mxfp4", {Scale::kE8m0, 4}, {1.0f, 2.0f, 0.04f, 0.08f, 6}},
    {Codec::kMxInt8,
     "mxint8",
     {Scale::kE8m0, 8},
     {0.5f / 64, 1.0f / 64, 1.0f / 12 / 4096, 1.0f / 6 / 4096, 127.0f / 64}},
};

constexpr bool in_order() {
  for (size_t i = 0; i < kNumCodecs; ++i) {
    if (static_cast<size_t>(kTable[i].codec) != i + 1) return false;
  }
  return true;
}
static_assert(in_order());

std::string names() {
  std::string all;
  for (const CodecInfo& info : kTable) all += (all.empty() ? "" : ", ") + std::string(info.name);
  return all;
}

}  // namespace

std::span<const CodecInfo> codec_table() { return kTable; }

const CodecInfo& codec_info(Codec codec) { return kTable[static_cast<size_t>(codec) - 1]; }

Result<Codec> codec_by_name(const std::string& name) {
  for (const CodecInfo& info : kTable) {
    if (name == info.name) return info.codec;
  }
  return fail(gossInvalidArgument, "no codec is called \"%s\". There are: %s.", name.c_str(),
              names().c_str());
}

Result<Codec> codec_from_wire(uint8_t value) {
  if (value >= 1 && value <= kNumCodecs) return static_cast<Codec>(value);
  return fail(gossRemoteError,
              "a chunk came with codec %d; this version knows 1 to %zu. "
              "Use one version of Gossamer on all ranks.",
              value, kNumCodecs);
}

size_t encoded_bytes(Codec codec, size_t count) {
  const Shape shape = codec_info(codec).shape;
  const size_t blocks = (count + kBlock - 1) / kBlock;
  if (shape.scale == Scale::kMean) {
    return (count + kTile - 1) / kTile * shape.scale_bytes(0) + shape.payload_bytes(blocks);
  }
  return shape.scale_bytes(blocks) + shape.payload_bytes(blocks);
}

}  // namespace goss::quant
