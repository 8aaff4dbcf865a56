// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// What kernels are called with: plain values and addresses that the device reads.
#pragma once

#include "quant/operations.h"

namespace goss::quant::gpu {

constexpr unsigned kTeam = 32;                         // threads that work on a tile
constexpr unsigned kThreads = 256;                     // of a block
constexpr unsigned kTeamsPerBlock = kThreads / kTeam;  // each of which has its own tiles
constexpr unsigned kPerThread = 8;                     // neighbouring elements
constexpr unsigned kPerStep = kTeam * kPerThread;      // a quarter of a tile

enum class NumberType : uint8_t { kFp32, kFp16, kBf16 };

// A buffer of numbers; Byte is const uint8_t or uint8_t.
template <class Byte>
struct Numbers {
  Byte* at;
  NumberType type;
  bool vectors;  // `at` is a multiple of 16 bytes
};

// How and where the codes go.
struct Target {
  uint8_t* bytes;
  size_t count;
  uint64_t first_element;
  Dither dither;
  float factor;
  Rounding rounding;
  MxScale mx_scale;
};

struct EncodeArguments {
  Numbers<const uint8_t> src;
  Target target;
  size_t stride;  // elements between the spans of a team; here and below set at the launch
};

struct DecodeArguments {
  const uint8_t* bytes;
  Numbers<uint8_t> dst;
  size_t count;
  bool add;
  size_t stride;
};

struct HopArguments {
  const uint8_t* const* peers;
  size_t nranks;
  size_t rank;
  Numbers<const uint8_t> own;
  float own_factor;
  Combine combine;
  Target target;             // bytes may be null
  Numbers<uint8_t> decoded;  // `at` may be null, if bytes are not
  Codec peer_codec;          // the codecs are for the kernel of all pairs
  Codec codec;
  size_t stride;
};

}  // namespace goss::quant::gpu
