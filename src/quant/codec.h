// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Codecs: numbers as fewer bytes. This header has the codecs, the shape of their bytes and the
// kernels that every implementation offers; operations.h applies them to whole buffers.
// docs/wire-format.md describes every byte; scalar/ is that text as code and the specification
// whose bytes all others give.
//
// A block is 32 neighbouring elements that share a scale, a tile 1,024. The bytes of a tile are its
// scales, then its codes as one or two planes. A unit is what buffers may be cut at: a tile, for
// `sign` 32 tiles, whose scales stand together.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace goss::quant {

constexpr size_t kBlock = 32;
constexpr size_t kTile = 1024;
constexpr size_t kBlocksPerTile = kTile / kBlock;
constexpr size_t kSignUnit = 32 * kTile;

// The values stand in chunk headers: never change one.
enum class Codec : uint8_t {
  kBf16 = 1,
  kFp16 = 2,
  kInt8 = 3,
  kInt6 = 4,
  kInt5 = 5,
  kInt4 = 6,
  kInt3 = 7,
  kInt2 = 8,
  kSign = 9,
  kFp8E4m3 = 10,
  kFp8E5m2 = 11,
  kMxFp8E4m3 = 12,
  kMxFp8E5m2 = 13,
  kMxFp6E2m3 = 14,
  kMxFp6E3m2 = 15,
  kMxFp4 = 16,
  kMxInt8 = 17,
};
constexpr size_t kNumCodecs = 17;

enum class Rounding : uint8_t { kNearest, kStochastic };

enum class Scale : uint8_t {
  kNone,  // casts
  kBf16,  // per block, rounded up
  kE8m0,  // per block, a power of two
  kMean,  // sign: bf16 per tile, the mean of magnitudes
};

// How the scale of the MX codecs is chosen. Decoders need not know.
enum class MxScale : uint8_t {
  kUp,     // the smallest that holds the block's largest magnitude
  kFloor,  // as the OCP specification has it; largest magnitudes may saturate
};

// Key of the stochastic rounding: the same numbers give the same bytes, whoever computes them.
struct Dither {
  uint64_t seed = 0;
  uint64_t step = 0;  // of the training, or the number of the operation
  uint32_t rank = 0;
};

struct Shape {
  Scale scale;
  uint8_t code_bits;  // per element

  constexpr size_t unit() const { return scale == Scale::kMean ? kSignUnit : kTile; }
  constexpr size_t tiles_per_unit() const { return unit() / kTile; }
  // Scales of `blocks` blocks of one tile.
  constexpr size_t scale_bytes(size_t blocks) const {
    switch (scale) {
      case Scale::kNone: return 0;
      case Scale::kBf16: return 2 * blocks;
      case Scale::kE8m0: return blocks;
      case Scale::kMean: return 2;
    }
    return 0;
  }
  // Bytes of one block in the planes; the second plane may be missing. Codes are split into the low
  // 4 (of 3 bits: 2) bits and the rest, because then every plane has whole elements in its bytes.
  constexpr std::array<size_t, 2> plane_bytes() const {
    switch (code_bits) {
      case 6: return {16, 8};
      case 5: return {16, 4};
      case 3: return {8, 4};
      default: return {kBlock / 8 * size_t{code_bits}, 0};
    }
  }
  constexpr size_t payload_bytes(size_t blocks) const { return blocks * kBlock / 8 * code_bits; }
};

// ---- kernels: one tile each ---------------------------------------------------------------------
// Numbers are kTile fp32 at any address; bytes are those of a whole tile. The caller pads and cuts.

struct TileEncode {
  const void* values;
  size_t count;  // of values before the padding; only the mean of `sign` depends on it
  uint8_t* scales;
  uint8_t* payload;
  float factor = 1;  // what is encoded is factor * value
  MxScale mx_scale = MxScale::kUp;
  Dither dither = {};          // of stochastic rounding
  uint64_t first_element = 0;  // the tile's place in the whole vector, a multiple of 8
  size_t ahead_bytes = 0;      // a hint: numbers so far behind these are needed next
};

struct TileBytes {
  const uint8_t* scales;
  const uint8_t* payload;
  size_t ahead_bytes = 0;  // a hint: numbers so far behind `base` (or `out`) are needed next
};

struct TileKernels {
  void (*encode_nearest)(const TileEncode&);
  void (*encode_stochastic)(const TileEncode&);
  void (*decode)(const TileBytes&, void* out);
  // out = base + decoded; out may be base.
  void (*decode_add)(const TileBytes&, const void* base, void* out);
};

// What the operations need besides: conversions of a tile, and arithmetic on tiles of fp32.
struct NumberKernels {
  void (*widen_fp16)(const void* from, void* to);
  void (*widen_bf16)(const void* from, void* to);
  void (*narrow_fp16)(const void* from, void* to);
  void (*narrow_bf16)(const void* from, void* to);
  void (*add)(const void* a, const void* b, void* out);
  void (*min)(const void* a, const void* b, void* out);  // a NaN on either side stays
  void (*max)(const void* a, const void* b, void* out);
  void (*multiply)(const void* a, float factor, void* out);
};

}  // namespace goss::quant
