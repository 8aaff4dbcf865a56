// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// The fused hop: every thread decodes its elements of all peers, combines them in rank order in
// registers with the own ones in their place, and encodes the result. Numbers are read once and
// codes written once; nothing lies in memory in between.
//
// There is a kernel for every codec that peers and result share. The kernels of results that are not
// encoded, and of pairs of different codecs, look up the codecs as they go: a jump per step and peer.
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
  size_t end;

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
    if (i >= end) return;
    for (size_t r = 0; r < a.nranks; ++r) {
      float y[kCount];
      contribution(r, i, y);
      for (unsigned j = 0; j < kCount; ++j) x[j] = r == 0 ? y[j] : combine(a.combine, x[j], y[j]);
    }
    // Peers' padding may be anything, and in sign it always is something.
    for (unsigned j = 0; j < kCount; ++j) {
      if (i + j >= end) x[j] = 0;
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
    encode_tile(Format(), a.target, first, TakeCombined<OneFormat<Format>>{a, a.target.count},
                GiveNumbers{a.decoded, a.target.count});
  });
}

GPU_KERNEL(kThreads) void hop_of_two_codecs_kernel(HopArguments a) {
  const TakeCombined<AnyFormat> take = {a, a.target.count};
  const GiveNumbers give = {a.decoded, a.target.count};
  for_each_span<1>(a.target.count, a.stride, [&](size_t first) {
    uint32_t own_scale = 0;
    for_each_step(a.target.count, first, [&](unsigned i) {
      float x[8];
      take.eight(first + i, x);
      visit_format(a.codec, [&](auto format) {
        if constexpr (format.kShape.scale != Scale::kMean) {
          encode_step(format, a.target, first, i, x, &own_scale);
        }
      });
      give.eight(first + i, x);
    });
    visit_format(a.codec, [&](auto format) {
      if constexpr (format.kShape.scale != Scale::kMean) {
        finish_tile(format, a.target, first, own_scale);
      }
    });
  });
}

GPU_KERNEL(kThreads) void hop_to_sign_kernel(HopArguments a) {
  for_each_span<kSpanTiles<SignFormat>>(a.target.count, a.stride, [&](size_t first) {
    encode_tile(SignFormat(), a.target, first, TakeCombined<AnyFormat>{a, a.target.count},
                GiveNumbers{a.decoded, a.target.count});
  });
}

GPU_KERNEL(kThreads) void combine_kernel(HopArguments a) {
  const TakeCombined<AnyFormat> take = {a, a.target.count};
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
  GOSS_TRY(check_numbers("a hop", a.own, a.type));
  GOSS_TRY(check_numbers("a hop", a.decoded, a.type));
  GOSS_TRY(check_figures("a hop", a.figures));
  const HopArguments arguments = {
      a.peers,        a.nranks,  a.rank,  numbers<const uint8_t>(a.own, a.type),
      a.own_factor,   a.combine, target(a.how, a.encoded, a.count, a.first_element),
      numbers<uint8_t>(a.decoded, a.type), a.peer_codec, a.how.codec, 0};
  if (a.encoded == nullptr) return launch("a hop", combine_kernel, arguments, a.count, 1, how);
  if (a.peer_codec == a.how.codec) {
    return visit_format(a.how.codec, [&](auto format) {
      using Format = decltype(format);
      return launch("a hop", hop_kernel<Format>, arguments, a.count, kSpanTiles<Format>, how);
    });
  }
  if (a.how.codec == Codec::kSign) {
    return launch("a hop", hop_to_sign_kernel, arguments, a.count, kSpanTiles<SignFormat>, how);
  }
  return launch("a hop", hop_of_two_codecs_kernel, arguments, a.count, 1, how);
}

}  // namespace goss::quant::gpu
