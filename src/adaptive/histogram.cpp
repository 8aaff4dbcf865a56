// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "adaptive/histogram.h"

#include <algorithm>
#include <bit>

#include "adaptive/loss_code.h"
#include "adaptive/portable_math.h"

namespace goss::adaptive {

namespace {

constexpr int kLowestExponent = -20;
constexpr int kHighestExponent = 12;
constexpr int kPerOctave = 8;
constexpr int kHighClass = kUnseenClass - 1;
static_assert(kHighClass == 1 + (kHighestExponent - kLowestExponent) * kPerOctave);

// part of whole, as `take` is of `all`, to the nearest. Below 2^32 each, so nothing overflows.
uint64_t share_of(uint64_t own, uint64_t take, uint64_t all) {
  return all == 0 ? 0 : (own * take + all / 2) / all;
}

}  // namespace

int loss_class(uint32_t code) {
  if (code == kNoLoss) return kUnseenClass;
  const float loss = decode_loss(code);
  if (double{loss} < power_of_two(kLowestExponent)) return 0;
  if (double{loss} >= power_of_two(kHighestExponent)) return kHighClass;
  const auto bits = std::bit_cast<uint32_t>(loss);
  const int exponent = static_cast<int>(bits >> 23) - 127;
  const int eighth = static_cast<int>(bits >> 20 & 7);
  return 1 + (exponent - kLowestExponent) * kPerOctave + eighth;
}

double class_value(int loss_class) {
  if (loss_class == 0) return 0;
  if (loss_class >= kHighClass) return power_of_two(kHighestExponent);
  const int octave = (loss_class - 1) / kPerOctave;
  const int eighth = (loss_class - 1) % kPerOctave;
  return power_of_two(octave + kLowestExponent) * (1 + (eighth + 0.5) / kPerOctave);
}

Histogram count_classes(std::span<const uint32_t> codes) {
  Histogram counts{};
  for (const uint32_t code : codes) ++counts[static_cast<size_t>(loss_class(code))];
  return counts;
}

uint64_t total_of(const Histogram& counts) {
  uint64_t sum = 0;
  for (const uint64_t count : counts) sum += count;
  return sum;
}

SharedOrder::SharedOrder(const Histogram& all, const Histogram& own, uint64_t trimmed, Walk walk) {
  const auto stretch = [&](int c) {
    return Stretch{c, false, all[static_cast<size_t>(c)], own[static_cast<size_t>(c)]};
  };
  if (walk == Walk::kEasiestFirst) {
    for (int c = 0; c <= kUnseenClass; ++c) stretches_.push_back(stretch(c));
    return;
  }
  stretches_.push_back(stretch(kUnseenClass));
  std::vector<Stretch> moved;
  for (int c = kHighClass; c >= 0; --c) {
    Stretch here = stretch(c);
    if (trimmed > 0 && here.all > 0) {
      Stretch away{c, true, std::min(trimmed, here.all), 0};
      away.own = share_of(here.own, away.all, here.all);
      here.all -= away.all;
      here.own -= away.own;
      trimmed -= away.all;
      own_trimmed_ += away.own;
      moved.push_back(away);
    }
    stretches_.push_back(here);
  }
  stretches_.insert(stretches_.end(), moved.begin(), moved.end());
}

uint64_t SharedOrder::own_before(uint64_t position) const {
  uint64_t own = 0;
  for (const Stretch& here : stretches_) {
    const uint64_t take = std::min(position, here.all);
    own += share_of(here.own, take, here.all);
    position -= take;
  }
  return own;
}

gossBucket_t SharedOrder::describe(uint64_t begin, uint64_t end) const {
  Histogram inside{};
  gossBucket_t bucket{};
  uint64_t at = 0;
  for (const Stretch& here : stretches_) {
    const uint64_t low = std::max(at, begin);
    const uint64_t high = std::min(at + here.all, end);
    at += here.all;
    if (here.trimmed || here.loss_class == kUnseenClass || high <= low) continue;
    inside[static_cast<size_t>(here.loss_class)] += high - low;
    bucket.losses += high - low;
  }
  if (bucket.losses == 0) return bucket;
  uint64_t below = 0;
  double sum = 0;
  for (int c = 0; c <= kHighClass; ++c) {
    const uint64_t here = below + inside[static_cast<size_t>(c)];
    const double value = class_value(c);
    sum += value * static_cast<double>(here - below);
    const auto holds = [&](uint64_t k) {  // the k-th tenth
      const uint64_t place = (bucket.losses * k + 9) / 10 - 1;
      return below <= place && place < here;
    };
    if (holds(1)) bucket.p10 = value;
    if (holds(5)) bucket.p50 = value;
    if (holds(9)) bucket.p90 = value;
    below = here;
  }
  bucket.mean = sum / static_cast<double>(bucket.losses);
  return bucket;
}

}  // namespace goss::adaptive
