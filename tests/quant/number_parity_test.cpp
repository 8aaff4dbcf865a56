// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Conversions and arithmetic on tiles: the same bits on every instruction set, for every 16-bit
// float and for pairs of numbers of all kinds.
#include <cstring>

#include "base/small_float.h"
#include "base/status.h"
#include "quant_cases.h"
#include "support/test_scale.h"

namespace goss::quant {
namespace {

using Words = std::vector<uint32_t>;
using Binary = void (*NumberKernels::*)(const void*, const void*, void*);
using Conversion = void (*NumberKernels::*)(const void*, void*);

constexpr Conversion kWiden[] = {&NumberKernels::widen_fp16, &NumberKernels::widen_bf16};
constexpr Conversion kNarrow[] = {&NumberKernels::narrow_fp16, &NumberKernels::narrow_bf16};
constexpr Binary kBinary[] = {&NumberKernels::add, &NumberKernels::min, &NumberKernels::max};

class NumberParity : public testing::TestWithParam<Isa> {
 protected:
  const NumberKernels& kernels_ = isa_number_kernels(GetParam());
  const NumberKernels& scalar_ = isa_number_kernels(scalar_isa());
};

TEST_P(NumberParity, EverySixteenBitFloatWidensAlike) {
  for (const Conversion widen : kWiden) {
    for (uint32_t first = 0; first < 65536; first += kTile) {
      std::vector<uint16_t> codes(kTile);
      for (size_t i = 0; i < kTile; ++i) codes[i] = static_cast<uint16_t>(first + i);
      Words got(kTile), expected(kTile);
      (kernels_.*widen)(codes.data(), got.data());
      (scalar_.*widen)(codes.data(), expected.data());
      ASSERT_EQ(got, expected) << "from code " << first;
    }
  }
}

TEST_P(NumberParity, NumbersOfAllKindsNarrowAlike) {
  Random random(50);
  for (const Conversion narrow : kNarrow) {
    for (const Kind& kind : all_kinds()) {
      for (int tile = 0; tile < test_scale(20, 2); ++tile) {
        const Numbers numbers = numbers_of(kind, kTile, random);
        std::vector<uint16_t> got(kTile), expected(kTile);
        (kernels_.*narrow)(numbers.data(), got.data());
        (scalar_.*narrow)(numbers.data(), expected.data());
        ASSERT_EQ(got, expected) << kind.name;
      }
    }
  }
}

// The numbers of 16 bits and what lies at and beside the middle between them.
TEST_P(NumberParity, TiesNarrowAlike) {
  for (const bool is_bf16 : {false, true}) {
    const Conversion narrow = kNarrow[is_bf16 ? 1 : 0];
    for (uint32_t first = 0; first < 65536; first += kTile) {
      for (const uint32_t low : {0u, 1u, 0xfffu, 0x1000u, 0x1001u, 0x7fffu, 0x8000u, 0x8001u}) {
        Words numbers(kTile);
        for (uint32_t i = 0; i < kTile; ++i) {
          const auto code = static_cast<uint16_t>(first + i);
          const float value = is_bf16 ? Bfloat16::decode(code) : Float16::decode(code);
          numbers[i] = std::bit_cast<uint32_t>(value) | low;
        }
        std::vector<uint16_t> got(kTile), expected(kTile);
        (kernels_.*narrow)(numbers.data(), got.data());
        (scalar_.*narrow)(numbers.data(), expected.data());
        ASSERT_EQ(got, expected) << "from code " << first << ", low bits " << low;
      }
    }
  }
}

TEST_P(NumberParity, ArithmeticIsAlikeForPairsOfAllKinds) {
  Random random(51);
  for (const Binary binary : kBinary) {
    for (const Kind& left : all_kinds()) {
      for (const Kind& right : all_kinds()) {
        SCOPED_TRACE(format("%s, %s", left.name, right.name));
        const Numbers a = numbers_of(left, kTile, random), b = numbers_of(right, kTile, random);
        Words got(kTile), expected(kTile);
        (kernels_.*binary)(a.data(), b.data(), got.data());
        (scalar_.*binary)(a.data(), b.data(), expected.data());
        ASSERT_EQ(got, expected);
      }
    }
  }
}

TEST_P(NumberParity, MultiplyingIsAlike) {
  Random random(52);
  for (const float factor : {1.0f, -1.0f / 3, 0.0f, 1e30f, 0x1p-140f, from_bits(0x7f800000u)}) {
    for (const Kind& kind : all_kinds()) {
      const Numbers a = numbers_of(kind, kTile, random);
      Words got(kTile), expected(kTile);
      (kernels_.multiply)(a.data(), factor, got.data());
      (scalar_.multiply)(a.data(), factor, expected.data());
      ASSERT_EQ(got, expected) << kind.name << " times " << factor;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, NumberParity, testing::ValuesIn(vector_isas()),
                         [](const auto& test) { return std::string(test.param.name); });

}  // namespace
}  // namespace goss::quant
