// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// The loops of kernels.h, included by one file per instruction set, which is compiled with the
// flags of that set. Vectors are those of gcc and clang; the flags decide their width. Everything
// is in an unnamed namespace and uses no library templates, so that no code for a wide set can be
// linked into common functions.

#include "limit/kernels.h"

#if !defined(__has_builtin)
#define __has_builtin(x) 0
#endif

namespace goss::limit {
namespace {

#if defined(__AVX512F__)
inline constexpr size_t kWidth = 64;
#elif defined(__AVX__)
inline constexpr size_t kWidth = 32;
#else
inline constexpr size_t kWidth = 16;
#endif
inline constexpr size_t kLanes = kWidth / sizeof(float);
inline constexpr size_t kUnroll = 4;

// Loads and stores anywhere, and the same where the address is a multiple of the width.
typedef float Vector __attribute__((vector_size(kWidth)));
typedef float Unaligned __attribute__((vector_size(kWidth), aligned(4), may_alias));

inline Vector load(const float* from) { return *reinterpret_cast<const Unaligned*>(from); }

template <Stores kStores>
inline void store(float* to, Vector value) {
  if constexpr (kStores == Stores::kRegular) {
    *reinterpret_cast<Unaligned*>(to) = value;
  } else {
#if __has_builtin(__builtin_nontemporal_store)
    __builtin_nontemporal_store(value, reinterpret_cast<Vector*>(to));
#elif defined(__AVX512F__)
    __builtin_ia32_movntps512(to, value);
#elif defined(__AVX__)
    __builtin_ia32_movntps256(to, value);
#elif defined(__SSE__)
    __builtin_ia32_movntps(to, value);
#else
    *reinterpret_cast<Unaligned*>(to) = value;
#endif
  }
}

inline bool aligned(const float* pointer) {
  return reinterpret_cast<size_t>(pointer) % kWidth == 0;
}

template <Stores kStores>
void copy_loop(float* dst, const float* src, size_t count) {
  size_t i = 0;
  for (; i + kUnroll * kLanes <= count; i += kUnroll * kLanes) {
    Vector v[kUnroll];
    for (size_t u = 0; u < kUnroll; ++u) v[u] = load(src + i + u * kLanes);
    for (size_t u = 0; u < kUnroll; ++u) store<kStores>(dst + i + u * kLanes, v[u]);
  }
  for (; i + kLanes <= count; i += kLanes) store<kStores>(dst + i, load(src + i));
  for (; i < count; ++i) dst[i] = src[i];
}

// Streaming needs aligned places; limit's own are, a user's may not be.
void copy(float* dst, const float* src, size_t count, Stores stores) {
  if (stores == Stores::kStreaming && aligned(dst)) {
    copy_loop<Stores::kStreaming>(dst, src, count);
  } else {
    copy_loop<Stores::kRegular>(dst, src, count);
  }
}

// `kSources` 0: their number is known at run time only.
template <int kSources, size_t kVectors>
inline void sum_vectors(Vector* v, const float* const* sources, int nsources, size_t i) {
  const int n = kSources == 0 ? nsources : kSources;
  for (size_t u = 0; u < kVectors; ++u) v[u] = load(sources[0] + i + u * kLanes);
  for (int s = 1; s < n; ++s) {
    for (size_t u = 0; u < kVectors; ++u) v[u] += load(sources[s] + i + u * kLanes);
  }
}

template <int kSources, bool kTwo, Stores kFirst, Stores kSecond>
void sum_loop(float* dst, float* second, const float* const* sources, int nsources, size_t count) {
  size_t i = 0;
  for (; i + kUnroll * kLanes <= count; i += kUnroll * kLanes) {
    Vector v[kUnroll];
    sum_vectors<kSources, kUnroll>(v, sources, nsources, i);
    for (size_t u = 0; u < kUnroll; ++u) store<kFirst>(dst + i + u * kLanes, v[u]);
    if constexpr (kTwo) {
      for (size_t u = 0; u < kUnroll; ++u) store<kSecond>(second + i + u * kLanes, v[u]);
    }
  }
  for (; i + kLanes <= count; i += kLanes) {
    Vector v;
    sum_vectors<kSources, 1>(&v, sources, nsources, i);
    store<kFirst>(dst + i, v);
    if constexpr (kTwo) store<kSecond>(second + i, v);
  }
  for (; i < count; ++i) {
    float value = sources[0][i];
    for (int s = 1; s < nsources; ++s) value += sources[s][i];
    dst[i] = value;
    if constexpr (kTwo) second[i] = value;
  }
}

template <bool kTwo, Stores kFirst, Stores kSecond>
void sum_any(float* dst, float* second, const float* const* sources, int nsources, size_t count) {
  switch (nsources) {
    case 2: sum_loop<2, kTwo, kFirst, kSecond>(dst, second, sources, nsources, count); break;
    case 4: sum_loop<4, kTwo, kFirst, kSecond>(dst, second, sources, nsources, count); break;
    default: sum_loop<0, kTwo, kFirst, kSecond>(dst, second, sources, nsources, count); break;
  }
}

void sum(float* dst, const float* const* sources, int nsources, size_t count, Stores stores) {
  if (stores == Stores::kStreaming && aligned(dst)) {
    sum_any<false, Stores::kStreaming, Stores::kRegular>(dst, dst, sources, nsources, count);
  } else {
    sum_any<false, Stores::kRegular, Stores::kRegular>(dst, dst, sources, nsources, count);
  }
}

void sum_to_two(float* dst, float* second, const float* const* sources, int nsources, size_t count,
                Stores stores, Stores second_stores) {
  constexpr Stores kR = Stores::kRegular;
  constexpr Stores kS = Stores::kStreaming;
  const bool first_streams = stores == kS && aligned(dst);
  const bool second_streams = second_stores == kS && aligned(second);
  if (first_streams && second_streams) {
    sum_any<true, kS, kS>(dst, second, sources, nsources, count);
  } else if (first_streams) {
    sum_any<true, kS, kR>(dst, second, sources, nsources, count);
  } else if (second_streams) {
    sum_any<true, kR, kS>(dst, second, sources, nsources, count);
  } else {
    sum_any<true, kR, kR>(dst, second, sources, nsources, count);
  }
}

}  // namespace
}  // namespace goss::limit
