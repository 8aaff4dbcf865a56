// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Devices' access to memory: eight neighbouring elements of a thread as fp32, and small numbers of
// bytes. Where addresses allow it, a thread moves 16 bytes at once and a team whole lines; at the
// ends of buffers and at other addresses elements go one by one. Codes may lie at any address, as
// the last tile's planes do.
#pragma once

#include "device/gpu_runtime.h"
#include "quant/formats.h"
#include "quant/gpu/arguments.h"

namespace goss::quant::gpu {

// Memory has no types: the caller's numbers are read as words.
struct [[gnu::may_alias]] alignas(16) Vector16 {
  uint32_t at[4];
};
using Word64 [[gnu::may_alias]] = uint64_t;
using Word32 [[gnu::may_alias]] = uint32_t;
using Word16 [[gnu::may_alias]] = uint16_t;

GPU_DEVICE inline bool is_aligned(const void* address, size_t bytes) {
  return reinterpret_cast<uintptr_t>(address) % bytes == 0;
}

// ---- words --------------------------------------------------------------------------------------
// kBytes bytes (1, 2, 4, 8), little-endian, in the low bits.

template <int kBytes>
GPU_DEVICE uint64_t load_word(const uint8_t* from) {
  if (is_aligned(from, kBytes)) {
    if constexpr (kBytes == 1) return *from;
    if constexpr (kBytes == 2) return *reinterpret_cast<const Word16*>(from);
    if constexpr (kBytes == 4) return *reinterpret_cast<const Word32*>(from);
    if constexpr (kBytes == 8) return *reinterpret_cast<const Word64*>(from);
  }
  uint64_t value = 0;
  for (int i = 0; i < kBytes; ++i) value |= uint64_t{from[i]} << (8 * i);
  return value;
}

template <int kBytes>
GPU_DEVICE void store_word(uint8_t* to, uint64_t value) {
  if (!is_aligned(to, kBytes)) {
    for (int i = 0; i < kBytes; ++i) to[i] = static_cast<uint8_t>(value >> (8 * i));
    return;
  }
  if constexpr (kBytes == 1) *to = static_cast<uint8_t>(value);
  if constexpr (kBytes == 2) *reinterpret_cast<Word16*>(to) = static_cast<uint16_t>(value);
  if constexpr (kBytes == 4) *reinterpret_cast<Word32*>(to) = static_cast<uint32_t>(value);
  if constexpr (kBytes == 8) *reinterpret_cast<Word64*>(to) = value;
}

// ---- elements -----------------------------------------------------------------------------------

GPU_DEVICE inline float widen(NumberType type, uint32_t bits) {
  return type == NumberType::kBf16 ? float_of(bits << 16)
                                   : gpu_widen_fp16(static_cast<uint16_t>(bits));
}
// To nearest even; `value` is no NaN but the canonical one.
GPU_DEVICE inline uint32_t narrow(NumberType type, float value) {
  if (value != value) return type == NumberType::kBf16 ? Bfloat16::kNan : Float16::kNan;
  if (type == NumberType::kFp16) return gpu_narrow_fp16(value);
  const uint32_t bits = bits_of(value);  // a carry may make it infinity, as it should
  return (bits + 0x7fffu + (bits >> 16 & 1u)) >> 16;
}

template <class Byte>
GPU_DEVICE float load_one(const Numbers<Byte>& from, size_t i) {
  if (from.type == NumberType::kFp32) {
    return float_of(reinterpret_cast<const Word32*>(from.at)[i]);
  }
  return widen(from.type, reinterpret_cast<const Word16*>(from.at)[i]);
}
GPU_DEVICE inline void store_one(const Numbers<uint8_t>& to, size_t i, float value) {
  value = canonical(value);
  if (to.type == NumberType::kFp32) {
    reinterpret_cast<Word32*>(to.at)[i] = bits_of(value);
  } else {
    reinterpret_cast<Word16*>(to.at)[i] = static_cast<uint16_t>(narrow(to.type, value));
  }
}

// Elements i to i + 7 (i is a multiple of 8) of `count`; zeros behind the last.
template <class Byte>
GPU_DEVICE void load_eight(const Numbers<Byte>& from, size_t count, size_t i, float (&x)[8]) {
  if (!from.vectors || i + kPerThread > count) {
    for (unsigned j = 0; j < kPerThread; ++j) x[j] = i + j < count ? load_one(from, i + j) : 0.0f;
    return;
  }
  if (from.type == NumberType::kFp32) {
    const auto* vectors = reinterpret_cast<const Vector16*>(from.at + 4 * i);
    const Vector16 low = vectors[0], high = vectors[1];
    for (unsigned j = 0; j < 4; ++j) {
      x[j] = float_of(low.at[j]);
      x[j + 4] = float_of(high.at[j]);
    }
    return;
  }
  const Vector16 pairs = *reinterpret_cast<const Vector16*>(from.at + 2 * i);
  for (unsigned j = 0; j < kPerThread; ++j) {
    x[j] = widen(from.type, pairs.at[j / 2] >> (j % 2 * 16) & 0xffffu);
  }
}

GPU_DEVICE inline void store_eight(const Numbers<uint8_t>& to, size_t count, size_t i,
                                   const float (&x)[8]) {
  if (!to.vectors || i + kPerThread > count) {
    for (unsigned j = 0; j < kPerThread && i + j < count; ++j) store_one(to, i + j, x[j]);
    return;
  }
  if (to.type == NumberType::kFp32) {
    Vector16 low, high;
    for (unsigned j = 0; j < 4; ++j) {
      low.at[j] = bits_of(canonical(x[j]));
      high.at[j] = bits_of(canonical(x[j + 4]));
    }
    auto* vectors = reinterpret_cast<Vector16*>(to.at + 4 * i);
    vectors[0] = low;
    vectors[1] = high;
    return;
  }
  Vector16 pairs;
  for (unsigned j = 0; j < 4; ++j) {
    pairs.at[j] = narrow(to.type, canonical(x[2 * j])) | narrow(to.type, canonical(x[2 * j + 1]))
                                                             << 16;
  }
  *reinterpret_cast<Vector16*>(to.at + 2 * i) = pairs;
}

}  // namespace goss::quant::gpu
