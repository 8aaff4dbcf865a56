// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// The header of a chunk and the sizes of docs/wire-format.md, and what readers refuse.
#include <gtest/gtest.h>

#include "quant/chunk_header.h"
#include "quant/registry.h"

namespace goss::quant {
namespace {

std::array<uint8_t, kChunkHeaderBytes> header_bytes() {
  std::array<uint8_t, kChunkHeaderBytes> bytes{};
  write_chunk_header({.codec = Codec::kInt4,
                      .stochastic = true,
                      .special_seen = true,
                      .count = 0x0102030405060708u,
                      .sequence = 0x1112131415161718u,
                      .seed_id = 0x21222324u,
                      .checksum = 0x31323334u},
                     bytes.data());
  return bytes;
}

TEST(ChunkHeader, StandsByteForByteWhereTheDocumentationSays) {
  const uint8_t expected[kChunkHeaderBytes] = {'G',  'O',  'S',  'Q',  1,    6,    3,    0,
                                               8,    7,    6,    5,    4,    3,    2,    1,
                                               0x18, 0x17, 0x16, 0x15, 0x14, 0x13, 0x12, 0x11,
                                               0x24, 0x23, 0x22, 0x21, 0x34, 0x33, 0x32, 0x31};
  const auto bytes = header_bytes();
  for (size_t i = 0; i < kChunkHeaderBytes; ++i) EXPECT_EQ(bytes[i], expected[i]) << "byte " << i;
}

TEST(ChunkHeader, IsReadBack) {
  const auto bytes = header_bytes();
  const auto header = read_chunk_header(bytes);
  ASSERT_TRUE(header.ok());
  EXPECT_EQ(header.value().codec, Codec::kInt4);
  EXPECT_TRUE(header.value().stochastic);
  EXPECT_TRUE(header.value().special_seen);
  EXPECT_EQ(header.value().count, 0x0102030405060708u);
  EXPECT_EQ(header.value().sequence, 0x1112131415161718u);
  EXPECT_EQ(header.value().seed_id, 0x21222324u);
  EXPECT_EQ(header.value().checksum, 0x31323334u);
}

struct Damage {
  size_t byte;
  uint8_t value;
  const char* says;
};

TEST(ChunkHeader, RefusesWhatItDoesNotKnow) {
  for (const Damage& damage :
       {Damage{0, 'g', "instead of 51534f47"}, Damage{4, 2, "wire version 2"},
        Damage{5, 0, "codec 0"}, Damage{5, 18, "codec 18"}, Damage{6, 4, "unknown flags"},
        Damage{7, 1, "unknown flags"}}) {
    auto bytes = header_bytes();
    bytes[damage.byte] = damage.value;
    const auto header = read_chunk_header(bytes);
    ASSERT_FALSE(header.ok()) << damage.says;
    EXPECT_EQ(header.status().code(), gossRemoteError);
    EXPECT_NE(header.status().message().find(damage.says), std::string::npos)
        << header.status().message();
  }
  const auto bytes = header_bytes();
  EXPECT_FALSE(read_chunk_header(std::span(bytes).first(31)).ok());
}

TEST(Sizes, AreThoseOfTheTable) {
  struct Row {
    Codec codec;
    size_t block, tile;
  };
  for (const Row& row :
       {Row{Codec::kBf16, 64, 2048}, Row{Codec::kFp16, 64, 2048}, Row{Codec::kInt8, 34, 1088},
        Row{Codec::kInt6, 26, 832}, Row{Codec::kInt5, 22, 704}, Row{Codec::kInt4, 18, 576},
        Row{Codec::kInt3, 14, 448}, Row{Codec::kInt2, 10, 320}, Row{Codec::kSign, 6, 130},
        Row{Codec::kFp8E4m3, 34, 1088}, Row{Codec::kFp8E5m2, 34, 1088},
        Row{Codec::kMxFp8E4m3, 33, 1056}, Row{Codec::kMxFp8E5m2, 33, 1056},
        Row{Codec::kMxFp6E2m3, 25, 800}, Row{Codec::kMxFp6E3m2, 25, 800},
        Row{Codec::kMxFp4, 17, 544}, Row{Codec::kMxInt8, 33, 1056}}) {
    SCOPED_TRACE(codec_info(row.codec).name);
    EXPECT_EQ(encoded_bytes(row.codec, 0), 0u);
    EXPECT_EQ(encoded_bytes(row.codec, 1), row.block);
    EXPECT_EQ(encoded_bytes(row.codec, 32), row.block);
    EXPECT_EQ(encoded_bytes(row.codec, 1024), row.tile);
    EXPECT_EQ(encoded_bytes(row.codec, 1025), row.tile + row.block);
  }
  EXPECT_EQ(encoded_bytes(Codec::kSign, kSignUnit), 4160u);
}

TEST(Names, LeadToCodecsAndBack) {
  for (const CodecInfo& info : codec_table()) {
    EXPECT_EQ(codec_by_name(info.name).value(), info.codec);
    EXPECT_EQ(codec_from_wire(static_cast<uint8_t>(info.codec)).value(), info.codec);
  }
  const auto unknown = codec_by_name("int7");
  ASSERT_FALSE(unknown.ok());
  EXPECT_EQ(unknown.status().code(), gossInvalidArgument);
  EXPECT_NE(unknown.status().message().find("int8, int6"), std::string::npos);
}

}  // namespace
}  // namespace goss::quant
