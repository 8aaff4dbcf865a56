// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// A team encodes a tile: four steps of 256 elements, eight neighbouring ones per thread, so that
// the four threads of a block find its largest magnitude by two exchanges, and everything that a
// team reads or writes in a step is one range of memory.
//
// Where numbers come from and what becomes of the result differs: `take` gives elements of the
// buffer as fp32 (zeros from `take.end` on), `give` is told what a decoder makes of the codes.
//   take.eight(i, x), take.one(i)    give.eight(i, x), give.one(i, value)
#pragma once

#include "quant/gpu/codes-inl.h"

namespace goss::quant::gpu {

GPU_DEVICE inline unsigned team_thread() { return gpu_thread() % kTeam; }

// work(first) for the spans of this thread's team; a span has kTiles tiles.
template <size_t kTiles, class Work>
GPU_DEVICE void for_each_span(size_t count, size_t stride, Work work) {
  const size_t team = size_t{gpu_block()} * kTeamsPerBlock + gpu_thread() / kTeam;
  GPU_NO_UNROLL for (size_t first = team * kTiles * kTile; first < count; first += stride) {
    work(first);
  }
}
// Of a kernel that makes codes of a format.
template <class Format>
constexpr size_t kSpanTiles = Format::kShape.scale == Scale::kMean ? 2 : 1;

// work(i) for this thread's first elements of the steps of a tile, i counted from `first`. All
// threads of the team do all steps that have elements.
template <class Work>
GPU_DEVICE void for_each_step(size_t count, size_t first, Work work) {
  GPU_NO_UNROLL for (unsigned step = 0; step < kTile && first + step < count; step += kPerStep) {
    work(step + team_thread() * kPerThread);
  }
}

struct GiveNothing {
  GPU_DEVICE static void eight(size_t, const float (&)[8]) {}
  GPU_DEVICE static void one(size_t, float) {}
};

// ---- codecs of blocks ---------------------------------------------------------------------------

GPU_DEVICE inline float largest_of_block(const float (&x)[8]) {
  uint32_t largest = 0;
  for (unsigned j = 0; j < kPerThread; ++j) {
    largest = larger(largest, bits_of(x[j]) & kMagnitude32);
  }
  largest = larger(largest, team_exchange<1>(largest));
  return float_of(larger(largest, team_exchange<2>(largest)));
}

// One step: x are the numbers of this thread, and become what a decoder makes of their codes.
// Thread t keeps the scale of block t, so that those of a tile are written together.
template <Scale kScale, class Element>
GPU_DEVICE void encode_step(BlockFormat<kScale, Element> format, const Target& a, size_t first,
                            unsigned i, float (&x)[8], uint32_t* own_scale) {
  using Format = BlockFormat<kScale, Element>;
  const Place place = place_of(Format::kShape, a.count, first);
  const BlockScale scale = Format::scale_of(largest_of_block(x), a.factor, a.mx_scale);
  constexpr unsigned kThreadsPerBlock = kBlock / kPerThread;
  constexpr unsigned kBlocksPerStep = kTeam / kThreadsPerBlock;
  const unsigned block = team_thread() % kBlocksPerStep;
  const uint32_t of_block = team_value_of(scale.bits, block * kThreadsPerBlock);
  if (team_thread() / kBlocksPerStep == i / kPerStep) *own_scale = of_block;
  if (i >= place.blocks * kBlock) return;

  Codes<Element::kBits> codes;
  if (scale.inverse != 0) {
    for (float& value : x) value *= scale.inverse;
    codes = round_eight<Element>(x, a, first + i);
  }
  codes.store(a.bytes + place.payload, place.blocks, i);
  for (unsigned j = 0; j < kPerThread; ++j) x[j] = number_of(format, codes.get(j), scale.bits);
}

template <Scale kScale, class Element>
GPU_DEVICE void finish_tile(BlockFormat<kScale, Element>, const Target& a, size_t first,
                            uint32_t own_scale) {
  const Place place = place_of(BlockFormat<kScale, Element>::kShape, a.count, first);
  if (team_thread() >= place.blocks) return;
  store_scale<kScale>(a.bytes + place.scales, team_thread(), own_scale);
}

// ---- casts --------------------------------------------------------------------------------------

template <class Small>
GPU_DEVICE void encode_step(CastFormat<Small> format, const Target& a, size_t first, unsigned i,
                            float (&x)[8], uint32_t*) {
  const Place place = place_of(CastFormat<Small>::kShape, a.count, first);
  if (i >= place.blocks * kBlock) return;
  for (float& value : x) value *= a.factor;
  const Codes<16> codes = round_eight<Cast<Small>>(x, a, first + i);
  codes.store(a.bytes + place.payload, place.blocks, i);
  for (unsigned j = 0; j < kPerThread; ++j) x[j] = number_of(format, codes.get(j), 0);
}
template <class Small>
GPU_DEVICE void finish_tile(CastFormat<Small>, const Target&, size_t, uint32_t) {}

template <class Format, class Take, class Give>
GPU_DEVICE void encode_tile(Format format, const Target& a, size_t first, const Take& take,
                            const Give& give) {
  uint32_t own_scale = 0;
  for_each_step(a.count, first, [&](unsigned i) {
    float x[8];
    take.eight(first + i, x);
    encode_step(format, a, first, i, x, &own_scale);
    give.eight(first + i, x);
  });
  finish_tile(format, a, first, own_scale);
}

// ---- sign ---------------------------------------------------------------------------------------
// The mean is summed in 16 lanes, so 16 threads have a tile and a team has two; `first` is the
// first of both.

template <class Take, class Give>
GPU_DEVICE void encode_tile(SignFormat format, const Target& a, size_t first_of_two,
                            const Take& take, const Give& give) {
  constexpr unsigned kLanes = SignFormat::kLanes;
  const unsigned lane = team_thread() % kLanes;
  const unsigned half = team_thread() - lane;
  const size_t first = first_of_two + (half != 0 ? kTile : 0);
  const uint32_t flip = bits_of(a.factor) >> 31;

  float sum = 0;
  uint64_t own = 0;       // bit k: of element k * 16 + lane
  uint64_t to_store = 0;  // of elements lane * 64 to lane * 64 + 63
  GPU_UNROLL(4) for (unsigned k = 0; k < kTile / kLanes; ++k) {
    const size_t i = first + k * kLanes + lane;
    const float value = i < take.end ? take.one(i) : 0.0f;
    sum += SignFormat::term_of(value);
    const bool negative = i < take.end && (bits_of(value) >> 31 ^ flip) != 0;
    const uint64_t sixteen = team_ballot(negative) >> half & 0xffffu;
    own |= uint64_t{negative} << k;
    if (k / 4 == lane) to_store |= sixteen << (k % 4 * 16);
  }
  sum += team_exchange<8>(sum);
  sum += team_exchange<4>(sum);
  sum += team_exchange<2>(sum);
  sum += team_exchange<1>(sum);
  if (first >= take.end) return;

  const size_t in_tile = smaller(kTile, a.count - first);
  const uint32_t scale = SignFormat::scale_of(sum, in_tile, a.factor);
  if (!SignFormat::has_signs(scale)) own = to_store = 0;
  const Place place = place_of(SignFormat::kShape, a.count, first);
  if (lane == 0) store_scale<Scale::kMean>(a.bytes + place.scales, 0, scale);
  uint8_t* to = a.bytes + place.payload + 8 * lane;
  if (2 * lane + 2 <= place.blocks) {
    store_word<8>(to, to_store);
  } else if (2 * lane < place.blocks) {
    store_word<4>(to, to_store);
  }
  for (unsigned k = 0; k * kLanes + lane < in_tile; ++k) {
    give.one(first + k * kLanes + lane, number_of(format, own >> k & 1, scale));
  }
}

}  // namespace goss::quant::gpu
