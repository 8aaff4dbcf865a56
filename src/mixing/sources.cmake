# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The Gossamer authors
set(GOSS_MIXING_SOURCES
  mixing/compressed_kernels.cpp
  mixing/compressed_scalar.cpp
  mixing/dispatch.cpp
  mixing/mix_kernels.cpp
  mixing/scalar.cpp)
