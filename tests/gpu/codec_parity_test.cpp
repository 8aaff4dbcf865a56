// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// The kernels of src/quant/gpu give the bits of the scalar specification: every codec, type and
// rounding, numbers of all kinds, ends of buffers, odd addresses. The same program runs them in the
// emulator, in every build, and on a device where there is one.
#include <gmock/gmock.h>

#include "base/small_float.h"
#include "base/status.h"
#include "device_memory.h"
#include "quant/gpu/operations.h"
#include "quant/quant_cases.h"
#include "support/test_scale.h"

namespace goss::quant {
namespace {

using gpu_tests::Bytes;
using gpu_tests::DeviceMemory;
constexpr DataType kTypes[] = {gossFloat32, gossFloat16, gossBfloat16};
constexpr Dither kDither = {0xfedcba9876543210u, 0x500000003u, 3};

Bytes as_type(const Numbers& numbers, DataType type) {
  Bytes bytes(numbers.size() * type_size(type));
  for (size_t i = 0; i < numbers.size(); ++i) {
    const uint16_t code =
        type == gossFloat16 ? Float16::encode(numbers[i]) : Bfloat16::encode(numbers[i]);
    const void* from = type == gossFloat32 ? static_cast<const void*>(&numbers[i]) : &code;
    std::memcpy(bytes.data() + i * type_size(type), from, type_size(type));
  }
  return bytes;
}

// "" or where two results differ first.
std::string difference(const Bytes& got, const Bytes& expected) {
  for (size_t i = 0; i < expected.size(); ++i) {
    if (got[i] != expected[i]) {
      return format("byte %zu of %zu: %02x instead of %02x", i, expected.size(), got[i],
                    expected[i]);
    }
  }
  return "";
}

class GpuCodecs : public testing::TestWithParam<Codec> {
 protected:
  void SetUp() override {
    const std::string why_not = gpu_tests::why_no_device();
    if (!why_not.empty()) GTEST_SKIP() << why_not;
  }

  Bytes specified(const EncodeOptions& how, const Bytes& from, DataType type,
                  uint64_t first_element) const {
    const size_t count = from.size() / type_size(type);
    Bytes bytes(encoded_bytes(how.codec, count));
    quant::encode(scalar_isa(), {.how = how,
                                 .src = from.data(),
                                 .type = type,
                                 .count = count,
                                 .dst = bytes.data(),
                                 .first_element = first_element});
    return bytes;
  }

  // Encodes, and checks the bytes; returns them.
  Bytes check_encode(const EncodeOptions& how, const Bytes& from, DataType type, size_t offset,
                     const gpu::Launch& launch = {}) const {
    const size_t count = from.size() / type_size(type);
    const uint64_t first_element = 8 * offset + (count % 2 == 0 ? 0 : uint64_t{1} << 35) - 8;
    const Bytes expected = specified(how, from, type, first_element);
    const DeviceMemory src(from, offset * type_size(type)), dst(expected.size(), offset * 3);
    const Status status = gpu::encode({.how = how,
                                       .src = src.data(),
                                       .type = type,
                                       .count = count,
                                       .dst = dst.data(),
                                       .first_element = first_element},
                                      launch);
    EXPECT_TRUE(status.ok()) << status.message();
    EXPECT_EQ(difference(dst.content(), expected), "") << "encode";
    return expected;
  }

  void check_decode(Codec codec, const Bytes& wire, const Bytes& base, DataType type,
                    size_t offset) const {
    const size_t count = base.size() / type_size(type);
    const DeviceMemory src(wire, offset * 3), dst(base, offset * type_size(type));
    for (const bool add : {true, false}) {
      Bytes expected = base;
      const Decode on_host = {codec, wire.data(), expected.data(), type, count};
      const Decode on_device = {codec, src.data(), dst.data(), type, count};
      add ? quant::decode_add(scalar_isa(), on_host) : quant::decode(scalar_isa(), on_host);
      const Status status = add ? gpu::decode_add(on_device, {}) : gpu::decode(on_device, {});
      EXPECT_TRUE(status.ok()) << status.message();
      EXPECT_EQ(difference(dst.content(), expected), "") << (add ? "decode_add" : "decode");
    }
  }

  void check_all(const Numbers& numbers, DataType type, size_t offset, Random& random,
                 float factor = 1) const {
    const Bytes from = as_type(numbers, type);
    const Bytes base = as_type(
        numbers_of(all_kinds()[random() % all_kinds().size()], numbers.size(), random), type);
    for (const Rounding rounding : {Rounding::kNearest, Rounding::kStochastic}) {
      for (const MxScale mx_scale : {MxScale::kUp, MxScale::kFloor}) {
        SCOPED_TRACE(format("%zu of %s at %zu, rounding %d, scale %d, factor %g", numbers.size(),
                            type_name(type), offset, static_cast<int>(rounding),
                            static_cast<int>(mx_scale), factor));
        const Bytes wire = check_encode({.codec = GetParam(),
                                         .rounding = rounding,
                                         .mx_scale = mx_scale,
                                         .dither = kDither,
                                         .factor = factor},
                                        from, type, offset);
        check_decode(GetParam(), wire, base, type, offset);
        if (HasFailure()) return;
        if (codec_info(GetParam()).shape.scale != Scale::kE8m0) break;
      }
    }
  }
};

TEST_P(GpuCodecs, AnyCountTypeAndAddressGivesTheBitsOfTheSpecification) {
  Random random(70);
  const size_t unit = partition_unit(GetParam());
  for (const size_t count : {size_t{0}, size_t{1}, size_t{7}, size_t{8}, size_t{31}, size_t{32},
                             size_t{33}, size_t{255}, size_t{256}, size_t{1000}, size_t{1024},
                             size_t{1025}, 9 * kTile + 600, unit, unit + 1, unit + 77}) {
    const Numbers numbers = numbers_of(all_kinds().back(), count, random);
    for (const DataType type : kTypes) {
      check_all(numbers, type, 0, random);
      check_all(numbers, type, 1 + random() % 20, random, count % 2 == 0 ? 1.0f / 3 : -0.5f);
      if (HasFailure()) return;
    }
  }
}

TEST_P(GpuCodecs, NumbersOfAllKindsGiveTheBitsOfTheSpecification) {
  Random random(71);
  for (const Kind& kind : all_kinds()) {
    SCOPED_TRACE(kind.name);
    const auto tiles = static_cast<size_t>(test_scale(4, 1));
    const Numbers numbers = numbers_of(kind, tiles * kTile, random);
    for (const float factor : {1.0f, -1.0f / 3, 0x1p127f, 0x1p-140f, 0.0f, from_bits(kInfinityBits),
                               from_bits(0x7fc00000u)}) {
      check_all(numbers, gossFloat32, 0, random, factor);
      if (HasFailure()) return;
    }
    check_all(numbers, gossFloat16, 0, random);
    check_all(numbers, gossBfloat16, 0, random);
  }
}

TEST_P(GpuCodecs, EverySixteenBitNumberGivesTheBitsOfTheSpecification) {
  std::vector<uint16_t> codes(65536);
  for (size_t i = 0; i < codes.size(); ++i) codes[i] = static_cast<uint16_t>(i * 25173);
  Bytes from(2 * codes.size());
  std::memcpy(from.data(), codes.data(), from.size());
  for (const DataType type : {gossFloat16, gossBfloat16}) {
    const Bytes wire = check_encode({.codec = GetParam()}, from, type, 0);
    check_decode(GetParam(), wire, from, type, 0);
  }
}

// Bytes that no encoder wrote: every scale, every code.
TEST_P(GpuCodecs, AnyBytesDecodeToTheBitsOfTheSpecification) {
  Random random(72);
  const size_t count = static_cast<size_t>(test_scale(64, 8)) * kTile + 100;
  Bytes wire(encoded_bytes(GetParam(), count));
  for (uint8_t& byte : wire) byte = static_cast<uint8_t>(random());
  const Numbers base = numbers_of(all_kinds().back(), count, random);
  for (const DataType type : kTypes) check_decode(GetParam(), wire, as_type(base, type), type, 0);
}

TEST_P(GpuCodecs, TheNumberOfBlocksMakesNoDifference) {
  Random random(73);
  const size_t count = 40 * kTile + 700;
  const Bytes from = as_type(numbers_of(all_kinds().back(), count, random), gossFloat32);
  for (const unsigned most : {1u, 2u, 3u}) {
    check_encode({.codec = GetParam()}, from, gossFloat32, 0, {.max_blocks = most});
  }
}

INSTANTIATE_TEST_SUITE_P(All, GpuCodecs, testing::ValuesIn(all_codecs()), codec_name);

template <class Operation>
Operation of_type(DataType type, Figures* figures = nullptr) {
  Operation operation{};
  operation.type = type;
  operation.count = 1;
  if constexpr (requires { operation.figures; }) operation.figures = figures;
  return operation;
}

TEST(GpuOperations, RefuseTypesThatTheyDoNotHave) {
  const Status status = gpu::encode(of_type<Encode>(gossFloat64), {});
  EXPECT_EQ(status.code(), gossInvalidArgument);
  EXPECT_THAT(status.message(), testing::HasSubstr("not double"));
  EXPECT_EQ(gpu::decode(of_type<Decode>(gossInt32), {}).code(), gossInvalidArgument);
  EXPECT_EQ(gpu::decode_add(of_type<Decode>(gossInt8), {}).code(), gossInvalidArgument);
  EXPECT_EQ(gpu::hop(of_type<Hop>(gossUint8), {}).code(), gossInvalidArgument);
}

TEST(GpuOperations, RefuseNumbersAtOddAddresses) {
  Encode half = of_type<Encode>(gossFloat16);
  half.src = reinterpret_cast<const void*>(0x1003);
  const Status status = gpu::encode(half, {});
  EXPECT_EQ(status.code(), gossInvalidArgument);
  EXPECT_THAT(status.message(), testing::HasSubstr("multiples of 2 bytes"));
  Hop hop = of_type<Hop>(gossFloat32);
  hop.decoded = reinterpret_cast<void*>(0x1002);
  EXPECT_EQ(gpu::hop(hop, {}).code(), gossInvalidArgument);
}

TEST(GpuOperations, RefuseFigures) {
  Figures figures;
  EXPECT_EQ(gpu::encode(of_type<Encode>(gossFloat32, &figures), {}).code(), gossInvalidArgument);
  EXPECT_EQ(gpu::hop(of_type<Hop>(gossFloat32, &figures), {}).code(), gossInvalidArgument);
}

}  // namespace
}  // namespace goss::quant
