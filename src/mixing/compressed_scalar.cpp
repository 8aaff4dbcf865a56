// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Compressed mixing, one element at a time: the specification of modulo and per-edge difference
// quantization. Every vector kernel must give these bits.
#include "mixing/kernels.h"
#include "mixing/message.h"

namespace goss::mixing {

namespace {

using Levels = std::array<uint8_t, kBlock>;

void pack(const Levels& levels, const Block& block, int bits, uint8_t* planes) {
  std::memset(planes, 0, block.plane_bytes() * static_cast<size_t>(bits));
  for (int k = 0; k < bits; ++k) {
    for (size_t i = 0; i < block.count; ++i) {
      const auto bit = static_cast<uint8_t>((levels[i] >> k & 1) << (i % 8));
      planes[static_cast<size_t>(k) * block.plane_bytes() + i / 8] |= bit;
    }
  }
}

void unpack(const uint8_t* planes, const Block& block, int bits, Levels* levels) {
  for (size_t i = 0; i < block.count; ++i) {
    unsigned level = 0;
    for (int k = 0; k < bits; ++k) {
      const uint8_t byte = planes[static_cast<size_t>(k) * block.plane_bytes() + i / 8];
      level |= static_cast<unsigned>(byte >> (i % 8) & 1) << k;
    }
    (*levels)[i] = static_cast<uint8_t>(level);
  }
}

bool finite(float value) { return (bits_of(value) & kMagnitude32) < kInfinity32; }

// Rounded to the nearest even integer; NaN and what lies beyond the limit become the limit.
int32_t grid_number(float scaled) {
  float limited = scaled >= -kGridLimit ? scaled : -kGridLimit;
  limited = limited <= kGridLimit ? limited : kGridLimit;
  return static_cast<int32_t>(std::nearbyint(limited));
}

// ---- modulo ------------------------------------------------------------------------------------

template <class Format>
int32_t choose_exponent(const ModuloEncode& a, const Block& block) {
  float largest = 0;
  for (size_t i = 0; i < block.count; ++i) {
    const float x = load_element<Format>(a.x, block.first + i);
    if (!finite(x)) return kNoExponent;
    largest = std::max(largest, std::abs(x));
  }
  return modulo_exponent(a.bounds[block.index], largest, a.bits);
}

template <class Format>
void modulo_encode_block(const ModuloEncode& a, const Block& block) {
  uint8_t* out = a.message + block.at;
  const int32_t exponent = choose_exponent<Format>(a, block);
  a.exponents[block.index] = exponent;
  Levels levels{};
  uint32_t check = 0;
  if (exponent != kNoExponent) {
    const float inverse_step = power_of_two(-exponent);
    const int mask = (1 << a.bits) - 1;
    for (size_t i = 0; i < block.count; ++i) {
      const int32_t number = grid_number(load_element<Format>(a.x, block.first + i) * inverse_step);
      levels[i] = static_cast<uint8_t>(number & mask);
      check += static_cast<uint32_t>(number >> a.bits) * kCoefficients[i];
    }
  }
  write_header(out, {check, static_cast<uint32_t>(exponent)});
  pack(levels, block, a.bits, out + kBlockHeaderBytes);
}

template <class Format>
void modulo_encode(const ModuloEncode& a) {
  for (size_t b = 0; b < blocks_of(a.count); ++b) {
    modulo_encode_block<Format>(a, block_at(b, a.count, a.bits));
  }
}

template <class Format>
void copy_block(void* dst, const void* x, const Block& block) {
  constexpr size_t kSize = sizeof(typename Format::Bits);
  if (dst == x) return;
  std::memcpy(static_cast<char*>(dst) + block.first * kSize,
              static_cast<const char*>(x) + block.first * kSize, block.count * kSize);
}

// x + weight * difference for a whole block.
template <class Format>
void correct_block(void* dst, const void* x, const Block& block, const float* difference,
                   float weight) {
  for (size_t i = 0; i < block.count; ++i) {
    const float value = load_element<Format>(x, block.first + i);
    store_element<Format>(dst, block.first + i, value + weight * difference[i]);
  }
}

template <class Format>
Verdict modulo_mix_block(const ModuloMix& a, const Block& block, float* largest) {
  const uint8_t* in = a.message + block.at;
  const BlockHeader header = read_header(in);
  const int32_t own_exponent = a.exponents[block.index];
  if (own_exponent == kNoExponent || header.scale == static_cast<uint32_t>(kNoExponent)) {
    return Verdict::kNotFinite;
  }
  if (!valid_exponent(header.scale)) return Verdict::kMismatch;
  const auto exponent = static_cast<int32_t>(header.scale);
  Levels levels;
  unpack(in + kBlockHeaderBytes, block, a.bits, &levels);
  float difference[kBlock];
  uint32_t check = 0;
  for (size_t i = 0; i < block.count; ++i) {
    const float x = load_element<Format>(a.x, block.first + i);
    float scaled = x * power_of_two(-exponent);
    scaled = scaled >= -kGridLimit ? scaled : -kGridLimit;
    scaled = scaled <= kGridLimit ? scaled : kGridLimit;
    const float level = levels[i];
    const float high = std::nearbyint((scaled - level) * power_of_two(-a.bits));
    check += static_cast<uint32_t>(static_cast<int32_t>(high)) * kCoefficients[i];
    const float theirs = (high * power_of_two(a.bits) + level) * power_of_two(exponent);
    const auto mine = static_cast<float>(grid_number(x * power_of_two(-own_exponent)));
    difference[i] = theirs - mine * power_of_two(own_exponent);
    *largest = std::max(*largest, std::abs(theirs - x));
  }
  if (check != header.check) return Verdict::kMismatch;
  correct_block<Format>(a.dst, a.x, block, difference, a.weight);
  return Verdict::kMixed;
}

// ---- per-edge difference ------------------------------------------------------------------------

// Low bits of a two's complement number.
float signed_level(uint8_t level, int bits) {
  const int sign = 1 << (bits - 1);
  return static_cast<float>((level ^ sign) - sign);
}

template <class Format>
void edge_encode_block(const EdgeEncode& a, const Block& block) {
  uint8_t* out = a.message + block.at;
  float* replica = a.replica + block.first;
  float change[kBlock];
  float largest = 0;
  bool all_finite = true;
  for (size_t i = 0; i < block.count; ++i) {
    change[i] = load_element<Format>(a.x, block.first + i) - replica[i];
    all_finite = all_finite && finite(change[i]);
    largest = std::max(largest, std::abs(change[i]));
  }
  Levels levels{};
  uint32_t check = 0;
  float scale = float_of(kCanonicalNan32);
  if (all_finite) {
    const auto limit = static_cast<float>((1 << (a.bits - 1)) - 1);
    const bool worth_it = largest >= kLeastChange;
    scale = worth_it ? largest / limit : 0.0f;
    const float inverse = worth_it ? limit / largest : 0.0f;
    for (size_t i = 0; i < block.count; ++i) {
      // At most the limit: the roundings of the product are far below half a level. An integer,
      // because -0 would move a replica otherwise than the 0 that the partner reads.
      const auto level = static_cast<int>(std::nearbyint(change[i] * inverse));
      levels[i] = static_cast<uint8_t>(level & ((1 << a.bits) - 1));
      replica[i] = replica[i] + static_cast<float>(level) * scale;
      check += bits_of(replica[i]) * kCoefficients[i];
    }
  }
  write_header(out, {check, bits_of(scale)});
  pack(levels, block, a.bits, out + kBlockHeaderBytes);
}

template <class Format>
void edge_encode(const EdgeEncode& a) {
  for (size_t b = 0; b < blocks_of(a.count); ++b) {
    edge_encode_block<Format>(a, block_at(b, a.count, a.bits));
  }
}

template <class Format>
Verdict edge_mix_block(const EdgeMix& a, const Block& block, float* largest) {
  const uint8_t* in = a.message + block.at;
  const BlockHeader header = read_header(in);
  if (!finite(float_of(header.scale))) return Verdict::kNotFinite;
  Levels levels;
  unpack(in + kBlockHeaderBytes, block, a.bits, &levels);
  float updated[kBlock];
  float difference[kBlock];
  uint32_t check = 0;
  for (size_t i = 0; i < block.count; ++i) {
    const float replica = a.peer_replica[block.first + i];
    updated[i] = replica + signed_level(levels[i], a.bits) * float_of(header.scale);
    check += bits_of(updated[i]) * kCoefficients[i];
    difference[i] = updated[i] - a.own_replica[block.first + i];
    *largest = std::max(*largest, std::abs(difference[i]));
    if (!finite(load_element<Format>(a.x, block.first + i))) return Verdict::kNotFinite;
  }
  if (check != header.check) return Verdict::kMismatch;
  std::memcpy(a.peer_replica + block.first, updated, block.count * sizeof(float));
  correct_block<Format>(a.dst, a.x, block, difference, a.weight);
  return Verdict::kMixed;
}

// ---- all blocks of a mix ------------------------------------------------------------------------

template <class Format, class Arguments,
          Verdict (*kBlockMix)(const Arguments&, const Block&, float*)>
size_t mix_blocks(const Arguments& a) {
  size_t refused = 0;
  for (size_t b = 0; b < blocks_of(a.count); ++b) {
    const Block block = block_at(b, a.count, a.bits);
    float largest = 0;
    const Verdict verdict = kBlockMix(a, block, &largest);
    if (verdict != Verdict::kMixed) {
      copy_block<Format>(a.dst, a.x, block);
      largest = 0;
      ++refused;
    }
    a.verdicts[b] = verdict;
    if (a.observed != nullptr) a.observed[b] = largest;
  }
  return refused;
}

template <class Format>
Kernels kernels_of(MixFn mix) {
  return {mix, modulo_encode<Format>, mix_blocks<Format, ModuloMix, modulo_mix_block<Format>>,
          edge_encode<Format>, mix_blocks<Format, EdgeMix, edge_mix_block<Format>>};
}

template <class Format>
void values_of(const void* x, size_t count, int32_t exponent, float* values) {
  for (size_t i = 0; i < count; ++i) {
    const float value = load_element<Format>(x, i);
    values[i] = exponent == kNoExponent
                    ? value
                    : static_cast<float>(grid_number(value * power_of_two(-exponent))) *
                          power_of_two(exponent);
  }
}

template <class Format>
void repair(void* dst, const void* x, size_t count, int32_t exponent, const float* peer_values,
            float weight) {
  float difference[kBlock];
  values_of<Format>(x, count, exponent, difference);
  for (size_t i = 0; i < count; ++i) difference[i] = peer_values[i] - difference[i];
  correct_block<Format>(dst, x, {0, 0, count, 0}, difference, weight);
}

template <class Format>
void replicas_mix(const EdgeReplicasMix& a) {
  for (size_t b = 0; b < blocks_of(a.count); ++b) {
    const Block block = block_at(b, a.count, kMaxBits);
    float difference[kBlock];
    float largest = 0;
    for (size_t i = 0; i < block.count; ++i) {
      difference[i] = a.peer_replica[block.first + i] - a.own_replica[block.first + i];
      largest = std::max(largest, std::abs(difference[i]));
    }
    correct_block<Format>(a.dst, a.x, block, difference, a.weight);
    a.observed[b] = largest;
  }
}

}  // namespace

Kernels scalar_kernels(DataType type) {
  if (type == gossFloat32) return kernels_of<Float32>(scalar_mix(type));
  if (type == gossFloat16) return kernels_of<Float16>(scalar_mix(type));
  if (type == gossBfloat16) return kernels_of<Bfloat16>(scalar_mix(type));
  return {scalar_mix(type), nullptr, nullptr, nullptr, nullptr};
}

float next_bound(int bits, float bound, float observed, Verdict verdict) {
  // With few bits a wide margin would not let the grid become finer: quantization leaves
  // differences of up to a step, which are observed as up to one and a half.
  const float margin = bits == 3 ? 1.25f : bits == 4 ? 1.5f : 2.0f;
  switch (verdict) {
    case Verdict::kMixed: return std::max(margin * observed, bound / 2);
    case Verdict::kMismatch: return 2 * bound;
    case Verdict::kNotFinite: break;
  }
  return bound;
}

void modulo_values(DataType type, const void* x, size_t count, int32_t exponent, float* values) {
  if (type == gossFloat32) values_of<Float32>(x, count, exponent, values);
  if (type == gossFloat16) values_of<Float16>(x, count, exponent, values);
  if (type == gossBfloat16) values_of<Bfloat16>(x, count, exponent, values);
}

void edge_begin(DataType type, const void* x, size_t count, float* replica) {
  modulo_values(type, x, count, kNoExponent, replica);
}

void edge_replicas_mix(DataType type, const EdgeReplicasMix& arguments) {
  if (type == gossFloat32) replicas_mix<Float32>(arguments);
  if (type == gossFloat16) replicas_mix<Float16>(arguments);
  if (type == gossBfloat16) replicas_mix<Bfloat16>(arguments);
}

void modulo_repair(DataType type, void* dst, const void* x, size_t count, int32_t exponent,
                   const float* peer_values, float weight) {
  if (type == gossFloat32) repair<Float32>(dst, x, count, exponent, peer_values, weight);
  if (type == gossFloat16) repair<Float16>(dst, x, count, exponent, peer_values, weight);
  if (type == gossBfloat16) repair<Bfloat16>(dst, x, count, exponent, peer_values, weight);
}

}  // namespace goss::mixing
