// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// The inner loops of limit: copy, and sum of several sources in one pass. Each exists with ordinary
// and with non-temporal stores, and is compiled once per instruction set (kernels_impl.h).
#pragma once

#include <cstddef>

namespace goss::limit {

enum class Stores { kRegular, kStreaming };  // streaming: past the caches; fence before a flag

struct Kernels {
  const char* name;
  void (*copy)(float* dst, const float* src, size_t count, Stores stores);
  // dst[i] = sources[0][i] + sources[1][i] + ..., from left to right.
  void (*sum)(float* dst, const float* const* sources, int nsources, size_t count, Stores stores);
  // As sum, written to dst and to a second place, each with its kind of store.
  void (*sum_to_two)(float* dst, float* second, const float* const* sources, int nsources,
                     size_t count, Stores stores, Stores second_stores);
};

extern const Kernels kBaselineKernels;
#if defined(__x86_64__)
extern const Kernels kAvx2Kernels;
extern const Kernels kAvx512Kernels;
#endif

// The widest that this CPU has, and that is not wider than `most_bits`.
const Kernels& best_kernels(int most_bits);

// Makes streaming stores visible to whoever sees a flag that is stored later.
inline void streaming_fence() {
#if defined(__x86_64__)
  __builtin_ia32_sfence();
#endif
}

}  // namespace goss::limit
