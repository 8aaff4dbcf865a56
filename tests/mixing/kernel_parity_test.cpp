// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Every vector kernel gives the bits of the specification: all types, bits, numbers of sources,
// short counts and tails, any alignment, in place, special values, damaged messages. Bytes around
// what is written stay as they were. The machine decides which instruction sets are tested. T12.
#include "mixing/message.h"
#include "mixing_cases.h"
#include "support/test_scale.h"

namespace goss::mixing {
namespace {

constexpr size_t kGuard = 64;
constexpr uint8_t kUntouched = 0xa5;
constexpr size_t kCounts[] = {0,  1,  2,   7,   8,   9,   15,  16,  17,   31,   33,   63,
                              64, 65, 127, 129, 255, 256, 257, 511, 1023, 1024, 1025, 2100};

// Memory that begins `offset` bytes off a cache line, between guards.
class Guarded {
 public:
  Guarded(size_t bytes, size_t offset)
      : bytes_(bytes), memory_(bytes + 3 * kGuard + offset, kUntouched) {
    const auto address = reinterpret_cast<uintptr_t>(memory_.data());
    begin_ = kGuard + (kGuard - address % kGuard) % kGuard + offset;
  }
  Guarded(const Bytes& content, size_t offset) : Guarded(content.size(), offset) {
    std::copy(content.begin(), content.end(), data());
  }
  uint8_t* data() { return memory_.data() + begin_; }
  Bytes content() { return {data(), data() + bytes_}; }
  void expect_untouched_around() {
    for (size_t i = 0; i < begin_; ++i) ASSERT_EQ(memory_[i], kUntouched);
    for (size_t i = begin_ + bytes_; i < memory_.size(); ++i) ASSERT_EQ(memory_[i], kUntouched);
  }

 private:
  size_t bytes_;
  size_t begin_;
  Bytes memory_;
};

// ---- means --------------------------------------------------------------------------------------

struct Mean {
  std::vector<double> factors;
  double divisor;
};
const Mean kMeans[] = {{{1, 1}, 2},      {{1}, 0.375},          {{0.5}, 1},
                       {{1, -1}, 1},     {{1, 1, 1}, 3},        {{4, 2}, 6},
                       {{0.7, 0.3}, 1},  {{1, 1, 1, 1, 1}, 5},  {{1, 1}, 4096},
                       {{1, 1}, 1e-300}, {{1e300, 1, 0.25}, -2}};

class MixParity : public testing::TestWithParam<Case> {
 protected:
  struct Run {
    Bytes dst, dst2;
    Difference difference;
  };

  Run run(MixFn mix, const std::vector<Bytes>& sources, const Mean& mean, size_t offset,
          int in_place, bool measure) {
    std::vector<Guarded> memory;
    std::vector<const void*> pointers;
    memory.reserve(sources.size());
    for (const Bytes& source : sources) {
      memory.emplace_back(source, offset * (memory.size() + 1) % 61);
      pointers.push_back(memory.back().data());
    }
    Guarded dst(sources[0].size(), (offset * 7) % 64), dst2(sources[0].size(), offset);
    Guarded& to = in_place >= 0 ? memory[static_cast<size_t>(in_place)] : dst;
    Guarded& second = in_place >= 0 && sources.size() > 1
                          ? memory[static_cast<size_t>(in_place + 1) % sources.size()]
                          : dst2;
    Run result;
    mix({.dst = to.data(),
         .dst2 = second.data(),
         .sources = pointers.data(),
         .factors = mean.factors.data(),
         .nsources = sources.size(),
         .count = sources[0].size() / type_size(GetParam().type),
         .divisor = mean.divisor,
         .difference = measure ? &result.difference : nullptr});
    to.expect_untouched_around();
    second.expect_untouched_around();
    result.dst = to.content();
    result.dst2 = second.content();
    return result;
  }

  void check(const std::vector<Bytes>& sources, const Mean& mean, size_t offset, int in_place) {
    const bool measure = sources.size() == 2;
    const MixFn vector = isa_kernels(GetParam().isa, GetParam().type).mix;
    const Run expected = run(scalar_mix(GetParam().type), sources, mean, 0, -1, measure);
    const Run actual = run(vector, sources, mean, offset, in_place, measure);
    ASSERT_EQ(actual.dst, expected.dst);
    ASSERT_EQ(actual.dst2, expected.dst);
    ASSERT_EQ(run(vector, sources, mean, offset, in_place, false).dst, expected.dst);
    if (std::isnan(expected.difference.sum_of_squares)) {
      ASSERT_TRUE(std::isnan(actual.difference.sum_of_squares));
    } else {
      ASSERT_EQ(actual.difference.sum_of_squares, expected.difference.sum_of_squares);
    }
    ASSERT_EQ(actual.difference.largest, expected.difference.largest);
  }
};

TEST_P(MixParity, EveryCountMeanAndAlignmentGivesTheBitsOfTheSpecification) {
  Random random(1);
  for (const Mean& mean : kMeans) {
    for (const size_t count : kCounts) {
      std::vector<Bytes> sources;
      for (size_t s = 0; s < mean.factors.size(); ++s) {
        sources.push_back(s % 2 == 0 && count > 64 ? model(GetParam().type, count, 1, random)
                                                   : random_bits(GetParam().type, count, random));
      }
      const int in_place = static_cast<int>(random() % (sources.size() + 1)) - 1;
      for (const size_t offset : {size_t{0}, size_t{1}, type_size(GetParam().type)}) {
        SCOPED_TRACE("count=" + std::to_string(count) + ",divisor=" + std::to_string(mean.divisor));
        check(sources, mean, offset, in_place);
        if (HasFatalFailure()) return;
      }
    }
  }
}

class HalfParity : public MixParity {};

TEST_P(HalfParity, AllHalvesGiveTheBitsOfTheSpecification) {
  Bytes all(65536 * 2);
  for (size_t i = 0; i < 65536; ++i) {
    const auto code = static_cast<uint16_t>(i);
    std::memcpy(all.data() + 2 * i, &code, 2);
  }
  for (const int code : {0x0000, 0x8000, 0x0001, 0x3c00, 0x7bff, 0x7c00, 0xfc01, 0x7f7f}) {
    const auto other = static_cast<uint16_t>(code);
    Bytes same(all.size());
    for (size_t i = 0; i < 65536; ++i) std::memcpy(same.data() + 2 * i, &other, 2);
    check({all, same}, {{1, 1}, 2}, 0, -1);
    check({same, all}, {{1, 1}, 3}, 2, 0);
    if (HasFatalFailure()) return;
  }
}

constexpr DataType kHalves[] = {gossFloat16, gossBfloat16};
INSTANTIATE_TEST_SUITE_P(All, MixParity, testing::ValuesIn(cases_of(kMixedTypes)), case_name);
INSTANTIATE_TEST_SUITE_P(All, HalfParity, testing::ValuesIn(cases_of(kHalves)), case_name);

// ---- compressed ---------------------------------------------------------------------------------

class CompressedParity : public testing::TestWithParam<Case> {
 protected:
  Kernels scalar() const { return scalar_kernels(GetParam().type); }
  Kernels vector() const { return isa_kernels(GetParam().isa, GetParam().type); }
  DataType type() const { return GetParam().type; }

  struct Sent {
    Bytes message;
    std::vector<int32_t> exponents;
    std::vector<float> replica;
  };

  Sent modulo_encode(const Kernels& k, const Bytes& x, int bits, const std::vector<float>& bounds,
                     size_t offset) {
    const size_t count = x.size() / type_size(type());
    Guarded from(x, offset), message(message_bytes(count, bits), offset);
    Sent sent{{}, std::vector<int32_t>(blocks_of(count)), {}};
    k.modulo_encode(
        {from.data(), count, bits, bounds.data(), sent.exponents.data(), message.data()});
    message.expect_untouched_around();
    sent.message = message.content();
    return sent;
  }

  Sent edge_encode(const Kernels& k, const Bytes& x, int bits, const std::vector<float>& replica,
                   size_t offset) {
    const size_t count = x.size() / type_size(type());
    Guarded from(x, offset), message(message_bytes(count, bits), offset);
    Sent sent{{}, {}, replica};
    k.edge_encode({from.data(), sent.replica.data(), count, bits, message.data()});
    message.expect_untouched_around();
    sent.message = message.content();
    return sent;
  }

  struct Got {
    Bytes x;
    std::vector<Verdict> verdicts;
    std::vector<float> observed;
    std::vector<float> peer_replica;
    size_t refused;
    bool operator==(const Got& other) const {
      return x == other.x && verdicts == other.verdicts && refused == other.refused &&
             same_bits(observed, other.observed) && same_bits(peer_replica, other.peer_replica);
    }
    static bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
      return a.size() == b.size() &&
             (a.empty() || std::memcmp(a.data(), b.data(), a.size() * 4) == 0);
    }
  };

  template <class Fill>
  Got mix(const Bytes& x, bool in_place, size_t offset, const Fill& run) {
    const size_t count = x.size() / type_size(type());
    Guarded from(x, offset), to(x.size(), (offset * 3) % 64);
    Got got{
        {}, std::vector<Verdict>(blocks_of(count)), std::vector<float>(blocks_of(count)), {}, 0};
    Guarded& dst = in_place ? from : to;
    run(dst.data(), from.data(), count, &got);
    dst.expect_untouched_around();
    got.x = dst.content();
    return got;
  }

  Got modulo_mix(const Kernels& k, const Bytes& x, int bits, const Sent& own, const Bytes& message,
                 bool in_place, size_t offset) {
    Guarded in(message, offset);
    return mix(x, in_place, offset, [&](void* dst, const void* from, size_t count, Got* got) {
      got->refused = k.modulo_mix({.dst = dst,
                                   .x = from,
                                   .count = count,
                                   .bits = bits,
                                   .exponents = own.exponents.data(),
                                   .message = in.data(),
                                   .weight = 0.3f,
                                   .verdicts = got->verdicts.data(),
                                   .observed = got->observed.data()});
    });
  }

  Got edge_mix(const Kernels& k, const Bytes& x, int bits, const std::vector<float>& own,
               const std::vector<float>& peer, const Bytes& message, bool in_place, size_t offset) {
    Guarded in(message, offset);
    return mix(x, in_place, offset, [&](void* dst, const void* from, size_t count, Got* got) {
      got->peer_replica = peer;
      got->refused = k.edge_mix({.dst = dst,
                                 .x = from,
                                 .own_replica = own.data(),
                                 .peer_replica = got->peer_replica.data(),
                                 .count = count,
                                 .bits = bits,
                                 .message = in.data(),
                                 .weight = 0.5f,
                                 .verdicts = got->verdicts.data(),
                                 .observed = got->observed.data()});
    });
  }

  // A model, or bits of every kind in some of its blocks.
  Bytes input(size_t count, bool wild, Random& random) {
    Bytes x = model(type(), count, 0.05, random);
    if (!wild) return x;
    const Bytes bits = random_bits(type(), count, random);
    const size_t from = random() % (count + 1) * type_size(type());
    std::copy(bits.begin() + static_cast<std::ptrdiff_t>(from), bits.end(),
              x.begin() + static_cast<std::ptrdiff_t>(from));
    return x;
  }

  // Flips bits, pad bits behind the last level among them.
  static Bytes damaged(Bytes message, Random& random) {
    for (int i = 0; i < 3 && !message.empty(); ++i) {
      message[random() % message.size()] ^= static_cast<uint8_t>(1u << random() % 8);
    }
    return message;
  }
};

TEST_P(CompressedParity, ModuloMessagesAndMixesHaveTheBitsOfTheSpecification) {
  Random random(2);
  for (int bits = kMinBits; bits <= kMaxBits; ++bits) {
    for (const size_t count : kCounts) {
      for (int trial = 0; trial < test_scale(6, 4); ++trial) {
        SCOPED_TRACE("bits=" + std::to_string(bits) + ",count=" + std::to_string(count));
        const size_t offset = static_cast<size_t>(trial) * 13 % 64;
        const Bytes x = input(count, trial % 2 == 1, random);
        const Bytes y = nearby(type(), x, 0.002, random);
        const std::vector<float> bounds(blocks_of(count), trial == 2 ? 1e-5f : 0.02f);
        const Sent own = modulo_encode(scalar(), x, bits, bounds, 0);
        const Sent theirs = modulo_encode(scalar(), y, bits, bounds, 0);
        const Sent vector_own = modulo_encode(vector(), x, bits, bounds, offset);
        ASSERT_EQ(vector_own.message, own.message);
        ASSERT_EQ(vector_own.exponents, own.exponents);
        for (const Bytes& message : {theirs.message, damaged(theirs.message, random)}) {
          const Got expected = modulo_mix(scalar(), x, bits, own, message, false, 0);
          ASSERT_EQ(modulo_mix(vector(), x, bits, own, message, trial % 2 == 0, offset), expected);
        }
      }
    }
  }
}

TEST_P(CompressedParity, EdgeMessagesAndMixesHaveTheBitsOfTheSpecification) {
  Random random(3);
  std::normal_distribution<float> normal(0, 0.05f);
  for (int bits = kMinBits; bits <= kMaxBits; ++bits) {
    for (const size_t count : kCounts) {
      for (int trial = 0; trial < test_scale(6, 4); ++trial) {
        SCOPED_TRACE("bits=" + std::to_string(bits) + ",count=" + std::to_string(count));
        const size_t offset = static_cast<size_t>(trial) * 13 % 64;
        const Bytes x = input(count, trial % 2 == 1, random);
        const Bytes y = nearby(type(), x, 0.002, random);
        std::vector<float> x_replica(count), y_replica(count);
        for (float& value : x_replica) value = normal(random);
        for (float& value : y_replica) value = trial == 2 ? -0.0f : normal(random);
        const Sent own = edge_encode(scalar(), x, bits, x_replica, 0);
        const Sent theirs = edge_encode(scalar(), y, bits, y_replica, 0);
        const Sent vector_own = edge_encode(vector(), x, bits, x_replica, offset);
        ASSERT_EQ(vector_own.message, own.message);
        ASSERT_TRUE(Got::same_bits(vector_own.replica, own.replica));
        for (const Bytes& message : {theirs.message, damaged(theirs.message, random)}) {
          const Got expected =
              edge_mix(scalar(), x, bits, own.replica, y_replica, message, false, 0);
          ASSERT_EQ(
              edge_mix(vector(), x, bits, own.replica, y_replica, message, trial % 2 == 0, offset),
              expected);
          if (message == theirs.message && trial == 0) ASSERT_EQ(expected.refused, 0u);
        }
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, CompressedParity, testing::ValuesIn(cases_of(kCompressedTypes)),
                         case_name);

}  // namespace
}  // namespace goss::mixing
