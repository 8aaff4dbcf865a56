// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Codecs applied to buffers: encode, decode, decode-add and the fused hop, for fp32, fp16, bf16 and
// fp64 (which is rounded to fp32 first; whether it may be is the caller's decision). Any address,
// any count; nothing is allocated; any thread. A buffer may be worked on in pieces that begin at
// multiples of partition_unit(): bytes and results are the same.
#pragma once

#include "base/types.h"
#include "quant/error.h"
#include "quant/kernels.h"
#include "quant/registry.h"

namespace goss::quant {

constexpr bool encodes(DataType type) {
  return type == gossFloat32 || type == gossFloat16 || type == gossBfloat16 || type == gossFloat64;
}

// How to encode. All ranks that must agree on bytes agree on these.
struct EncodeOptions {
  Codec codec = Codec::kInt8;
  Rounding rounding = Rounding::kNearest;
  MxScale mx_scale = MxScale::kUp;
  Dither dither = {};
  float factor = 1;  // folded into the scales: 1/n of an average, or a pre-multiplication
};

struct Encode {
  EncodeOptions how;
  const void* src;
  DataType type;
  size_t count;
  uint8_t* dst;                // encoded_bytes(codec, count)
  uint64_t first_element = 0;  // place of src in the whole vector, a multiple of 8
  Figures* figures = nullptr;  // optional: the error is added
};
void encode(const Encode& a);

struct Decode {
  Codec codec;
  const uint8_t* src;  // of any content, encoded_bytes(codec, count)
  void* dst;
  DataType type;
  size_t count;
};
// Rounded to nearest even in the narrow types.
void decode(const Decode& a);
// dst += decoded; the sum in fp32 (of fp64: rounded to fp32 first).
void decode_add(const Decode& a);

// The error of bytes that an encoder with these options made, added to *figures.
void add_error(const EncodeOptions& how, const uint8_t* bytes, size_t count, Figures* figures);

// Exact, but for fp64, which is rounded to fp32.
void widen(const void* src, DataType type, size_t count, float* dst);
// Rounded to nearest even.
void narrow(const float* src, DataType type, size_t count, void* dst);

enum class Combine : uint8_t { kSum, kMin, kMax };  // a NaN stays in all of them

// What the owner of a part does: combines what all ranks contribute, in fp32 and in rank order,
// with its own numbers, which were never encoded, in its place, and encodes the result once.
struct Hop {
  Codec peer_codec;
  Rounding peer_rounding = Rounding::kNearest;  // for the figures only
  MxScale peer_mx_scale = MxScale::kUp;         // for the figures only
  const uint8_t* const* peers;                  // nranks pointers; peers[rank] is not looked at
  size_t nranks;
  size_t rank;
  const void* own;
  DataType type;
  float own_factor = 1;  // own numbers are multiplied by it, as peers multiplied theirs
  size_t count;
  Combine combine = Combine::kSum;
  EncodeOptions how;           // of the result
  uint8_t* encoded = nullptr;  // null: the result is not encoded (reduce-scatter)
  // Optional, may be `own`: what everybody decodes, or without `encoded` how.factor * the result.
  void* decoded = nullptr;
  uint64_t first_element = 0;
  Figures* figures = nullptr;
};
void hop(const Hop& a);

// The same with the kernels of one instruction set, for tests.
void encode(const Isa& isa, const Encode& a);
void decode(const Isa& isa, const Decode& a);
void decode_add(const Isa& isa, const Decode& a);
void hop(const Isa& isa, const Hop& a);

}  // namespace goss::quant
