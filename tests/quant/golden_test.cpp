// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Every codec on every instruction set gives the bytes of golden.txt, which make_golden.py made
// with an implementation of its own.
#include <gtest/gtest.h>

#include <cstring>
#include <fstream>
#include <sstream>

#include "quant/operations.h"

namespace goss::quant {
namespace {

using Bytes = std::vector<uint8_t>;
constexpr Dither kDither = {0x0123456789abcdefu, 0x1122334455u, 7};
constexpr uint64_t kFirst = 4096;

uint64_t fnv(const void* data, size_t size_bytes) {
  uint64_t value = 0xcbf29ce484222325u;
  for (size_t i = 0; i < size_bytes; ++i) {
    value = (value ^ static_cast<const uint8_t*>(data)[i]) * 0x100000001b3u;
  }
  return value;
}

std::string hex(const Bytes& bytes) {
  std::string text;
  for (const uint8_t byte : bytes) text += format("%02x", byte);
  return text;
}

std::vector<float> floats_of(const std::string& words) {
  std::vector<float> numbers;
  for (size_t i = 0; i < words.size(); i += 8) {
    const auto word = static_cast<uint32_t>(std::stoul(words.substr(i, 8), nullptr, 16));
    numbers.push_back(std::bit_cast<float>(word));
  }
  return numbers;
}

// As in make_golden.py.
std::vector<float> random_numbers(size_t count) {
  uint64_t state = 1;
  std::vector<float> numbers(count);
  for (float& number : numbers) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    const auto bits = static_cast<uint32_t>(state >> 32);
    number = std::bit_cast<float>((bits & 0x807fffffu) | (123 + (bits >> 23 & 7)) << 23);
  }
  return numbers;
}

struct Line {
  std::string kind;
  EncodeOptions how;
  size_t count = 0;
  std::string encoded;
  std::string decoded;
};

Line parse(std::istringstream& in, const std::string& kind) {
  std::string codec, rounding, mx_scale, factor;
  Line line{.kind = kind, .how = {}, .count = 0, .encoded = {}, .decoded = {}};
  in >> codec >> rounding >> mx_scale >> factor;
  if (kind == "large") in >> line.count;
  in >> line.encoded >> line.decoded;
  line.how = {.codec = codec_by_name(codec).value(),
              .rounding = rounding == "nearest" ? Rounding::kNearest : Rounding::kStochastic,
              .mx_scale = mx_scale == "up" ? MxScale::kUp : MxScale::kFloor,
              .dither = kDither,
              .factor = floats_of(factor)[0]};
  return line;
}

class Golden : public testing::TestWithParam<Isa> {
 protected:
  void SetUp() override {
    std::ifstream file(GOSS_GOLDEN);
    ASSERT_TRUE(file) << GOSS_GOLDEN;
    for (std::string text; std::getline(file, text);) {
      std::istringstream in(text);
      std::string kind, words;
      in >> kind;
      if (kind == "input" && in >> words) input_ = floats_of(words);
      if (kind == "small" || kind == "large") lines_.push_back(parse(in, kind));
    }
  }
  std::vector<float> input_;
  std::vector<Line> lines_;
};

TEST_P(Golden, VectorsComeOutByteForByte) {
  ASSERT_GT(lines_.size(), 2 * 2 * kNumCodecs);
  for (const Line& line : lines_) {
    SCOPED_TRACE(format("%s %s %d %d %a", line.kind.c_str(), codec_info(line.how.codec).name,
                        static_cast<int>(line.how.rounding), static_cast<int>(line.how.mx_scale),
                        line.how.factor));
    const std::vector<float> numbers = line.kind == "small" ? input_ : random_numbers(line.count);
    Bytes bytes(encoded_bytes(line.how.codec, numbers.size()));
    encode(GetParam(), {.how = line.how,
                        .src = numbers.data(),
                        .type = gossFloat32,
                        .count = numbers.size(),
                        .dst = bytes.data(),
                        .first_element = kFirst});
    const std::string got =
        line.kind == "small" ? hex(bytes) : format("%016lx", fnv(bytes.data(), bytes.size()));
    EXPECT_EQ(got, line.encoded);
    std::vector<float> decoded(numbers.size());
    decode(GetParam(), {line.how.codec, bytes.data(), decoded.data(), gossFloat32, decoded.size()});
    EXPECT_EQ(format("%016lx", fnv(decoded.data(), 4 * decoded.size())), line.decoded);
  }
}

INSTANTIATE_TEST_SUITE_P(All, Golden, testing::ValuesIn(available_isas()),
                         [](const auto& test) { return std::string(test.param.name); });

}  // namespace
}  // namespace goss::quant
