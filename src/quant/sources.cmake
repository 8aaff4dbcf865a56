# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The Gossamer authors
set(GOSS_QUANT_SOURCES
  quant/chunk_header.cpp
  quant/dispatch.cpp
  quant/error.cpp
  quant/operations.cpp
  quant/registry.cpp
  quant/scalar/blocks.cpp
  quant/scalar/cast.cpp
  quant/scalar/numbers.cpp
  quant/scalar/sign.cpp
  quant/simd/cast_kernels.cpp
  quant/simd/integer_kernels.cpp
  quant/simd/number_kernels.cpp
  quant/simd/sign_kernels.cpp
  quant/simd/small_float_kernels.cpp)

# Compiled for devices by cmake/GossamerGpu.cmake, and as C++ for the tests' emulator.
set(GOSS_GPU_KERNELS
  ${PROJECT_SOURCE_DIR}/src/quant/gpu/decode.hip
  ${PROJECT_SOURCE_DIR}/src/quant/gpu/encode.hip
  ${PROJECT_SOURCE_DIR}/src/quant/gpu/hop.hip)
