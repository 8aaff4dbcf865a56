// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Copy and sum. No include guard: limit.cpp includes this once per instruction set, with LIMIT_ISA
// (a namespace), LIMIT_TARGET, LIMIT_LANES, LIMIT_LOAD, LIMIT_STORE, LIMIT_STREAM and LIMIT_ADD.
// Destinations are aligned to 64 bytes; "stream" stores past the caches.
namespace LIMIT_ISA {

template <bool stream>
LIMIT_TARGET void copy_as(float* to, const float* from, size_t count) {
  size_t i = 0;
  for (; i + 4 * LIMIT_LANES <= count; i += 4 * LIMIT_LANES) {
    const auto a = LIMIT_LOAD(from + i);
    const auto b = LIMIT_LOAD(from + i + LIMIT_LANES);
    const auto c = LIMIT_LOAD(from + i + 2 * LIMIT_LANES);
    const auto d = LIMIT_LOAD(from + i + 3 * LIMIT_LANES);
    if constexpr (stream) {
      LIMIT_STREAM(to + i, a);
      LIMIT_STREAM(to + i + LIMIT_LANES, b);
      LIMIT_STREAM(to + i + 2 * LIMIT_LANES, c);
      LIMIT_STREAM(to + i + 3 * LIMIT_LANES, d);
    } else {
      LIMIT_STORE(to + i, a);
      LIMIT_STORE(to + i + LIMIT_LANES, b);
      LIMIT_STORE(to + i + 2 * LIMIT_LANES, c);
      LIMIT_STORE(to + i + 3 * LIMIT_LANES, d);
    }
  }
  for (; i < count; ++i) to[i] = from[i];
}

LIMIT_TARGET void copy(float* to, const float* from, size_t count, bool stream) {
  stream ? copy_as<true>(to, from, count) : copy_as<false>(to, from, count);
}

// Sums in the order of `in`, so that whoever computes gets the same bits.
template <bool stream, bool stream_also, bool with_also>
LIMIT_TARGET void sum_as(float* to, float* also, const float* const* in, int n, size_t count) {
  constexpr size_t kStep = 4 * LIMIT_LANES;
  size_t i = 0;
  for (; i + kStep <= count; i += kStep) {
    auto a = LIMIT_LOAD(in[0] + i);
    auto b = LIMIT_LOAD(in[0] + i + LIMIT_LANES);
    auto c = LIMIT_LOAD(in[0] + i + 2 * LIMIT_LANES);
    auto d = LIMIT_LOAD(in[0] + i + 3 * LIMIT_LANES);
    for (int r = 1; r < n; ++r) {
      a = LIMIT_ADD(a, LIMIT_LOAD(in[r] + i));
      b = LIMIT_ADD(b, LIMIT_LOAD(in[r] + i + LIMIT_LANES));
      c = LIMIT_ADD(c, LIMIT_LOAD(in[r] + i + 2 * LIMIT_LANES));
      d = LIMIT_ADD(d, LIMIT_LOAD(in[r] + i + 3 * LIMIT_LANES));
    }
    const decltype(a) sums[4] = {a, b, c, d};
    for (size_t k = 0; k < 4; ++k) {
      const size_t at = i + k * LIMIT_LANES;
      if constexpr (stream) LIMIT_STREAM(to + at, sums[k]);
      if constexpr (!stream) LIMIT_STORE(to + at, sums[k]);
      if constexpr (with_also && stream_also) LIMIT_STREAM(also + at, sums[k]);
      if constexpr (with_also && !stream_also) LIMIT_STORE(also + at, sums[k]);
    }
  }
  for (; i < count; ++i) {
    float total = in[0][i];
    for (int r = 1; r < n; ++r) total += in[r][i];
    to[i] = total;
    if constexpr (with_also) also[i] = total;
  }
}

// to = sum of in[0..n); the same into `also` unless null.
LIMIT_TARGET void sum(float* to, float* also, const float* const* in, int n, size_t count,
                      bool stream, bool stream_also) {
  if (!also) {
    return stream ? sum_as<true, false, false>(to, also, in, n, count)
                  : sum_as<false, false, false>(to, also, in, n, count);
  }
  if (stream_also) {
    return stream ? sum_as<true, true, true>(to, also, in, n, count)
                  : sum_as<false, true, true>(to, also, in, n, count);
  }
  return stream ? sum_as<true, false, true>(to, also, in, n, count)
                : sum_as<false, false, true>(to, also, in, n, count);
}

}  // namespace LIMIT_ISA
