// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "quant/chunk_header.h"

#include "quant/registry.h"

namespace goss::quant {

namespace {

constexpr uint32_t kStochastic = 1;
constexpr uint32_t kSpecialSeen = 2;

void put(uint64_t value, size_t size_bytes, uint8_t* bytes) {
  for (size_t i = 0; i < size_bytes; ++i) bytes[i] = static_cast<uint8_t>(value >> (8 * i));
}
uint64_t get(const uint8_t* bytes, size_t size_bytes) {
  uint64_t value = 0;
  for (size_t i = 0; i < size_bytes; ++i) value |= uint64_t{bytes[i]} << (8 * i);
  return value;
}

}  // namespace

void write_chunk_header(const ChunkHeader& header, uint8_t* bytes) {
  put(kChunkMagic, 4, bytes);
  put(kWireVersion, 1, bytes + 4);
  put(static_cast<uint8_t>(header.codec), 1, bytes + 5);
  put((header.stochastic ? kStochastic : 0) | (header.special_seen ? kSpecialSeen : 0), 2,
      bytes + 6);
  put(header.count, 8, bytes + 8);
  put(header.sequence, 8, bytes + 16);
  put(header.seed_id, 4, bytes + 24);
  put(header.checksum, 4, bytes + 28);
}

Result<ChunkHeader> read_chunk_header(std::span<const uint8_t> bytes) {
  if (bytes.size() < kChunkHeaderBytes) {
    return fail(gossRemoteError, "a chunk of %zu bytes has no room for its header of %zu",
                bytes.size(), kChunkHeaderBytes);
  }
  const uint64_t magic = get(bytes.data(), 4);
  if (magic != kChunkMagic) {
    return fail(gossRemoteError, "a chunk begins with %08x instead of %08x; it is none, or damaged",
                static_cast<unsigned>(magic), kChunkMagic);
  }
  if (bytes[4] != kWireVersion) {
    return fail(gossRemoteError,
                "a chunk has wire version %d, this library speaks %d. "
                "Use one version of Gossamer on all ranks.",
                bytes[4], kWireVersion);
  }
  GOSS_TRY_ASSIGN(const Codec codec, codec_from_wire(bytes[5]));
  const uint64_t flags = get(bytes.data() + 6, 2);
  if ((flags & ~uint64_t{kStochastic | kSpecialSeen}) != 0) {
    return fail(gossRemoteError, "a chunk has unknown flags %04x", static_cast<unsigned>(flags));
  }
  return ChunkHeader{.codec = codec,
                     .stochastic = (flags & kStochastic) != 0,
                     .special_seen = (flags & kSpecialSeen) != 0,
                     .count = get(bytes.data() + 8, 8),
                     .sequence = get(bytes.data() + 16, 8),
                     .seed_id = static_cast<uint32_t>(get(bytes.data() + 24, 4)),
                     .checksum = static_cast<uint32_t>(get(bytes.data() + 28, 4))};
}

}  // namespace goss::quant
