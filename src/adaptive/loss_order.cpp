// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "adaptive/loss_order.h"

#include <algorithm>
#include <numeric>

#include "adaptive/loss_code.h"

namespace goss::adaptive {

std::vector<uint32_t> shuffled(uint64_t count, const Philox& random) {
  std::vector<uint32_t> samples(count);
  std::iota(samples.begin(), samples.end(), 0u);
  shuffle(std::span(samples), random);
  return samples;
}

uint64_t count_known(std::span<const uint32_t> codes) {
  return codes.size() - static_cast<uint64_t>(std::count(codes.begin(), codes.end(), kNoLoss));
}

std::vector<uint32_t> hardest_first(std::span<const uint32_t> codes, uint64_t trimmed,
                                    const Philox& random) {
  std::vector<uint32_t> order;
  std::vector<uint64_t> known;  // ~code, index: all different, so any sort gives one result
  order.reserve(codes.size());
  known.reserve(codes.size());
  for (size_t i = 0; i < codes.size(); ++i) {
    if (codes[i] == kNoLoss)
      order.push_back(static_cast<uint32_t>(i));
    else
      known.push_back(uint64_t{~codes[i]} << 32 | i);
  }
  shuffle(std::span(order), random);
  std::sort(known.begin(), known.end());
  const auto first = static_cast<std::ptrdiff_t>(std::min<uint64_t>(trimmed, known.size()));
  std::rotate(known.begin(), known.begin() + first, known.end());
  for (const uint64_t key : known) order.push_back(static_cast<uint32_t>(key));
  return order;
}

uint64_t portion(double share, uint64_t total) {
  const double wanted = share * static_cast<double>(total) + 0.5;
  return wanted >= static_cast<double>(total) ? total : static_cast<uint64_t>(wanted);
}

std::vector<uint64_t> cut(uint64_t total, std::span<const double> shares) {
  std::vector<uint64_t> ends;
  double sum = 0;
  for (const double share : shares) {
    sum += share;
    ends.push_back(portion(sum, total));
  }
  ends.back() = total;
  return ends;
}

gossBucket_t describe(std::span<const uint32_t> codes, std::span<const uint32_t> samples) {
  std::vector<uint32_t> known;
  for (const uint32_t sample : samples) {
    if (codes[sample] != kNoLoss) known.push_back(codes[sample]);
  }
  gossBucket_t bucket{};
  bucket.losses = known.size();
  if (known.empty()) return bucket;
  std::sort(known.begin(), known.end());
  double sum = 0;
  for (const uint32_t code : known) sum += double{decode_loss(code)};
  bucket.mean = sum / static_cast<double>(known.size());
  const auto tenth = [&](size_t k) {
    return double{decode_loss(known[(known.size() * k + 9) / 10 - 1])};
  };
  bucket.p10 = tenth(1);
  bucket.p50 = tenth(5);
  bucket.p90 = tenth(9);
  return bucket;
}

}  // namespace goss::adaptive
