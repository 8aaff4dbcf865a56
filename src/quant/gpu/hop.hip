// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// The fused hop: every thread decodes its elements of all peers, combines them in rank order in
// registers with the own ones in their place, and encodes the result. Numbers are read once and
// codes written once; nothing lies in memory in between.
//
// There is a kernel for every codec that peers and result share, one per codec for results that are
// not encoded, and one for all pairs of different codecs, which looks up each codec as it goes.
#include "quant/gpu/launch-inl.h"

namespace goss::quant::gpu {

namespace {

// A codec that is known when the kernel is compiled, or only when it runs.
template <class Format>
struct OneFormat {
  template <class Visit>
  GPU_DEVICE static void visit(Codec, Visit visit) {
    visit(Format());
  }
};
struct AnyFormat {
  template <class Visit>
  GPU_DEVICE static void visit(Codec codec, Visit visit) {
    visit_format(codec, [&](auto format) { visit(format); });
  }
};

GPU_DEVICE inline float combine(Combine how, float left, float right) {
  switch (how) {
    case Combine::kSum: break;
    case Combine::kMin: return lesser(left, right);
    case Combine::kMax: return greater(left, right);
  }
  return left + right;
}

// All contributions in rank order.
template <class Peers>
struct TakeCombined {
  const HopArguments& a;

  GPU_DEVICE void eight(size_t i, float (&x)[8]) const { combined(i, x); }
  GPU_DEVICE float one(size_t i) const {
    float x[1];
    combined(i, x);
    return x[0];
  }

 private:
  template <unsigned kCount>
  GPU_DEVICE void combined(size_t i, float (&x)[kCount]) const {
    for (float& value : x) value = 0;
    if (i >= a.target.count) return;
    for (size_t r = 0; r < a.nranks; ++r) {
      float y[kCount];
      contribution(r, i, y);
      for (unsigned j = 0; j < kCount; ++j) x[j] = r == 0 ? y[j] : combine(a.combine, x[j], y[j]);
    }
    // Peers' padding may be anything, and in sign it always is something.
    for (unsigned j = 0; j < kCount; ++j) {
      if (i + j >= a.target.count) x[j] = 0;
    }
  }

  template <unsigned kCount>
  GPU_DEVICE void contribution(size_t rank, size_t i, float (&y)[kCount]) const {
    if (rank == a.rank) {
      if constexpr (kCount == 1) {
        y[0] = load_one(a.own, i);
      } else {
        load_eight(a.own, a.target.count, i, y);
      }
      for (float& value : y) value *= a.own_factor;
      return;
    }
    Peers::visit(a.peer_codec, [&](auto format) {
      const size_t first = i / kTile * kTile;
      const Place place = place_of(decltype(format)::kShape, a.target.count, first);
      decode(format, a.peers[rank], place, static_cast<unsigned>(i - first), y);
    });
  }
};

struct GiveNumbers {
  const Numbers<uint8_t>& to;
  size_t count;

  GPU_DEVICE void eight(size_t i, const float (&x)[8]) const {
    if (to.at != nullptr) store_eight(to, count, i, x);
  }
  GPU_DEVICE void one(size_t i, float value) const {
    if (to.at != nullptr) store_one(to, i, value);
  }
};

template <class Format>
GPU_KERNEL(kThreads) void hop_kernel(HopArguments a) {
  for_each_span<kSpanTiles<Format>>(a.target.count, a.stride, [&](size_t first) {
    encode_tile(Format(), a.target, first, TakeCombined<OneFormat<Format>>{a},
                GiveNumbers{a.decoded, a.target.count});
  });
}

// Spans of two tiles, because sign may be among the codecs.
GPU_KERNEL(kThreads) void hop_of_two_codecs_kernel(HopArguments a) {
  const TakeCombined<AnyFormat> take = {a};
  const GiveNumbers give = {a.decoded, a.target.count};
  for_each_span<2>(a.target.count, a.stride, [&](size_t first) {
    visit_format(a.codec, [&](auto format) {
      for (size_t tile = 0; tile < 2; tile += kSpanTiles<decltype(format)>) {
        const size_t begin = first + tile * kTile;
        if (begin < a.target.count) encode_tile(format, a.target, begin, take, give);
      }
    });
  });
}

template <class Format>
GPU_KERNEL(kThreads) void combine_kernel(HopArguments a) {
  const TakeCombined<OneFormat<Format>> take = {a};
  for_each_span<1>(a.target.count, a.stride, [&](size_t first) {
    for_each_step(a.target.count, first, [&](unsigned i) {
      float x[8];
      take.eight(first + i, x);
      for (float& value : x) value *= a.target.factor;
      store_eight(a.decoded, a.target.count, first + i, x);
    });
  });
}

}  // namespace

Status hop(const Hop& a, const Launch& how) {
  GOSS_TRY(check_type("a hop", a.type));
  GOSS_TRY(check_figures("a hop", a.figures));
  const HopArguments arguments = {
      a.peers,        a.nranks,  a.rank,  numbers<const uint8_t>(a.own, a.type),
      a.own_factor,   a.combine, target(a.how, a.encoded, a.count, a.first_element),
      numbers<uint8_t>(a.decoded, a.type), a.peer_codec, a.how.codec, 0};
  if (a.encoded != nullptr && a.peer_codec != a.how.codec) {
    return launch("a hop", hop_of_two_codecs_kernel, arguments, a.count, 2, how);
  }
  return visit_format(a.peer_codec, [&](auto format) {
    using Format = decltype(format);
    return a.encoded == nullptr
               ? launch("a hop", combine_kernel<Format>, arguments, a.count, 1, how)
               : launch("a hop", hop_kernel<Format>, arguments, a.count, kSpanTiles<Format>, how);
  });
}

}  // namespace goss::quant::gpu
