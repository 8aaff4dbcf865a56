// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// The table of codecs: names, shapes, errors, kernels. Everything that lists codecs reads it.
#pragma once

#include <span>
#include <string>

#include "base/result.h"
#include "quant/codec.h"

namespace goss::quant {

// Errors in units of what a decoder multiplies codes by (the scale). Casts have no scale: theirs
// are relative to magnitudes.
struct ErrorFacts {
  float bound;       // nearest: no error is larger; stochastic: twice that
  float saturation;  // largest loss of a magnitude with MxScale::kFloor
  float noise;       // nearest: expected squared error of an element
  float noise_stochastic;
  float largest;  // magnitude of a code
};

struct CodecInfo {
  Codec codec;
  const char* name;
  Shape shape;
  ErrorFacts error;
};

std::span<const CodecInfo> codec_table();  // in the order of the enumeration
const CodecInfo& codec_info(Codec codec);
// gossInvalidArgument lists the names there are.
Result<Codec> codec_by_name(const std::string& name);
// For a byte from a peer: gossRemoteError.
Result<Codec> codec_from_wire(uint8_t value);

// Bytes of `count` elements: whole units, then whole blocks of the last unit.
size_t encoded_bytes(Codec codec, size_t count);
// Buffers may be cut at multiples of it, and only there.
inline size_t partition_unit(Codec codec) { return codec_info(codec).shape.unit(); }

// Of the best instruction set that the machine and GOSS_CPU_ISA allow.
const TileKernels& kernels(Codec codec);
const NumberKernels& number_kernels();
}  // namespace goss::quant
