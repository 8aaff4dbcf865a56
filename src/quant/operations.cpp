// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Operations walk over tiles and call the kernels; they have the only code that knows about ends of
// buffers and types. A tile that is not whole goes through copies on the stack, padded with zeros.
#include "quant/operations.h"

#include <algorithm>
#include <cstring>

#include "quant/fp_mode.h"
#include "quant/layout.h"

namespace goss::quant {

namespace {

// Where the kernels of an operation come from.
struct Machine {
  const NumberKernels& numbers;
  const TileKernels& (*codec)(const Isa*, Codec);
  const Isa* isa;

  const TileKernels& of(Codec wanted) const { return codec(isa, wanted); }
};
Machine best_machine() {
  return {number_kernels(),
          [](const Isa*, Codec codec) -> const TileKernels& { return kernels(codec); }, nullptr};
}
Machine machine_of(const Isa& isa) {
  return {
      isa_number_kernels(isa),
      [](const Isa* one, Codec codec) -> const TileKernels& { return isa_kernels(*one, codec); },
      &isa};
}

struct alignas(kCacheLine) TileNumbers {
  float at[kTile];
};
struct alignas(kCacheLine) TileCopy {
  uint8_t scales[2 * kBlocksPerTile];
  uint8_t payload[2 * kTile];
};

// One tile of a buffer of `count` elements.
struct Range {
  size_t first;
  size_t count;
  bool more;  // a whole tile follows
  bool whole() const { return count == kTile; }
};

template <class Visit>
void for_each_tile(size_t count, const Visit& visit) {
  for (size_t first = 0; first < count; first += kTile) {
    visit(Range{first, std::min(kTile, count - first), first + 2 * kTile <= count});
  }
}

// ---- bytes --------------------------------------------------------------------------------------

// Copies the planes of `blocks` blocks between a whole tile's places and those of a shorter one.
void copy_planes(const Shape& shape, size_t blocks, const uint8_t* from, size_t from_blocks,
                 uint8_t* to, size_t to_blocks) {
  for (const size_t bytes : shape.plane_bytes()) {
    std::memcpy(to, from, bytes * blocks);
    from += bytes * from_blocks;
    to += bytes * to_blocks;
  }
}

// The bytes of a tile as kernels want them: in place, or a whole tile copied together.
TileBytes whole_tile(const Shape& shape, const uint8_t* bytes, size_t count, const Range& range,
                     TileCopy* copy) {
  const Place place = place_of(shape, count, range.first);
  if (range.whole()) return {bytes + place.scales, bytes + place.payload};
  std::memset(copy, 0, sizeof *copy);
  std::memcpy(copy->scales, bytes + place.scales, shape.scale_bytes(place.blocks));
  copy_planes(shape, place.blocks, bytes + place.payload, place.blocks, copy->payload,
              kBlocksPerTile);
  return {copy->scales, copy->payload};
}

// ---- numbers ------------------------------------------------------------------------------------

const uint8_t* element_at(const void* base, DataType type, size_t index) {
  return static_cast<const uint8_t*>(base) + index * type_size(type);
}
uint8_t* element_at(void* base, DataType type, size_t index) {
  return static_cast<uint8_t*>(base) + index * type_size(type);
}

void widen_double(const uint8_t* from, size_t count, float* to) {
  for (size_t i = 0; i < count; ++i) {
    double value;
    std::memcpy(&value, from + 8 * i, 8);
    to[i] = static_cast<float>(value);
  }
}

void narrow_double(const float* from, size_t count, uint8_t* to) {
  for (size_t i = 0; i < count; ++i) {
    const double value = from[i];
    std::memcpy(to + 8 * i, &value, 8);
  }
}

// The numbers of a tile, and how far behind them those of the next tile lie.
struct Numbers {
  const void* at;
  size_t ahead_bytes = 0;
};

void prefetch(const uint8_t* from, size_t bytes) {
  for (size_t byte = 0; byte < bytes; byte += kCacheLine) __builtin_prefetch(from + byte);
}

// As fp32, zeros behind the last: in place where they are, or in `tile`.
Numbers load_tile(const Machine& m, const void* src, DataType type, const Range& range,
                  TileNumbers* tile) {
  const uint8_t* from = element_at(src, type, range.first);
  if (type == gossFloat32 && range.whole()) return {from, range.more ? sizeof *tile : 0};
  if (range.more) prefetch(from + kTile * type_size(type), kTile * type_size(type));
  alignas(kCacheLine) uint8_t padded[2 * kTile];
  if (!range.whole()) {
    std::memset(tile, 0, sizeof *tile);
    if (type == gossFloat32) std::memcpy(tile->at, from, 4 * range.count);
    if (type == gossFloat16 || type == gossBfloat16) {
      std::memset(padded, 0, sizeof padded);
      std::memcpy(padded, from, 2 * range.count);
      from = padded;
    }
  }
  if (type == gossFloat16) m.numbers.widen_fp16(from, tile->at);
  if (type == gossBfloat16) m.numbers.widen_bf16(from, tile->at);
  if (type == gossFloat64) widen_double(from, range.count, tile->at);
  return {tile->at};
}

void store_tile(const Machine& m, const TileNumbers& tile, void* dst, DataType type,
                const Range& range) {
  uint8_t* to = element_at(dst, type, range.first);
  if (type == gossFloat32) std::memcpy(to, tile.at, 4 * range.count);
  if (type == gossFloat64) narrow_double(tile.at, range.count, to);
  if (type != gossFloat16 && type != gossBfloat16) return;
  alignas(kCacheLine) uint8_t padded[2 * kTile];
  uint8_t* out = range.whole() ? to : padded;
  if (type == gossFloat16) m.numbers.narrow_fp16(tile.at, out);
  if (type == gossBfloat16) m.numbers.narrow_bf16(tile.at, out);
  if (out == padded) std::memcpy(to, padded, 2 * range.count);
}

// ---- encoding of one tile -----------------------------------------------------------------------

// Returns the bytes, a whole tile of them, so that they can be decoded again.
TileBytes encode_tile(const Machine& m, const EncodeOptions& how, const Numbers& numbers,
                      size_t count, const Range& range, uint64_t first_element, uint8_t* dst,
                      TileCopy* copy) {
  const Shape& shape = codec_info(how.codec).shape;
  const Place place = place_of(shape, count, range.first);
  TileEncode a{.values = numbers.at,
               .count = range.count,
               .scales = dst + place.scales,
               .payload = dst + place.payload,
               .factor = how.factor,
               .mx_scale = how.mx_scale,
               .dither = how.dither,
               .first_element = first_element + range.first,
               .ahead_bytes = numbers.ahead_bytes};
  if (!range.whole()) {
    a.scales = copy->scales;
    a.payload = copy->payload;
  }
  const TileKernels& codec = m.of(how.codec);
  (how.rounding == Rounding::kNearest ? codec.encode_nearest : codec.encode_stochastic)(a);
  if (!range.whole()) {
    std::memcpy(dst + place.scales, copy->scales, shape.scale_bytes(place.blocks));
    copy_planes(shape, place.blocks, copy->payload, kBlocksPerTile, dst + place.payload,
                place.blocks);
  }
  return {a.scales, a.payload};
}

void encode_with(const Machine& m, const Encode& a) {
  const DefaultFpMode mode;
  TileNumbers tile;
  TileCopy copy;
  for_each_tile(a.count, [&](const Range& range) {
    const Numbers numbers = load_tile(m, a.src, a.type, range, &tile);
    const TileBytes bytes =
        encode_tile(m, a.how, numbers, a.count, range, a.first_element, a.dst, &copy);
    if (a.figures == nullptr) return;
    TileError error;
    error.add(a.how.codec, a.how.rounding, a.how.mx_scale, bytes, range.count);
    error.add_to(a.figures);
  });
}

// ---- decoding -----------------------------------------------------------------------------------

void decode_with(const Machine& m, const Decode& a, bool add) {
  const DefaultFpMode mode;
  const Shape& shape = codec_info(a.codec).shape;
  const TileKernels& codec = m.of(a.codec);
  TileNumbers tile;
  TileCopy copy;
  for_each_tile(a.count, [&](const Range& range) {
    TileBytes bytes = whole_tile(shape, a.src, a.count, range, &copy);
    const bool direct = a.type == gossFloat32 && range.whole();
    void* out = direct ? static_cast<void*>(element_at(a.dst, a.type, range.first)) : tile.at;
    if (add) {
      const Numbers base = load_tile(m, a.dst, a.type, range, &tile);
      bytes.ahead_bytes = base.ahead_bytes;
      codec.decode_add(bytes, base.at, out);
    } else {
      if (direct && range.more) bytes.ahead_bytes = sizeof tile;
      codec.decode(bytes, out);
    }
    if (!direct) store_tile(m, tile, a.dst, a.type, range);
  });
}

// ---- the fused hop ------------------------------------------------------------------------------

class Hopper {
 public:
  Hopper(const Machine& m, const Hop& a) : m_(m), a_(a) {}

  void run(const Range& range) {
    error_ = {};
    const Numbers sum = combine(range);
    // Peers' padding may be anything, and in sign it always is something.
    std::memset(sum_.at + range.count, 0, sizeof(float) * (kTile - range.count));
    scale_errors();
    if (a_.encoded == nullptr) {
      m_.numbers.multiply(sum.at, a_.how.factor, sum_.at);
      store_tile(m_, sum_, a_.decoded, a_.type, range);
    } else {
      encode_result(sum, range);
    }
    if (a_.figures != nullptr) error_.add_to(a_.figures);
  }

 private:
  Numbers own(const Range& range) {
    const Numbers numbers = load_tile(m_, a_.own, a_.type, range, &own_);
    if (a_.own_factor == 1) return numbers;
    m_.numbers.multiply(numbers.at, a_.own_factor, own_.at);
    return {own_.at};
  }

  TileBytes peer(size_t index, const Range& range) {
    const TileBytes bytes =
        whole_tile(codec_info(a_.peer_codec).shape, a_.peers[index], a_.count, range, &copy_);
    if (a_.figures != nullptr) {
      TileError one;
      one.add(a_.peer_codec, a_.peer_rounding, a_.peer_mx_scale, bytes, range.count);
      include(one);
    }
    return bytes;
  }

  // The contributions are scaled like the result.
  void scale_errors() {
    if (a_.figures == nullptr || a_.how.factor == 1) return;
    const double factor = std::abs(static_cast<double>(a_.how.factor));
    for (float& bound : error_.bounds) bound *= static_cast<float>(factor);
    error_.noise *= factor * factor;
  }

  void include(const TileError& one) {
    if (a_.combine != Combine::kSum) return error_.take_larger(one);
    for (size_t i = 0; i < kBlocksPerTile; ++i) error_.bounds[i] += one.bounds[i];
    error_.noise += one.noise;
  }

  // All contributions in rank order; returns where the result is.
  Numbers combine(const Range& range) {
    const TileKernels& codec = m_.of(a_.peer_codec);
    Numbers sum = {nullptr};
    for (size_t r = 0; r < a_.nranks; ++r) {
      if (r == a_.rank) {
        const Numbers numbers = own(range);
        if (sum.at == nullptr) {
          sum = numbers;
          continue;
        }
        combine_two(sum.at, numbers.at);
      } else if (sum.at == nullptr && r + 1 == a_.rank && a_.combine == Combine::kSum) {
        // The own numbers are next. Which of two is added to which makes no difference.
        add_decoded(codec, peer(r, range), own(range));
        ++r;
      } else if (sum.at == nullptr) {
        codec.decode(peer(r, range), sum_.at);
      } else if (a_.combine == Combine::kSum) {
        add_decoded(codec, peer(r, range), sum);
      } else {
        codec.decode(peer(r, range), peer_.at);
        combine_two(sum.at, peer_.at);
      }
      sum = {sum_.at};
    }
    return sum;
  }

  void add_decoded(const TileKernels& codec, TileBytes bytes, const Numbers& base) {
    bytes.ahead_bytes = base.ahead_bytes;
    codec.decode_add(bytes, base.at, sum_.at);
  }

  void combine_two(const void* left, const void* right) {
    switch (a_.combine) {
      case Combine::kSum: return m_.numbers.add(left, right, sum_.at);
      case Combine::kMin: return m_.numbers.min(left, right, sum_.at);
      case Combine::kMax: return m_.numbers.max(left, right, sum_.at);
    }
  }

  void encode_result(const Numbers& sum, const Range& range) {
    const TileBytes bytes =
        encode_tile(m_, a_.how, {sum.at}, a_.count, range, a_.first_element, a_.encoded, &copy_);
    if (a_.figures != nullptr) {
      error_.add(a_.how.codec, a_.how.rounding, a_.how.mx_scale, bytes, range.count);
    }
    if (a_.decoded == nullptr) return;
    const TileKernels& codec = m_.of(a_.how.codec);
    if (a_.type == gossFloat32 && range.whole()) {
      codec.decode(bytes, element_at(a_.decoded, a_.type, range.first));
    } else {
      codec.decode(bytes, sum_.at);
      store_tile(m_, sum_, a_.decoded, a_.type, range);
    }
  }

  const Machine& m_;
  const Hop& a_;
  TileNumbers sum_, own_, peer_;
  TileCopy copy_;
  TileError error_;
};

void hop_with(const Machine& m, const Hop& a) {
  const DefaultFpMode mode;
  Hopper hopper(m, a);
  for_each_tile(a.count, [&](const Range& range) { hopper.run(range); });
}

}  // namespace

void add_error(const EncodeOptions& how, const uint8_t* bytes, size_t count, Figures* figures) {
  const DefaultFpMode mode;
  const Shape& shape = codec_info(how.codec).shape;
  TileCopy copy;
  for_each_tile(count, [&](const Range& range) {
    TileError error;
    error.add(how.codec, how.rounding, how.mx_scale, whole_tile(shape, bytes, count, range, &copy),
              range.count);
    error.add_to(figures);
  });
}

void widen(const void* src, DataType type, size_t count, float* dst) {
  const DefaultFpMode mode;
  const Machine m = best_machine();
  TileNumbers tile;
  for_each_tile(count, [&](const Range& range) {
    const Numbers numbers = load_tile(m, src, type, range, &tile);
    std::memcpy(dst + range.first, numbers.at, sizeof(float) * range.count);
  });
}

void narrow(const float* src, DataType type, size_t count, void* dst) {
  const DefaultFpMode mode;
  const Machine m = best_machine();
  TileNumbers tile;
  for_each_tile(count, [&](const Range& range) {
    std::memcpy(tile.at, src + range.first, sizeof(float) * range.count);
    store_tile(m, tile, dst, type, range);
  });
}

void encode(const Encode& a) { encode_with(best_machine(), a); }
void decode(const Decode& a) { decode_with(best_machine(), a, false); }
void decode_add(const Decode& a) { decode_with(best_machine(), a, true); }
void hop(const Hop& a) { hop_with(best_machine(), a); }

void encode(const Isa& isa, const Encode& a) { encode_with(machine_of(isa), a); }
void decode(const Isa& isa, const Decode& a) { decode_with(machine_of(isa), a, false); }
void decode_add(const Isa& isa, const Decode& a) { decode_with(machine_of(isa), a, true); }
void hop(const Isa& isa, const Hop& a) { hop_with(machine_of(isa), a); }

}  // namespace goss::quant
