// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// The 32 bytes before a chunk of encoded elements, little-endian. Whoever receives one checks it
// before looking at anything behind it.
#pragma once

#include <cstdint>
#include <span>

#include "base/result.h"
#include "quant/codec.h"

namespace goss::quant {

constexpr size_t kChunkHeaderBytes = 32;
constexpr uint32_t kChunkMagic = 0x51534f47u;  // "GOSQ"
constexpr uint8_t kWireVersion = 1;

struct ChunkHeader {
  Codec codec;
  bool stochastic = false;
  bool special_seen = false;  // a block is NaN
  uint64_t count = 0;         // elements
  uint64_t sequence = 0;
  uint32_t seed_id = 0;   // names the seed of stochastic rounding; its low 32 bits
  uint32_t checksum = 0;  // 0: none
};

void write_chunk_header(const ChunkHeader& header, uint8_t* bytes);
// gossRemoteError says what is wrong with bytes that are no header of this version.
Result<ChunkHeader> read_chunk_header(std::span<const uint8_t> bytes);

}  // namespace goss::quant
