// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Numbers to bytes: one pass, each number read once and each byte written once.
#include "quant/gpu/launch-inl.h"

namespace goss::quant::gpu {

namespace {

struct TakeNumbers {
  const Numbers<const uint8_t>& from;
  size_t end;

  GPU_DEVICE void eight(size_t i, float (&x)[8]) const { load_eight(from, end, i, x); }
  GPU_DEVICE float one(size_t i) const { return load_one(from, i); }
};

template <class Format>
GPU_KERNEL(kThreads) void encode_kernel(EncodeArguments a) {
  for_each_span<kSpanTiles<Format>>(a.target.count, a.stride, [&](size_t first) {
    encode_tile(Format(), a.target, first, TakeNumbers{a.src, a.target.count}, GiveNothing());
  });
}

}  // namespace

Status encode(const Encode& a, const Launch& how) {
  GOSS_TRY(check_numbers("encoding", a.src, a.type));
  GOSS_TRY(check_figures("encoding", a.figures));
  const EncodeArguments arguments = {numbers<const uint8_t>(a.src, a.type),
                                     target(a.how, a.dst, a.count, a.first_element), 0};
  return visit_format(a.how.codec, [&](auto format) {
    using Format = decltype(format);
    return launch("encoding", encode_kernel<Format>, arguments, a.count, kSpanTiles<Format>, how);
  });
}

}  // namespace goss::quant::gpu
