# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The Gossamer authors
set(GOSS_REDUCE_SOURCES
  reduce/dispatch.cpp
  reduce/float8_kernels.cpp
  reduce/float_order_kernels.cpp
  reduce/half_kernels.cpp
  reduce/integer_kernels.cpp
  reduce/scalar.cpp
  reduce/stream_copy.cpp
  reduce/wide_float_kernels.cpp)
