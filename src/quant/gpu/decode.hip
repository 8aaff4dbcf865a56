// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Bytes to numbers, and to numbers that are added to those of the caller.
#include "quant/gpu/launch-inl.h"

namespace goss::quant::gpu {

namespace {

template <class Format>
GPU_KERNEL(kThreads) void decode_kernel(DecodeArguments a) {
  for_each_span<1>(a.count, a.stride, [&](size_t first) {
    const Place place = place_of(Format::kShape, a.count, first);
    for_each_step(a.count, first, [&](unsigned i) {
      if (first + i >= a.count) return;
      float x[8];
      decode(Format(), a.bytes, place, i, x);
      if (a.add) {
        float base[8];
        load_eight(a.dst, a.count, first + i, base);
        for (unsigned j = 0; j < kPerThread; ++j) x[j] = base[j] + x[j];
      }
      store_eight(a.dst, a.count, first + i, x);
    });
  });
}

Status start(const char* what, const Decode& a, bool add, const Launch& how) {
  GOSS_TRY(check_numbers(what, a.dst, a.type));
  const DecodeArguments arguments = {a.src, numbers<uint8_t>(a.dst, a.type), a.count, add, 0};
  return visit_format(a.codec, [&](auto format) {
    return launch(what, decode_kernel<decltype(format)>, arguments, a.count, 1, how);
  });
}

}  // namespace

Status decode(const Decode& a, const Launch& how) { return start("decoding", a, false, how); }
Status decode_add(const Decode& a, const Launch& how) {
  return start("adding decoded numbers", a, true, how);
}

}  // namespace goss::quant::gpu
