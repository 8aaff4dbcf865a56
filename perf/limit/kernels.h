// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#pragma once

#include <cstddef>
#include <cstring>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace limit {

struct Vec4 {  // what every machine has; compilers make one register of it
  float lane[4];
};
inline Vec4 vec4_load(const float* from) {
  Vec4 vec;
  std::memcpy(&vec, from, sizeof(vec));
  return vec;
}
inline void vec4_store(float* to, Vec4 vec) { std::memcpy(to, &vec, sizeof(vec)); }
inline Vec4 vec4_add(Vec4 a, Vec4 b) {
  for (int i = 0; i < 4; ++i) a.lane[i] += b.lane[i];
  return a;
}

#define LIMIT_ISA generic
#define LIMIT_TARGET inline
#define LIMIT_LANES 4
#define LIMIT_LOAD vec4_load
#define LIMIT_STORE vec4_store
#define LIMIT_STREAM vec4_store
#define LIMIT_ADD vec4_add
#include "kernels-inl.h"  // NOLINT: meant to be included several times
#undef LIMIT_ISA
#undef LIMIT_TARGET
#undef LIMIT_LANES
#undef LIMIT_LOAD
#undef LIMIT_STORE
#undef LIMIT_STREAM
#undef LIMIT_ADD

#if defined(__x86_64__)
#define LIMIT_ISA avx2
#define LIMIT_TARGET __attribute__((target("avx2"))) inline
#define LIMIT_LANES 8
#define LIMIT_LOAD _mm256_loadu_ps
#define LIMIT_STORE _mm256_storeu_ps
#define LIMIT_STREAM _mm256_stream_ps
#define LIMIT_ADD _mm256_add_ps
#include "kernels-inl.h"  // NOLINT
#undef LIMIT_ISA
#undef LIMIT_TARGET
#undef LIMIT_LANES
#undef LIMIT_LOAD
#undef LIMIT_STORE
#undef LIMIT_STREAM
#undef LIMIT_ADD

#define LIMIT_ISA avx512
#define LIMIT_TARGET __attribute__((target("avx512f"))) inline
#define LIMIT_LANES 16
#define LIMIT_LOAD _mm512_loadu_ps
#define LIMIT_STORE _mm512_storeu_ps
#define LIMIT_STREAM _mm512_stream_ps
#define LIMIT_ADD _mm512_add_ps
#include "kernels-inl.h"  // NOLINT
#undef LIMIT_ISA
#undef LIMIT_TARGET
#undef LIMIT_LANES
#undef LIMIT_LOAD
#undef LIMIT_STORE
#undef LIMIT_STREAM
#undef LIMIT_ADD
#endif

struct Kernels {
  void (*copy)(float* to, const float* from, size_t count, bool stream);
  void (*sum)(float* to, float* also, const float* const* in, int n, size_t count, bool stream,
              bool stream_also);
};

inline Kernels best_kernels() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f")) return {avx512::copy, avx512::sum};
  if (__builtin_cpu_supports("avx2")) return {avx2::copy, avx2::sum};
#endif
  return {generic::copy, generic::sum};
}

// Waits a little between two looks at a flag.
inline void spin_pause() {
#if defined(__x86_64__)
  _mm_pause();
#elif defined(__aarch64__)
  asm volatile("isb");
#endif
}

// Streamed stores are not ordered by a release store.
inline void stream_fence() {
#if defined(__x86_64__)
  _mm_sfence();
#endif
}

}  // namespace limit
