// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// The kernels of the instruction set in use.
#include "quant/kernels.h"
#include "quant/registry.h"

namespace goss::quant {

namespace {

const TileKernels* scalar_kernels(Codec codec) {
  if (codec == Codec::kBf16) return scalar::bf16_kernels();
  if (codec == Codec::kFp16) return scalar::fp16_kernels();
  if (codec == Codec::kSign) return scalar::sign_kernels();
  return scalar::block_kernels(codec);
}

const TileKernels* vector_kernels(int64_t target, Codec codec) {
  if (codec == Codec::kBf16) return simd::bf16_kernels(target);
  if (codec == Codec::kFp16) return simd::fp16_kernels(target);
  if (codec == Codec::kSign) return simd::sign_kernels(target);
  const TileKernels* integers = simd::integer_kernels(target, codec);
  return integers != nullptr ? integers : simd::small_float_kernels(target, codec);
}

}  // namespace

const TileKernels& isa_kernels(const Isa& isa, Codec codec) {
  return isa.target == 0 ? *scalar_kernels(codec) : *vector_kernels(isa.target, codec);
}

const NumberKernels& isa_number_kernels(const Isa& isa) {
  return isa.target == 0 ? *scalar::number_kernels() : *simd::number_kernels(isa.target);
}

const TileKernels& kernels(Codec codec) { return isa_kernels(chosen_isa(), codec); }
const NumberKernels& number_kernels() { return isa_number_kernels(chosen_isa()); }

}  // namespace goss::quant
