// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// What the sources of kernels offer to dispatch.cpp, and the kernels by instruction set, for tests.
// A target is one of Highway's HWY_* bits. Functions return null for what is not theirs.
#pragma once

#include <cstdint>

#include "base/isa.h"
#include "quant/codec.h"

namespace goss::quant {

namespace scalar {
const TileKernels* block_kernels(Codec codec);
const TileKernels* bf16_kernels();
const TileKernels* fp16_kernels();
const TileKernels* sign_kernels();
const NumberKernels* number_kernels();
}  // namespace scalar

namespace simd {
const TileKernels* integer_kernels(int64_t target, Codec codec);
const TileKernels* small_float_kernels(int64_t target, Codec codec);
const TileKernels* bf16_kernels(int64_t target);
const TileKernels* fp16_kernels(int64_t target);
const TileKernels* sign_kernels(int64_t target);
const NumberKernels* number_kernels(int64_t target);
}  // namespace simd

const TileKernels& isa_kernels(const Isa& isa, Codec codec);
const NumberKernels& isa_number_kernels(const Isa& isa);

}  // namespace goss::quant
