// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Vector kernels of compressed mixing, block by block; compressed_scalar.cpp says what they
// compute.
#include "base/simd_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "mixing/compressed_kernels.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "mixing/block-inl.h"
#include "mixing/kernels.h"

HWY_BEFORE_NAMESPACE();
namespace goss::mixing::HWY_NAMESPACE {
#if !GOSS_SIMD_IS_SCALAR

HWY_INLINE Floats limited(Floats scaled) {
  const Floats low = hn::Set(TagF32(), -kGridLimit);
  const Floats high = hn::Set(TagF32(), kGridLimit);
  scaled = hn::IfThenElse(hn::Ge(scaled, low), scaled, low);
  return hn::IfThenElse(hn::Le(scaled, high), scaled, high);
}

// Everything is below 2^24 in magnitude, so the conversions are exact.
HWY_INLINE Ints grid_number(Floats scaled) {
  return hn::ConvertTo(TagI32(), hn::Round(limited(scaled)));
}

// x + weight * difference for a whole block.
template <class Lanes>
HWY_INLINE void correct_block(void* dst, const Block& block, const Numbers& x,
                              const Numbers& difference, float weight) {
  const Floats w = hn::Set(TagF32(), weight);
  Numbers result;
  for (size_t i = 0; i < kBlock; i += kLanes) {
    result.set(i, hn::Add(x.get(i), hn::Mul(w, difference.get(i))));
  }
  store_block<Lanes>(result, block, dst);
}

// ---- modulo ------------------------------------------------------------------------------------

HWY_INLINE int32_t choose_exponent(const Numbers& x, float bound, int bits) {
  Floats largest = hn::Zero(TagF32());
  auto bad = hn::FirstN(TagF32(), 0);
  for (size_t i = 0; i < kBlock; i += kLanes) {
    const Floats value = x.get(i);
    bad = hn::Or(bad, not_finite(value));
    largest = larger(largest, hn::Abs(value));
  }
  if (!hn::AllFalse(TagF32(), bad)) return kNoExponent;
  return modulo_exponent(bound, largest_of(largest), bits);
}

template <class Lanes>
HWY_INLINE void modulo_encode_block(const ModuloEncode& a, const Block& block) {
  Numbers x;
  load_block<Lanes>(a.x, block, &x);
  const int32_t exponent = choose_exponent(x, a.bounds[block.index], a.bits);
  a.exponents[block.index] = exponent;
  uint8_t* out = a.message + block.at;
  if (exponent == kNoExponent) {
    write_header(out, {0, static_cast<uint32_t>(exponent)});
    std::memset(out + kBlockHeaderBytes, 0, block.plane_bytes() * static_cast<size_t>(a.bits));
    return;
  }
  const Floats inverse_step = hn::Set(TagF32(), power_of_two(-exponent));
  const Ints mask = hn::Set(TagI32(), (1 << a.bits) - 1);
  ByteLevels levels;
  Words check = hn::Zero(TagU32());
  for (size_t i = 0; i < kBlock; i += kLanes) {
    const Ints number = grid_number(hn::Mul(x.get(i), inverse_step));
    store_levels(hn::And(number, mask), i, &levels);
    check = checked(check, hn::BitCast(TagU32(), hn::ShiftRightSame(number, a.bits)), i);
  }
  write_header(out, {sum_of(check), static_cast<uint32_t>(exponent)});
  pack(levels, block, a.bits, out + kBlockHeaderBytes);
}

template <class Lanes>
void modulo_encode(const ModuloEncode& a) {
  for (size_t b = 0; b < blocks_of(a.count); ++b) {
    modulo_encode_block<Lanes>(a, block_at(b, a.count, a.bits));
  }
}

// What the partner's numbers and the own ones differ by, on their grids; the checksum on the way.
HWY_INLINE uint32_t modulo_differences(const Numbers& x, const ByteLevels& levels, int bits,
                                       int32_t exponent, int32_t own_exponent, Numbers* difference,
                                       float* largest) {
  const auto set = [](float value) { return hn::Set(TagF32(), value); };
  const Floats inverse_step = set(power_of_two(-exponent));
  const Floats step = set(power_of_two(exponent));
  const Floats own_inverse_step = set(power_of_two(-own_exponent));
  const Floats own_step = set(power_of_two(own_exponent));
  const Floats range = set(power_of_two(bits));
  const Floats inverse_range = set(power_of_two(-bits));
  Floats largest_lanes = hn::Zero(TagF32());
  Words check = hn::Zero(TagU32());
  for (size_t i = 0; i < kBlock; i += kLanes) {
    const Floats level = hn::ConvertTo(TagF32(), load_levels(levels, i));
    const Floats scaled = limited(hn::Mul(x.get(i), inverse_step));
    const Floats high = hn::Round(hn::Mul(hn::Sub(scaled, level), inverse_range));
    check = checked(check, hn::BitCast(TagU32(), hn::ConvertTo(TagI32(), high)), i);
    const Floats theirs = hn::Mul(hn::Add(hn::Mul(high, range), level), step);
    largest_lanes = larger(largest_lanes, hn::Abs(hn::Sub(theirs, x.get(i))));
    const Ints number = grid_number(hn::Mul(x.get(i), own_inverse_step));
    difference->set(i, hn::Sub(theirs, hn::Mul(hn::ConvertTo(TagF32(), number), own_step)));
  }
  *largest = largest_of(largest_lanes);
  return sum_of(check);
}

template <class Lanes>
HWY_INLINE Verdict modulo_mix_block(const ModuloMix& a, const Block& block, float* largest) {
  const uint8_t* in = a.message + block.at;
  const BlockHeader header = read_header(in);
  const int32_t own_exponent = a.exponents[block.index];
  if (own_exponent == kNoExponent || header.scale == static_cast<uint32_t>(kNoExponent)) {
    return Verdict::kNotFinite;
  }
  if (!valid_exponent(header.scale)) return Verdict::kMismatch;
  Numbers x, difference;
  ByteLevels levels;
  load_block<Lanes>(a.x, block, &x);
  unpack(in + kBlockHeaderBytes, block, a.bits, &levels);
  const uint32_t check = modulo_differences(x, levels, a.bits, static_cast<int32_t>(header.scale),
                                            own_exponent, &difference, largest);
  if (check != header.check) return Verdict::kMismatch;
  correct_block<Lanes>(a.dst, block, x, difference, a.weight);
  return Verdict::kMixed;
}

// ---- per-edge difference ------------------------------------------------------------------------

// Moves the replica by the levels; the checksum over what it becomes.
HWY_INLINE Words move_replica(Numbers* replica, size_t i, Ints level, Floats scale, Words check) {
  const Floats moved = hn::Add(replica->get(i), hn::Mul(hn::ConvertTo(TagF32(), level), scale));
  replica->set(i, moved);
  return checked(check, hn::BitCast(TagU32(), moved), i);
}

template <class Lanes>
HWY_INLINE void edge_encode_block(const EdgeEncode& a, const Block& block) {
  Numbers x, replica, change;
  load_block<Lanes>(a.x, block, &x);
  load_block<Float32Lanes>(a.replica, block, &replica);
  Floats largest_lanes = hn::Zero(TagF32());
  auto bad = hn::FirstN(TagF32(), 0);
  for (size_t i = 0; i < kBlock; i += kLanes) {
    const Floats d = hn::Sub(x.get(i), replica.get(i));
    change.set(i, d);
    bad = hn::Or(bad, not_finite(d));
    largest_lanes = larger(largest_lanes, hn::Abs(d));
  }
  uint8_t* out = a.message + block.at;
  if (!hn::AllFalse(TagF32(), bad)) {
    write_header(out, {0, kCanonicalNan32});
    std::memset(out + kBlockHeaderBytes, 0, block.plane_bytes() * static_cast<size_t>(a.bits));
    return;
  }
  const float largest = largest_of(largest_lanes);
  const auto limit = static_cast<float>((1 << (a.bits - 1)) - 1);
  const bool worth_it = largest >= kLeastChange;
  const float scale = worth_it ? largest / limit : 0.0f;
  const Floats inverse = hn::Set(TagF32(), worth_it ? limit / largest : 0.0f);
  const Ints mask = hn::Set(TagI32(), (1 << a.bits) - 1);
  ByteLevels levels;
  Words check = hn::Zero(TagU32());
  for (size_t i = 0; i < kBlock; i += kLanes) {
    const Ints level = hn::ConvertTo(TagI32(), hn::Round(hn::Mul(change.get(i), inverse)));
    store_levels(hn::And(level, mask), i, &levels);
    check = move_replica(&replica, i, level, hn::Set(TagF32(), scale), check);
  }
  store_block<Float32Lanes>(replica, block, a.replica);
  write_header(out, {sum_of(check), bits_of(scale)});
  pack(levels, block, a.bits, out + kBlockHeaderBytes);
}

template <class Lanes>
void edge_encode(const EdgeEncode& a) {
  for (size_t b = 0; b < blocks_of(a.count); ++b) {
    edge_encode_block<Lanes>(a, block_at(b, a.count, a.bits));
  }
}

template <class Lanes>
HWY_INLINE Verdict edge_mix_block(const EdgeMix& a, const Block& block, float* largest) {
  const uint8_t* in = a.message + block.at;
  const BlockHeader header = read_header(in);
  if ((header.scale & kMagnitude32) >= kInfinity32) return Verdict::kNotFinite;
  Numbers x, own, replica, difference;
  ByteLevels levels;
  load_block<Lanes>(a.x, block, &x);
  load_block<Float32Lanes>(a.own_replica, block, &own);
  load_block<Float32Lanes>(a.peer_replica, block, &replica);
  unpack(in + kBlockHeaderBytes, block, a.bits, &levels);
  const Floats scale = hn::Set(TagF32(), float_of(header.scale));
  const Ints sign = hn::Set(TagI32(), 1 << (a.bits - 1));
  Words check = hn::Zero(TagU32());
  Floats largest_lanes = hn::Zero(TagF32());
  auto bad = hn::FirstN(TagF32(), 0);
  for (size_t i = 0; i < kBlock; i += kLanes) {
    const Ints level = hn::Sub(hn::Xor(load_levels(levels, i), sign), sign);
    check = move_replica(&replica, i, level, scale, check);
    const Floats d = hn::Sub(replica.get(i), own.get(i));
    difference.set(i, d);
    largest_lanes = larger(largest_lanes, hn::Abs(d));
    bad = hn::Or(bad, not_finite(x.get(i)));
  }
  if (!hn::AllFalse(TagF32(), bad)) return Verdict::kNotFinite;
  if (sum_of(check) != header.check) return Verdict::kMismatch;
  store_block<Float32Lanes>(replica, block, a.peer_replica);
  *largest = largest_of(largest_lanes);
  correct_block<Lanes>(a.dst, block, x, difference, a.weight);
  return Verdict::kMixed;
}

// ---- all blocks of a mix ------------------------------------------------------------------------

template <class Lanes, class Arguments,
          Verdict (*kBlockMix)(const Arguments&, const Block&, float*)>
size_t mix_blocks(const Arguments& a) {
  size_t refused = 0;
  for (size_t b = 0; b < blocks_of(a.count); ++b) {
    const Block block = block_at(b, a.count, a.bits);
    float largest = 0;
    const Verdict verdict = kBlockMix(a, block, &largest);
    if (verdict != Verdict::kMixed) {
      copy_block<Lanes>(a.dst, a.x, block);
      largest = 0;
      ++refused;
    }
    a.verdicts[b] = verdict;
    if (a.observed != nullptr) a.observed[b] = largest;
  }
  return refused;
}

template <class Lanes>
bool fill_in(Kernels* kernels) {
  kernels->modulo_encode = modulo_encode<Lanes>;
  kernels->modulo_mix = mix_blocks<Lanes, ModuloMix, modulo_mix_block<Lanes>>;
  kernels->edge_encode = edge_encode<Lanes>;
  kernels->edge_mix = mix_blocks<Lanes, EdgeMix, edge_mix_block<Lanes>>;
  return true;
}

bool vector_compressed(DataType type, Kernels* kernels) {
  if (type == gossFloat32) return fill_in<Float32Lanes>(kernels);
  if (type == gossFloat16) return fill_in<Float16Lanes>(kernels);
  if (type == gossBfloat16) return fill_in<Bfloat16Lanes>(kernels);
  return true;
}

#endif  // !GOSS_SIMD_IS_SCALAR
}  // namespace goss::mixing::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace goss::mixing {

bool vector_compressed(int64_t target, DataType type, Kernels* kernels) {
  GOSS_SIMD_DISPATCH(target, vector_compressed(type, kernels));
  return false;
}

}  // namespace goss::mixing
#endif
