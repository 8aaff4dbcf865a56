// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// The specification of compressed mixing: the message, the mean of a pair (T5), and that a wrong
// bound, a lost message and non-finite numbers are seen (T6).
#include <algorithm>
#include <cmath>
#include <set>

#include "compressed_cases.h"
#include "support/test_scale.h"

namespace goss::mixing {
namespace {

// ---- the message -------------------------------------------------------------------------------

TEST(Message, HasTheBytesOfItsFormula) {  // T11
  EXPECT_EQ(message_bytes(0, 4), 0u);
  EXPECT_EQ(message_bytes(1, 4), 8u + 4);
  EXPECT_EQ(message_bytes(8, 8), 8u + 8);
  EXPECT_EQ(message_bytes(9, 3), 8u + 6);
  EXPECT_EQ(message_bytes(256, 4), 8u + 128);
  EXPECT_EQ(message_bytes(257, 4), 8u + 128 + 8 + 4);
  EXPECT_EQ(message_bytes(size_t{1} << 20, 4), (size_t{1} << 20) * (4 + 0.25) / 8);
}

TEST(Message, ChecksWithOddCoefficientsThatAreAllDifferent) {
  std::set<uint32_t> seen, sums;
  for (const uint32_t c : kCoefficients) {
    EXPECT_EQ(c % 2, 1u);
    EXPECT_TRUE(seen.insert(c).second);
    EXPECT_EQ(seen.count(0u - c), 0u) << "two wrong values in one direction would cancel";
  }
  uint32_t all = 0;  // every value wrong by the same
  for (const uint32_t c : kCoefficients) {
    all += c;
    EXPECT_NE(all, 0u);
  }
}

TEST(Message, TakesTheFinestGridThatTheBoundAllows) {
  for (int bits = kMinBits; bits <= kMaxBits; ++bits) {
    const float half_range = static_cast<float>(1 << (bits - 1)) - 0.5f;
    for (const float bound : {1e-6f, 0.37f, 1.0f, 1e20f}) {
      const float step = power_of_two(modulo_exponent(bound, 0, bits));
      EXPECT_GE(step * half_range, bound * 0.999999f);
      EXPECT_LT(step * half_range, bound * 2.000001f);
    }
    // And numbers below 2^22, whatever the bound.
    EXPECT_EQ(modulo_exponent(0, 1.0f, bits), -22);
    EXPECT_EQ(modulo_exponent(1e-30f, 1.5f, bits), -21);
    EXPECT_EQ(modulo_exponent(0, 0, bits), kLeastExponent);
    EXPECT_EQ(modulo_exponent(1.0f / 0.0f, 1, bits), kGreatestExponent);
    EXPECT_EQ(modulo_exponent(std::nanf(""), 1, bits), -22);
    EXPECT_EQ(modulo_exponent(-1, 1, bits), -22);
  }
}

// ---- one mix of two ranks -----------------------------------------------------------------------

TEST(Modulo, KeepsTheSumOfAPairAndBringsItTogether) {  // T5
  Random random(1);
  for (int bits = kMinBits; bits <= kMaxBits; ++bits) {
    for (const size_t count : {1, 7, 256, 1000}) {
      const Model a = random_model(count, 0.05f, random);
      Model b = a;
      std::uniform_real_distribution<float> change(-0.01f, 0.01f);
      for (float& value : b) value += change(random);
      const std::vector<float> bounds(blocks_of(count), 0.0101f);
      const Encoded from_a = modulo_encode(a, bits, bounds);
      const Encoded from_b = modulo_encode(b, bits, bounds);
      const Mixed at_a = modulo_mix(a, bits, from_a, from_b.message);
      const Mixed at_b = modulo_mix(b, bits, from_b, from_a.message);
      ASSERT_EQ(at_a.refused + at_b.refused, 0u) << "bits=" << bits;
      for (size_t i = 0; i < count; ++i) {
        ASSERT_NEAR(at_a.x[i] + at_b.x[i], a[i] + b[i], 3e-8f);
      }
      // Half a step of each side is left.
      const float step = power_of_two(from_a.exponents[0]);
      EXPECT_LE(largest_difference(at_a.x, at_b.x), step * 1.001f);
      for (size_t i = 0; i < bounds.size(); ++i) {
        EXPECT_NEAR(at_a.observed[i], largest_difference(a, b), largest_difference(a, b) + step);
      }
    }
  }
}

TEST(Modulo, ReadsExactlyWhatThePartnerMeans) {
  Random random(2);
  const Model a = random_model(700, 1, random);
  Model b = a;
  for (float& value : b) value += 0.02f;
  const std::vector<float> bounds(3, 0.021f);
  const Encoded from_a = modulo_encode(a, 5, bounds);
  const Encoded from_b = modulo_encode(b, 5, bounds);
  const Mixed at_a = modulo_mix(a, 5, from_a, from_b.message);
  for (size_t block = 0; block < 3; ++block) {
    const size_t first = block * kBlock;
    const size_t count = std::min(kBlock, a.size() - first);
    float values[kBlock];
    modulo_values(gossFloat32, b.data() + first, count, from_b.exponents[block], values);
    Model repaired(a.size());
    modulo_repair(gossFloat32, repaired.data() + first, a.data() + first, count,
                  from_a.exponents[block], values, 0.5f);
    for (size_t i = first; i < first + count; ++i) ASSERT_EQ(repaired[i], at_a.x[i]) << i;
  }
}

TEST(Modulo, SeesEveryWrap) {  // T6: one number beyond the bound, anywhere, by any multiple
  Random random(3);
  for (int bits = kMinBits; bits <= kMaxBits; ++bits) {
    for (int trial = 0; trial < test_scale(400, 100); ++trial) {
      const Model a = random_model(256, 0.05f, random);
      Model b = a;
      const float bound = 0.001f;
      const Encoded own = modulo_encode(a, bits, {bound});
      const float range = power_of_two(own.exponents[0] + bits);
      b[random() % 256] += range * static_cast<float>(1 + random() % 20);
      if (trial % 2 == 0) b[random() % 256] -= range;
      if (trial % 3 == 0) {
        for (float& value : b) value += range;
      }
      if (largest_difference(a, b) < range / 2) continue;  // the two changes undid each other
      const Encoded theirs = modulo_encode(b, bits, {bound});
      const Mixed mixed = modulo_mix(a, bits, own, theirs.message);
      ASSERT_EQ(mixed.refused, 1u);
      ASSERT_EQ(mixed.verdicts[0], Verdict::kMismatch);
      ASSERT_EQ(mixed.x, a);
    }
  }
}

TEST(Modulo, SeesManyRandomWrapsOfABoundTooSmallByTwo) {  // T6
  Random random(4);
  int wrapped = 0;
  for (int trial = 0; trial < test_scale(3000, 500); ++trial) {
    const Model a = random_model(256, 0.05f, random);
    Model b = a;
    std::normal_distribution<float> change(0, 0.01f);
    for (float& value : b) value += change(random);
    const std::vector<float> bounds{largest_difference(a, b) / 2};
    const Encoded own = modulo_encode(a, 4, bounds);
    const Encoded theirs = modulo_encode(b, 4, bounds);
    const Mixed mixed = modulo_mix(a, 4, own, theirs.message);
    if (mixed.refused != 0) {
      ++wrapped;
      continue;
    }
    // Rounding up to a power of two may have left room enough; then it must be right.
    for (size_t i = 0; i < a.size(); ++i) {
      ASSERT_NEAR(mixed.x[i], (a[i] + b[i]) / 2, power_of_two(own.exponents[0]));
    }
  }
  EXPECT_GT(wrapped, 20);
}

TEST(Modulo, RefusesDamagedMessagesAndNonFiniteNumbers) {
  Random random(5);
  const Model a = random_model(600, 0.05f, random);
  const std::vector<float> bounds(3, 0.01f);
  const Encoded own = modulo_encode(a, 4, bounds);
  Encoded theirs = own;
  theirs.message[8 + 128 + 4] = 0x80;  // the exponent of the second block: 128
  Mixed mixed = modulo_mix(a, 4, own, theirs.message);
  EXPECT_EQ(mixed.verdicts,
            (std::vector<Verdict>{Verdict::kMixed, Verdict::kMismatch, Verdict::kMixed}));
  Model bad = a;
  bad[300] = std::nanf("");
  bad[599] = 1.0f / 0.0f;
  const Encoded spoiled = modulo_encode(bad, 4, bounds);
  EXPECT_EQ(spoiled.exponents[1], kNoExponent);
  mixed = modulo_mix(a, 4, own, spoiled.message);
  EXPECT_EQ(mixed.verdicts,
            (std::vector<Verdict>{Verdict::kMixed, Verdict::kNotFinite, Verdict::kNotFinite}));
  EXPECT_EQ(mixed.refused, 2u);
  mixed = modulo_mix(bad, 4, spoiled, own.message);
  EXPECT_EQ(mixed.refused, 2u);
  // The repair passes them on: nothing non-finite is hidden.
  float values[kBlock], repaired[kBlock];
  modulo_values(gossFloat32, bad.data() + 256, 256, spoiled.exponents[1], values);
  modulo_repair(gossFloat32, repaired, a.data() + 256, 256, own.exponents[1], values, 0.5f);
  EXPECT_TRUE(std::isnan(repaired[44]));
  EXPECT_FALSE(std::isnan(repaired[43]));
}

TEST(Modulo, AdaptsItsBound) {
  EXPECT_EQ(next_bound(5, 1, 0.1f, Verdict::kMixed), 0.5f);
  EXPECT_EQ(next_bound(4, 1, 0.4f, Verdict::kMixed), 0.6f);
  EXPECT_EQ(next_bound(8, 1, 0.9f, Verdict::kMixed), 1.8f);
  EXPECT_EQ(next_bound(3, 1, 0.8f, Verdict::kMixed), 1);
  EXPECT_EQ(next_bound(4, 1, 0, Verdict::kMismatch), 2);
  EXPECT_EQ(next_bound(4, 1, 0, Verdict::kNotFinite), 1);
}

// ---- edges --------------------------------------------------------------------------------------

struct End {
  Model x;
  Model own;   // replica of x that the partner holds
  Model peer;  // replica of the partner's x
};

Bytes edge_encode(End& end, int bits) {
  Bytes message(message_bytes(end.x.size(), bits));
  kScalar.edge_encode({end.x.data(), end.own.data(), end.x.size(), bits, message.data()});
  return message;
}

std::vector<Verdict> edge_mix(End& end, int bits, const Bytes& message) {
  std::vector<Verdict> verdicts(blocks_of(end.x.size()));
  kScalar.edge_mix({.dst = end.x.data(),
                    .x = end.x.data(),
                    .own_replica = end.own.data(),
                    .peer_replica = end.peer.data(),
                    .count = end.x.size(),
                    .bits = bits,
                    .message = message.data(),
                    .verdicts = verdicts.data()});
  return verdicts;
}

// Two ends whose replicas agree: the full-precision exchange that every edge begins with.
std::pair<End, End> edge(const Model& a, const Model& b) { return {End{a, a, b}, End{b, b, a}}; }

TEST(EdgeDifference, KeepsReplicasEqualAndTheSum) {  // T5
  Random random(6);
  for (int bits = kMinBits; bits <= kMaxBits; ++bits) {
    const Model a = random_model(700, 0.05f, random);
    const Model b = random_model(700, 0.05f, random);
    auto [left, right] = edge(a, b);
    for (int step = 0; step < 20; ++step) {
      for (size_t i = 0; i < a.size(); ++i) {  // training moves both
        left.x[i] += 1e-4f * static_cast<float>(std::sin(i + step));
        right.x[i] -= 1e-4f * static_cast<float>(std::cos(i * step));
      }
      const Model before_left = left.x, before_right = right.x;
      const Bytes to_right = edge_encode(left, bits);
      const Bytes to_left = edge_encode(right, bits);
      for (const Verdict v : edge_mix(left, bits, to_left)) ASSERT_EQ(v, Verdict::kMixed);
      for (const Verdict v : edge_mix(right, bits, to_right)) ASSERT_EQ(v, Verdict::kMixed);
      ASSERT_EQ(std::memcmp(left.own.data(), right.peer.data(), a.size() * 4), 0);
      ASSERT_EQ(std::memcmp(right.own.data(), left.peer.data(), a.size() * 4), 0);
      for (size_t i = 0; i < a.size(); ++i) {
        ASSERT_NEAR(left.x[i] + right.x[i], before_left[i] + before_right[i], 6e-8f);
      }
    }
    // What training changes in a step is left, and at 3 bits what quantization leaves of it.
    EXPECT_LT(largest_difference(left.x, right.x), 1e-3f) << "bits=" << bits;
  }
}

TEST(EdgeDifference, SeesALostMessage) {  // T6
  Random random(7);
  auto [left, right] = edge(random_model(600, 0.05f, random), random_model(600, 0.05f, random));
  left.x = random_model(600, 0.05f, random);
  edge_encode(left, 4);  // lost
  const Bytes second = edge_encode(left, 4);
  const Model before = right.x, replica = right.peer;
  for (const Verdict v : edge_mix(right, 4, second)) EXPECT_EQ(v, Verdict::kMismatch);
  EXPECT_EQ(right.x, before);
  EXPECT_EQ(right.peer, replica);
}

TEST(EdgeDifference, BeginsAnewWithTheModelItself) {
  Random random(11);
  for (const DataType type : kCompressedTypes) {
    const size_t count = 300;
    const Bytes x = model(type, count, 1, random);
    Model replica(count), other(count);
    edge_begin(type, x.data(), count, replica.data());
    edge_begin(type, x.data(), count, other.data());
    for (size_t i = 0; i < count; ++i) ASSERT_EQ(replica[i], load_number(type, x.data(), i));
    // Nothing has changed since, so the message says so and the partner finds its replica right.
    Bytes message(message_bytes(count, 4)), dst = x;
    const Kernels k = scalar_kernels(type);
    k.edge_encode({x.data(), replica.data(), count, 4, message.data()});
    std::vector<Verdict> verdicts(2);
    EXPECT_EQ(k.edge_mix({.dst = dst.data(),
                          .x = x.data(),
                          .own_replica = replica.data(),
                          .peer_replica = other.data(),
                          .count = count,
                          .bits = 4,
                          .message = message.data(),
                          .verdicts = verdicts.data()}),
              0u);
    EXPECT_EQ(dst, x);
  }
}

TEST(EdgeDifference, SeesNonFiniteNumbersAndLeavesReplicasAlone) {
  Random random(8);
  auto [left, right] = edge(random_model(600, 0.05f, random), random_model(600, 0.05f, random));
  const Model replica = left.own;
  left.x[5] = 1.0f / 0.0f;
  const Bytes message = edge_encode(left, 4);
  EXPECT_TRUE(std::equal(replica.begin(), replica.begin() + 256, left.own.begin()));
  const std::vector<Verdict> verdicts = edge_mix(right, 4, message);
  EXPECT_EQ(verdicts,
            (std::vector<Verdict>{Verdict::kNotFinite, Verdict::kMixed, Verdict::kMixed}));
  EXPECT_EQ(edge_mix(left, 4, edge_encode(right, 4))[0], Verdict::kNotFinite);
}

TEST(EdgeDifference, DoesNotSendChangesTooSmallToDivideBy) {
  End left{Model(10, 1e-38f), Model(10, 0), Model(10, 0)};
  End right{Model(10, 0), Model(10, 0), Model(10, 0)};
  EXPECT_EQ(edge_mix(right, 4, edge_encode(left, 4))[0], Verdict::kMixed);
  EXPECT_EQ(left.own, Model(10, 0));
}

}  // namespace
}  // namespace goss::mixing
