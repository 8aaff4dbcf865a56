// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Every kernel of every instruction set gives the bits of the scalar specification, for numbers of
// all kinds and bytes of all kinds, at any address, and writes nothing else. The machine decides
// which sets are tested. GOSS_TEST_SCALE=10000 compares 10^9 numbers instead of 10^7.
#include <cmath>
#include <cstring>

#include "base/small_float.h"
#include "base/status.h"
#include "quant_cases.h"
#include "support/test_scale.h"

namespace goss::quant {
namespace {

using Bytes = std::vector<uint8_t>;
constexpr uint8_t kUntouched = 0xa5;
constexpr size_t kGuard = 128;
constexpr Dither kDither = {0xfedcba9876543210u, 0x500000003u, 3};

// Memory at `offset` from a cache line, surrounded by bytes that must stay.
class Buffer {
 public:
  Buffer(size_t bytes, size_t offset) : bytes_(bytes), memory_(bytes + 3 * kGuard, kUntouched) {
    const auto address = reinterpret_cast<uintptr_t>(memory_.data());
    begin_ = memory_.data() + (kGuard - address % kGuard) + offset;
  }
  Buffer(const void* from, size_t bytes, size_t offset) : Buffer(bytes, offset) {
    if (bytes > 0) std::memcpy(begin_, from, bytes);  // from may be null when there is nothing
  }
  uint8_t* data() { return begin_; }
  Bytes content() const { return {begin_, begin_ + bytes_}; }
  bool surroundings_untouched() const {
    for (const uint8_t* p = memory_.data(); p != memory_.data() + memory_.size(); ++p) {
      if ((p < begin_ || p >= begin_ + bytes_) && *p != kUntouched) return false;
    }
    return true;
  }

 private:
  size_t bytes_;
  Bytes memory_;
  uint8_t* begin_;
};

struct How {
  Rounding rounding = Rounding::kNearest;
  MxScale mx_scale = MxScale::kUp;
  float factor = 1;
  uint64_t first_element = 0;
  size_t count = kTile;
  size_t offset = 0;  // of all buffers, made uneven
};

void PrintTo(const How& how, std::ostream* out) {
  *out << (how.rounding == Rounding::kNearest ? "nearest" : "stochastic")
       << (how.mx_scale == MxScale::kUp ? ",up" : ",floor") << ",factor=" << how.factor
       << ",first=" << how.first_element << ",count=" << how.count << ",offset=" << how.offset;
}

// "" or where two results differ first.
std::string difference(const Bytes& got, const Bytes& expected) {
  for (size_t i = 0; i < got.size(); ++i) {
    if (got[i] != expected[i]) {
      return format("byte %zu: %02x instead of %02x", i, got[i], expected[i]);
    }
  }
  return "";
}

class KernelParity : public testing::TestWithParam<Codec> {
 protected:
  struct Encoded {
    Bytes scales, payload;
    bool surroundings_untouched;
  };

  size_t scale_bytes() const { return shape_.scale_bytes(kBlocksPerTile); }
  size_t payload_bytes() const { return shape_.payload_bytes(kBlocksPerTile); }

  Encoded encode(const Isa& isa, const float* tile, const How& how) const {
    Buffer values(tile, sizeof(float) * kTile, how.offset);
    Buffer scales(scale_bytes(), how.offset / 2), payload(payload_bytes(), how.offset * 3 % 64);
    const TileKernels& kernels = isa_kernels(isa, GetParam());
    const TileEncode a{.values = values.data(),
                       .count = how.count,
                       .scales = scales.data(),
                       .payload = payload.data(),
                       .factor = how.factor,
                       .mx_scale = how.mx_scale,
                       .dither = kDither,
                       .first_element = how.first_element};
    (how.rounding == Rounding::kNearest ? kernels.encode_nearest : kernels.encode_stochastic)(a);
    return {scales.content(), payload.content(),
            scales.surroundings_untouched() && payload.surroundings_untouched()};
  }

  Bytes decode(const Isa& isa, const Encoded& bytes, const float* base, size_t offset) const {
    Buffer scales(bytes.scales.data(), scale_bytes(), offset);
    Buffer payload(bytes.payload.data(), payload_bytes(), offset * 5 % 64);
    Buffer out(sizeof(float) * kTile, offset);
    const TileKernels& kernels = isa_kernels(isa, GetParam());
    if (base == nullptr) {
      kernels.decode({scales.data(), payload.data()}, out.data());
    } else if (offset % 2 == 0) {
      Buffer from(base, sizeof(float) * kTile, offset / 2);
      kernels.decode_add({scales.data(), payload.data()}, from.data(), out.data());
    } else {  // in place
      std::memcpy(out.data(), base, sizeof(float) * kTile);
      kernels.decode_add({scales.data(), payload.data()}, out.data(), out.data());
    }
    EXPECT_TRUE(out.surroundings_untouched());
    return out.content();
  }

  // All instruction sets against the specification; false after a difference.
  bool check_decoding(const Encoded& bytes, const float* base, size_t offset) const {
    const Bytes expected = decode(scalar_isa(), bytes, nullptr, 0);
    const Bytes expected_sum = decode(scalar_isa(), bytes, base, 0);
    for (const Isa& isa : vector_isas()) {
      const std::string plain = difference(decode(isa, bytes, nullptr, offset), expected);
      const std::string sum = difference(decode(isa, bytes, base, offset), expected_sum);
      EXPECT_EQ(plain, "") << isa.name << ", decode";
      EXPECT_EQ(sum, "") << isa.name << ", decode_add";
      if (!plain.empty() || !sum.empty()) return false;
    }
    return true;
  }

  bool check_encoding(const float* tile, const How& how, Encoded* result = nullptr) const {
    const Encoded expected = encode(scalar_isa(), tile,
                                    {.rounding = how.rounding,
                                     .mx_scale = how.mx_scale,
                                     .factor = how.factor,
                                     .first_element = how.first_element,
                                     .count = how.count});
    if (result != nullptr) *result = expected;
    for (const Isa& isa : vector_isas()) {
      const Encoded got = encode(isa, tile, how);
      const std::string scales = difference(got.scales, expected.scales);
      const std::string payload = difference(got.payload, expected.payload);
      EXPECT_EQ(scales, "") << isa.name << ", scales, " << testing::PrintToString(how);
      EXPECT_EQ(payload, "") << isa.name << ", payload, " << testing::PrintToString(how);
      EXPECT_TRUE(got.surroundings_untouched) << isa.name;
      if (!scales.empty() || !payload.empty()) return false;
    }
    return true;
  }

  // Encoding in all ways, and decoding of what comes out.
  bool check_tile(const float* tile, const How& how, Random& random) const {
    const Numbers base = numbers_of(all_kinds()[random() % all_kinds().size()], kTile, random);
    for (const Rounding rounding : {Rounding::kNearest, Rounding::kStochastic}) {
      for (const MxScale mx_scale : {MxScale::kUp, MxScale::kFloor}) {
        How each = how;
        each.rounding = rounding;
        each.mx_scale = mx_scale;
        Encoded bytes;
        if (!check_encoding(tile, each, &bytes)) return false;
        if (!check_decoding(bytes, base.data(), how.offset)) return false;
        if (shape_.scale != Scale::kE8m0) break;
      }
    }
    return true;
  }

  const Shape shape_ = codec_info(GetParam()).shape;
};

TEST_P(KernelParity, NumbersOfAllKindsGiveTheBitsOfTheSpecification) {
  Random random(30);
  const size_t tiles = static_cast<size_t>(test_scale(5, 1));
  for (const Kind& kind : all_kinds()) {
    SCOPED_TRACE(kind.name);
    const Numbers numbers = numbers_of(kind, tiles * kTile, random);
    for (size_t tile = 0; tile < tiles; ++tile) {
      const How how{.first_element = random() % (uint64_t{1} << 40) / 8 * 8};
      if (!check_tile(numbers.data() + tile * kTile, how, random)) return;
    }
  }
}

TEST_P(KernelParity, FactorsGiveTheBitsOfTheSpecification) {
  Random random(31);
  const float factors[] = {-1,
                           1.0f / 3,
                           -1.0f / 3,
                           0.125f,
                           0x1.1p-3f,
                           0,
                           -0.0f,
                           1e30f,
                           -1e-30f,
                           0x1p127f,
                           0x1p-126f,
                           0x1p-140f,
                           from_bits(kInfinityBits),
                           from_bits(0x7fc00000u)};
  for (const Kind& kind : all_kinds()) {
    for (const float factor : factors) {
      SCOPED_TRACE(format("%s, %a", kind.name, factor));
      const Numbers numbers = numbers_of(kind, kTile, random);
      if (!check_tile(numbers.data(), {.factor = factor}, random)) return;
    }
  }
}

// Quotients at, and a unit in the last place above and below, the largest code.
TEST_P(KernelParity, LargestCodesGiveTheBitsOfTheSpecification) {
  Random random(32);
  for (int round = 0; round < test_scale(60, 6); ++round) {
    Numbers numbers(kTile);
    for (size_t i = 0; i < kTile; ++i) {
      const uint32_t step = static_cast<uint32_t>(random()) & 0x007f0000u;
      const float limit = static_cast<float>((1 << (1 + i / kBlock % 7)) - 1);
      const float exact = from_bits(0x3f800000u | step) * limit;
      const uint32_t bits =
          std::bit_cast<uint32_t>(exact) + static_cast<uint32_t>(random() % 5) - 2;
      numbers[i] = from_bits(bits | static_cast<uint32_t>(random() & 0x80000000u));
    }
    if (!check_tile(numbers.data(), {}, random)) return;
  }
}

TEST_P(KernelParity, AnyAddressWillDo) {
  Random random(33);
  const Numbers numbers = numbers_of(all_kinds().front(), kTile, random);
  for (size_t offset = 0; offset < 64; ++offset) {
    if (!check_tile(numbers.data(), {.first_element = 8 * offset, .offset = offset}, random))
      return;
  }
}

TEST_P(KernelParity, PartsOfATileGiveTheBitsOfTheSpecification) {
  Random random(34);
  for (const size_t count : {1, 2, 31, 32, 33, 63, 64, 65, 500, 1000, 1023}) {
    Numbers numbers = numbers_of(all_kinds().front(), count, random);
    numbers.resize(kTile);
    if (!check_tile(numbers.data(), {.count = count}, random)) return;
  }
}

// The counter of the random numbers has two words; a tile may lie across their boundary.
TEST_P(KernelParity, DithersOfFarElementsAreThoseOfTheSpecification) {
  Random random(35);
  const Numbers numbers = numbers_of(all_kinds().front(), kTile, random);
  for (const uint64_t first : {(uint64_t{1} << 35) - 512, (uint64_t{1} << 35) - 8,
                               (uint64_t{1} << 35), (uint64_t{1} << 63) - 512}) {
    if (!check_tile(numbers.data(), {.first_element = first}, random)) return;
  }
}

// Every 16-bit float, neighbours together and mixed up.
TEST_P(KernelParity, EverySixteenBitInputGivesTheBitsOfTheSpecification) {
  Random random(36);
  std::vector<uint16_t> codes(65536);
  for (size_t i = 0; i < codes.size(); ++i) codes[i] = static_cast<uint16_t>(i);
  for (const bool mixed : {false, true}) {
    if (mixed) std::shuffle(codes.begin(), codes.end(), random);
    for (const bool is_bf16 : {true, false}) {
      Numbers numbers(codes.size());
      for (size_t i = 0; i < codes.size(); ++i) {
        numbers[i] = is_bf16 ? Bfloat16::decode(codes[i]) : Float16::decode(codes[i]);
      }
      for (size_t first = 0; first < numbers.size(); first += kTile) {
        if (!check_tile(numbers.data() + first, {.first_element = first}, random)) return;
      }
    }
  }
}

// Blocks whose largest magnitude is every number of 16 bits, exactly and a little more.
TEST_P(KernelParity, EveryLargestMagnitudeGivesTheBitsOfTheSpecification) {
  Random random(37);
  const uint32_t stride = test_scale(100, 10) >= 100 ? 1 : 7;
  Numbers numbers;
  for (uint32_t high = 0; high < 0x8000u; high += stride) {
    for (const uint32_t low : {0u, 1u, static_cast<uint32_t>(random()) & 0xffffu}) {
      const float largest = from_bits(high << 16 | low);
      for (size_t i = 0; i < kBlock; ++i) {
        numbers.push_back(i == 5 ? -largest : std::ldexp(largest, -static_cast<int>(i % 6)));
      }
      if (numbers.size() < kTile) continue;
      if (!check_tile(numbers.data(), {}, random)) return;
      numbers.clear();
    }
  }
}

// Bytes that no encoder wrote: every scale, every code.
TEST_P(KernelParity, AnyBytesDecodeToTheBitsOfTheSpecification) {
  Random random(38);
  const int scales = shape_.scale == Scale::kE8m0 ? 256 : test_scale(65536, 2048);
  for (int scale = 0; scale < scales; scale += static_cast<int>(kBlocksPerTile)) {
    Encoded bytes{Bytes(scale_bytes()), Bytes(payload_bytes()), true};
    for (uint8_t& byte : bytes.payload) byte = static_cast<uint8_t>(random());
    for (size_t i = 0; i < bytes.scales.size(); ++i) {
      const int word = scale + static_cast<int>(shape_.scale == Scale::kE8m0 ? i : i / 2);
      bytes.scales[i] =
          static_cast<uint8_t>(shape_.scale == Scale::kE8m0 || i % 2 == 0 ? word : word >> 8);
    }
    const Numbers base = numbers_of(all_kinds()[random() % all_kinds().size()], kTile, random);
    if (!check_decoding(bytes, base.data(), 0)) return;
  }
}

TEST_P(KernelParity, EveryCodeDecodesToTheBitsOfTheSpecification) {
  Random random(39);
  const Numbers base = numbers_of(all_kinds().front(), kTile, random);
  for (int first = 0; first < 65536; first += 512) {
    Encoded bytes{Bytes(scale_bytes()), Bytes(payload_bytes()), true};
    for (size_t i = 0; i < bytes.scales.size(); ++i) {  // about 1 of either kind
      bytes.scales[i] = shape_.scale == Scale::kE8m0 || i % 2 == 1 ? 0x3f : 0x80;
    }
    for (size_t i = 0; i < bytes.payload.size(); ++i) {
      const size_t word = static_cast<size_t>(first) + i / 2;
      bytes.payload[i] = static_cast<uint8_t>(i % 2 == 0 ? word : word >> 8);
    }
    if (!check_decoding(bytes, base.data(), 0)) return;
  }
}

// The long run: 10^7 numbers over all codecs, 10^9 at 10,000 percent.
TEST_P(KernelParity, TenMillionNumbersGiveTheBitsOfTheSpecification) {
  Random random(40);
  const std::vector<Kind> kinds = all_kinds();
  const int tiles = test_scale(10'000'000 / static_cast<int>(kNumCodecs * kTile) + 1, 20);
  for (int tile = 0; tile < tiles; ++tile) {
    const Kind& kind = kinds[static_cast<size_t>(tile) % kinds.size()];
    const Numbers numbers = numbers_of(kind, kTile, random);
    const How how{.rounding = tile % 2 == 0 ? Rounding::kNearest : Rounding::kStochastic,
                  .mx_scale = tile % 3 == 0 ? MxScale::kFloor : MxScale::kUp,
                  .factor = tile % 5 == 0 ? 1.0f / 3 : 1.0f,
                  .first_element = static_cast<uint64_t>(tile) * kTile};
    Encoded bytes;
    if (!check_encoding(numbers.data(), how, &bytes)) return;
    if (!check_decoding(bytes, numbers.data(), 0)) return;
  }
}

INSTANTIATE_TEST_SUITE_P(All, KernelParity, testing::ValuesIn(all_codecs()), codec_name);

}  // namespace
}  // namespace goss::quant
