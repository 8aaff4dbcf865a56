// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Operations on buffers of every type, count and address, on every instruction set: the same bytes
// as the specification, whole or in pieces, and hops that are what decoding, adding in rank order
// and encoding one after the other gives.
#include <cstring>

#include "base/small_float.h"
#include "base/status.h"
#include "quant/operations.h"
#include "quant_cases.h"
#include "support/test_scale.h"

namespace goss::quant {
namespace {

using Bytes = std::vector<uint8_t>;
constexpr DataType kTypes[] = {gossFloat32, gossFloat16, gossBfloat16, gossFloat64};

// Numbers of a type, from fp32.
Bytes as_type(const Numbers& numbers, DataType type) {
  Bytes bytes(numbers.size() * type_size(type));
  for (size_t i = 0; i < numbers.size(); ++i) {
    const uint16_t code =
        type == gossFloat16 ? Float16::encode(numbers[i]) : Bfloat16::encode(numbers[i]);
    const double wide = numbers[i];
    const void* from = type == gossFloat32   ? static_cast<const void*>(&numbers[i])
                       : type == gossFloat64 ? static_cast<const void*>(&wide)
                                             : &code;
    std::memcpy(bytes.data() + i * type_size(type), from, type_size(type));
  }
  return bytes;
}
float number_at(const Bytes& bytes, DataType type, size_t i) {
  const uint8_t* from = bytes.data() + i * type_size(type);
  uint16_t code = 0;
  float single = 0;
  double wide = 0;
  if (type == gossFloat32) return std::memcpy(&single, from, 4), single;
  if (type == gossFloat64) return std::memcpy(&wide, from, 8), static_cast<float>(wide);
  std::memcpy(&code, from, 2);
  return type == gossFloat16 ? Float16::decode(code) : Bfloat16::decode(code);
}
Numbers numbers_at(const Bytes& bytes, DataType type) {
  Numbers numbers(bytes.size() / type_size(type));
  for (size_t i = 0; i < numbers.size(); ++i) numbers[i] = number_at(bytes, type, i);
  return numbers;
}

// Bytes at an uneven address with guards around them.
class Uneven {
 public:
  explicit Uneven(size_t size_bytes)
      : size_bytes_(size_bytes), memory_(size_bytes + 2 * kGuard, kMark) {}
  explicit Uneven(const Bytes& content) : Uneven(content.size()) {
    for (size_t i = 0; i < size_bytes_; ++i) memory_[kGuard + i] = content[i];
  }
  uint8_t* data() { return memory_.data() + kGuard; }
  Bytes content() const {
    for (size_t i = 0; i < kGuard; ++i) {
      EXPECT_EQ(memory_[i], kMark);
      EXPECT_EQ(memory_[memory_.size() - 1 - i], kMark);
    }
    Bytes inner(size_bytes_);
    for (size_t i = 0; i < size_bytes_; ++i) inner[i] = memory_[kGuard + i];
    return inner;
  }

 private:
  static constexpr size_t kGuard = 37;
  static constexpr uint8_t kMark = 0xa5;
  size_t size_bytes_;
  Bytes memory_;
};

class Operations : public testing::TestWithParam<Codec> {
 protected:
  EncodeOptions options(Rounding rounding = Rounding::kNearest) const {
    return {.codec = GetParam(), .rounding = rounding, .dither = {11, 12, 13}, .factor = 0.5f};
  }
  Bytes encoded(const Isa& isa, const Bytes& from, DataType type, const EncodeOptions& how) const {
    const size_t count = from.size() / type_size(type);
    Uneven source(from), out(encoded_bytes(GetParam(), count));
    encode(isa, {.how = how,
                 .src = source.data(),
                 .type = type,
                 .count = count,
                 .dst = out.data(),
                 .first_element = 80});
    return out.content();
  }
  Bytes decoded(const Isa& isa, const Bytes& wire, DataType type, size_t count) const {
    Uneven source(wire), out(count * type_size(type));
    decode(isa, {GetParam(), source.data(), out.data(), type, count});
    return out.content();
  }
};

TEST_P(Operations, AnyCountTypeAndAddressGivesTheBytesOfTheSpecification) {
  Random random(60);
  const size_t unit = partition_unit(GetParam());
  for (const size_t count : {size_t{0}, size_t{1}, size_t{2}, size_t{31}, size_t{32}, size_t{33},
                             size_t{1000}, size_t{1023}, size_t{1024}, size_t{1025}, size_t{4099},
                             unit - 1, unit, unit + 1, 2 * unit + 77}) {
    const Numbers numbers = numbers_of(all_kinds().back(), count, random);
    for (const DataType type : kTypes) {
      SCOPED_TRACE(format("%zu of %s", count, type_name(type)));
      const Bytes from = as_type(numbers, type);
      const EncodeOptions how =
          options(count % 2 == 0 ? Rounding::kNearest : Rounding::kStochastic);
      const Bytes expected = encoded(scalar_isa(), from, type, how);
      const Bytes result = decoded(scalar_isa(), expected, type, count);
      for (const Isa& isa : vector_isas()) {
        ASSERT_EQ(encoded(isa, from, type, how), expected) << isa.name;
        ASSERT_EQ(decoded(isa, expected, type, count), result) << isa.name;
      }
      // A narrow type holds what its numbers as fp32 hold.
      ASSERT_EQ(
          encoded(scalar_isa(), as_type(numbers_at(from, type), gossFloat32), gossFloat32, how),
          expected);
    }
  }
}

TEST_P(Operations, PiecesGiveTheBytesOfTheWhole) {
  Random random(61);
  const size_t unit = partition_unit(GetParam()), count = 3 * unit + 500;
  const Numbers numbers = numbers_of(all_kinds().front(), count, random);
  const EncodeOptions how = options(Rounding::kStochastic);
  Bytes whole(encoded_bytes(GetParam(), count)), pieces;
  encode({.how = how,
          .src = numbers.data(),
          .type = gossFloat32,
          .count = count,
          .dst = whole.data()});
  for (size_t first = 0; first < count; first += unit) {
    const size_t part = std::min(unit, count - first);
    Bytes piece(encoded_bytes(GetParam(), part));
    encode({.how = how,
            .src = numbers.data() + first,
            .type = gossFloat32,
            .count = part,
            .dst = piece.data(),
            .first_element = first});
    pieces.insert(pieces.end(), piece.begin(), piece.end());
  }
  EXPECT_EQ(pieces, whole);
}

TEST_P(Operations, DecodeAddAddsWhatDecodeGives) {
  Random random(62);
  for (const DataType type : kTypes) {
    const Numbers numbers = numbers_of(all_kinds().front(), 2500, random);
    const Bytes wire = encoded(scalar_isa(), as_type(numbers, type), type, options());
    const Bytes base = as_type(numbers_of(all_kinds().front(), 2500, random), type);
    const Numbers plain = numbers_at(decoded(scalar_isa(), wire, gossFloat32, 2500), gossFloat32);
    Numbers sum = numbers_at(base, type);
    for (size_t i = 0; i < sum.size(); ++i) sum[i] += plain[i];
    for (const Isa& isa : available_isas()) {
      Uneven out(base);
      decode_add(isa, {GetParam(), wire.data(), out.data(), type, 2500});
      ASSERT_EQ(out.content(), as_type(sum, type)) << isa.name << ", " << type_name(type);
    }
  }
}

// ---- hops ---------------------------------------------------------------------------------------

struct HopCase {
  size_t nranks, rank;
  Combine combine;
  DataType type;
  bool in_place;
};

class Hops : public Operations {
 protected:
  static constexpr size_t kCount = 2500;

  // One step after the other, in fp32.
  Numbers combined(const HopCase& c, const std::vector<Bytes>& wires, const Bytes& own) const {
    Numbers total;
    for (size_t r = 0; r < c.nranks; ++r) {
      Numbers next = r == c.rank ? numbers_at(own, c.type)
                                 : numbers_at(decoded(scalar_isa(), wires[r], gossFloat32, kCount),
                                              gossFloat32);
      if (r == c.rank) {
        for (float& x : next) x *= 0.5f;
      }
      if (r == 0) {
        total = next;
        continue;
      }
      for (size_t i = 0; i < kCount; ++i) {
        const float a = total[i], b = next[i];
        total[i] = c.combine == Combine::kSum   ? a + b
                   : c.combine == Combine::kMin ? std::min(a, b)
                                                : std::max(a, b);
      }
    }
    return total;
  }

  void check(const Isa& isa, const HopCase& c) const {
    Random random(63);
    std::vector<Bytes> wires;
    std::vector<const uint8_t*> peers;
    for (size_t r = 0; r < c.nranks; ++r) {
      const Numbers numbers = numbers_of(all_kinds().front(), kCount, random);
      wires.push_back(encoded(scalar_isa(), as_type(numbers, c.type), c.type, options()));
    }
    for (const Bytes& wire : wires) peers.push_back(wire.data());
    peers[c.rank] = nullptr;
    const Bytes own = as_type(numbers_of(all_kinds().front(), kCount, random), c.type);
    const Numbers total = combined(c, wires, own);
    EncodeOptions how = options();
    how.factor = 1.0f / 3;
    const Bytes expected = encoded(scalar_isa(), as_type(total, gossFloat32), gossFloat32, how);
    const Bytes expected_numbers = decoded(scalar_isa(), expected, c.type, kCount);

    Uneven wire(expected.size()), numbers(own), other(own.size());
    uint8_t* result = c.in_place ? numbers.data() : other.data();
    hop(isa, {.peer_codec = GetParam(),
              .peers = peers.data(),
              .nranks = c.nranks,
              .rank = c.rank,
              .own = numbers.data(),
              .type = c.type,
              .own_factor = 0.5f,
              .count = kCount,
              .combine = c.combine,
              .how = how,
              .encoded = wire.data(),
              .decoded = result,
              .first_element = 80});
    EXPECT_EQ(wire.content(), expected);
    EXPECT_EQ(c.in_place ? numbers.content() : other.content(), expected_numbers);

    // Without encoding: the result itself, times the factor.
    Uneven plain(own.size());
    hop(isa, {.peer_codec = GetParam(),
              .peers = peers.data(),
              .nranks = c.nranks,
              .rank = c.rank,
              .own = own.data(),
              .type = c.type,
              .own_factor = 0.5f,
              .count = kCount,
              .combine = c.combine,
              .how = how,
              .decoded = plain.data()});
    Numbers scaled = total;
    for (float& x : scaled) x *= how.factor;
    EXPECT_EQ(plain.content(), as_type(scaled, c.type));
  }
};

TEST_P(Hops, GiveWhatDecodingAddingInRankOrderAndEncodingGive) {
  for (const Isa& isa : available_isas()) {
    for (const DataType type : kTypes) {
      for (const size_t nranks : {1, 2, 3, 5}) {
        for (size_t rank = 0; rank < nranks; ++rank) {
          for (const Combine combine : {Combine::kSum, Combine::kMin, Combine::kMax}) {
            SCOPED_TRACE(format("%s, %s, rank %zu of %zu, combine %d", isa.name, type_name(type),
                                rank, nranks, static_cast<int>(combine)));
            check(isa, {nranks, rank, combine, type, rank % 2 == 0});
            if (HasFailure()) return;
          }
        }
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, Operations, testing::ValuesIn(all_codecs()), codec_name);
INSTANTIATE_TEST_SUITE_P(All, Hops, testing::ValuesIn(all_codecs()), codec_name);

#if defined(__x86_64__)
// Subnormals flushed and rounding toward zero, as a caller may have set it.
TEST(FpMode, OfTheCallerChangesNothingAndStays) {
  Random random(64);
  const Numbers numbers =
      numbers_of({"subnormal and small",
                  [](Random& r, size_t i) {
                    return i % 2 == 0 ? from_bits(r() & 0x807fffffu) : 1e-36f * normal(r);
                  }},
                 5000, random);
  for (const Codec codec : all_codecs()) {
    Bytes expected(encoded_bytes(codec, numbers.size())), got(expected.size());
    Numbers decoded(numbers.size()), again(numbers.size());
    Encode a{.how = {.codec = codec, .factor = 1.0f / 3},
             .src = numbers.data(),
             .type = gossFloat32,
             .count = numbers.size(),
             .dst = expected.data()};
    encode(a);
    decode({codec, expected.data(), decoded.data(), gossFloat32, numbers.size()});
    const unsigned old = __builtin_ia32_stmxcsr();
    const unsigned strange = 0x1f80u | 0x8040u | 0x6000u;
    __builtin_ia32_ldmxcsr(strange);
    a.dst = got.data();
    encode(a);
    decode({codec, got.data(), again.data(), gossFloat32, numbers.size()});
    const unsigned after = __builtin_ia32_stmxcsr();
    __builtin_ia32_ldmxcsr(old);
    EXPECT_EQ(got, expected) << codec_info(codec).name;
    EXPECT_EQ(std::memcmp(again.data(), decoded.data(), 4 * again.size()), 0);
    EXPECT_EQ(after & 0xffc0u, strange & 0xffc0u);
  }
}
#endif

}  // namespace
}  // namespace goss::quant
