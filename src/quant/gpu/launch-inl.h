// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// From the arguments of operations.h to kernels: checks, types, number of blocks.
#pragma once

#include "quant/gpu/arguments.h"
#include "quant/gpu/operations.h"
#include "quant/gpu/tile-inl.h"

namespace goss::quant::gpu {

inline Status check_numbers(const char* what, const void* at, DataType type) {
  if (type != gossFloat32 && type != gossFloat16 && type != gossBfloat16) {
    return fail(gossInvalidArgument, "%s on a GPU: numbers are float, half or bfloat16, not %s",
                what, valid_type(type) ? type_name(type) : "an unknown type");
  }
  if (reinterpret_cast<uintptr_t>(at) % type_size(type) == 0) return {};
  return fail(gossInvalidArgument,
              "%s on a GPU: numbers at %p; addresses of %s are multiples of %zu bytes", what, at,
              type_name(type), type_size(type));
}
inline Status check_figures(const char* what, const Figures* figures) {
  if (figures == nullptr) return {};
  return fail(gossInvalidArgument, "%s on a GPU has no figures; they are told from the bytes",
              what);
}

// Of a type that was checked.
template <class Byte, class Void>
Numbers<Byte> numbers(Void* at, DataType type) {
  const NumberType kind = type == gossFloat32   ? NumberType::kFp32
                          : type == gossFloat16 ? NumberType::kFp16
                                                : NumberType::kBf16;
  return {static_cast<Byte*>(at), kind, reinterpret_cast<uintptr_t>(at) % 16 == 0};
}

inline Target target(const EncodeOptions& how, uint8_t* bytes, size_t count,
                     uint64_t first_element) {
  return {bytes, count, first_element, how.dither, how.factor, how.rounding, how.mx_scale};
}

// Starts a kernel whose teams have spans of `tiles` tiles.
template <class Arguments>
Status launch(const char* what, void (*kernel)(Arguments), Arguments arguments, size_t count,
              size_t tiles, const Launch& how) {
  if (count == 0) return {};
  constexpr size_t kMostBlocks = 1u << 30;
  const size_t per_block = kTeamsPerBlock * tiles * kTile;
  const size_t most = how.max_blocks == 0 ? kMostBlocks : how.max_blocks;
  const size_t blocks = std::min((count - 1) / per_block + 1, most);
  arguments.stride = blocks * per_block;
  const gpuError_t error = gpu_launch(kernel, static_cast<unsigned>(blocks), kThreads,
                                      static_cast<gpuStream_t>(how.stream), arguments);
  if (error == gpuSuccess) return {};
  return fail(gossUnhandledCudaError, "%s of %zu elements on a GPU: %s (%zu blocks of %u threads)",
              what, count, gpuGetErrorString(error), blocks, kThreads);
}

}  // namespace goss::quant::gpu
