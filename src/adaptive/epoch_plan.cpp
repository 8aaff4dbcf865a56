// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "adaptive/epoch_plan.h"

#include <algorithm>
#include <cmath>

#include "adaptive/batch_config.h"
#include "adaptive/loss_code.h"
#include "adaptive/loss_order.h"
#include "adaptive/philox.h"

namespace goss::adaptive {

namespace {

using Samples = std::vector<uint32_t>;

constexpr double kFixedUnit = 1 << 20;

Philox random_for(const gossBatchConfig_t& config, Purpose purpose, uint64_t epoch) {
  const int source = config.sharded == 1 ? config.rank : 0;
  return Philox(config.seed, purpose, epoch, static_cast<uint32_t>(source));
}

std::vector<Samples> split(const Samples& order, std::span<const uint64_t> ends) {
  std::vector<Samples> buckets;
  uint64_t begin = 0;
  for (const uint64_t end : ends) {
    buckets.emplace_back(order.begin() + static_cast<std::ptrdiff_t>(begin),
                         order.begin() + static_cast<std::ptrdiff_t>(end));
    begin = end;
  }
  return buckets;
}

bool by_loss(const gossBatchConfig_t& config, uint64_t epoch) {
  return has_buckets(config, epoch) && config.mode != gossBatchRandom;
}

// One share of everything in epochs without buckets.
std::span<const double> epoch_shares(const gossBatchConfig_t& config, uint64_t epoch) {
  static constexpr double kWhole[] = {1.0};
  return has_buckets(config, epoch) ? shares(config) : std::span<const double>(kWhole);
}

uint64_t trimmed_samples(const gossBatchConfig_t& config, uint64_t total, uint64_t known) {
  if (config.mode == gossBatchReversed || config.buckets == 1) return 0;
  return std::min(portion(config.trim, total), known);
}

// Each of the first `excess` of the hard bucket changes places with a sample drawn from all, so it
// is where a random plan would have it, and few others move.
void send_back(std::vector<Samples>& buckets, double excess, Philox random) {
  const uint64_t away = portion(excess, buckets[0].size());
  uint64_t total = 0;
  for (const Samples& bucket : buckets) total += bucket.size();
  for (uint64_t i = 0; i < away; ++i) {
    uint64_t place = random.below(static_cast<uint32_t>(total));
    size_t b = 0;
    while (place >= buckets[b].size()) place -= buckets[b++].size();
    std::swap(buckets[0][i], buckets[b][place]);
  }
}

void describe_global(std::span<const uint32_t> codes, uint64_t trimmed, BucketedSamples& result) {
  for (const Samples& bucket : result.own) {
    // Trimmed samples are the last of the last bucket.
    const bool has_trimmed = &bucket == &result.own.back();
    const size_t count = bucket.size() - (has_trimmed ? trimmed : 0);
    result.described.push_back(describe(codes, std::span(bucket).first(count)));
  }
}

// Samples in the order in which buckets are cut from them.
Samples order_samples(const gossBatchConfig_t& config, uint64_t epoch,
                      std::span<const uint32_t> codes, uint64_t trimmed) {
  if (!by_loss(config, epoch)) {
    return shuffled(codes.size(), random_for(config, Purpose::kOrder, epoch));
  }
  Samples order = hardest_first(codes, trimmed, random_for(config, Purpose::kUnseen, epoch));
  if (config.mode == gossBatchReversed) std::reverse(order.begin(), order.end());
  return order;
}

BucketedSamples bucket_global(const gossBatchConfig_t& config, uint64_t epoch,
                              std::span<const uint32_t> codes) {
  BucketedSamples result;
  const uint64_t trimmed =
      by_loss(config, epoch) ? trimmed_samples(config, codes.size(), count_known(codes)) : 0;
  const Samples order = order_samples(config, epoch, codes, trimmed);
  result.own = split(order, cut(order.size(), epoch_shares(config, epoch)));
  describe_global(codes, trimmed, result);
  return result;
}

BucketedSamples bucket_sharded(const gossBatchConfig_t& config, uint64_t epoch,
                               std::span<const uint32_t> codes, const SharedLosses& shared) {
  BucketedSamples result;
  const Histogram own = count_classes(codes);
  const uint64_t total = total_of(shared.all);
  if (!by_loss(config, epoch)) {
    const Samples order = order_samples(config, epoch, codes, 0);
    result.own = split(order, cut(order.size(), epoch_shares(config, epoch)));
    const SharedOrder all(shared.all, own, 0, Walk::kEasiestFirst);
    result.described.assign(result.own.size(), all.describe(0, total));
    return result;
  }
  const uint64_t trimmed =
      trimmed_samples(config, total, total - shared.all[static_cast<size_t>(kUnseenClass)]);
  const Walk walk = config.mode == gossBatchReversed ? Walk::kEasiestFirst : Walk::kHardestFirst;
  const SharedOrder all(shared.all, own, trimmed, walk);
  const Samples order = order_samples(config, epoch, codes, all.own_trimmed());
  std::vector<uint64_t> ends;
  uint64_t begin = 0;
  for (const uint64_t end : cut(total, shares(config))) {
    ends.push_back(all.own_before(end));
    result.described.push_back(all.describe(begin, end));
    begin = end;
  }
  result.own = split(order, ends);
  return result;
}

// InfoBatch (Qin et al. 2024): of the samples with a loss below the mean a random part is left out,
// and the others of them weigh as much as all of them would.
void prune(const gossBatchConfig_t& config, uint64_t epoch, std::span<const uint32_t> codes,
           const SharedLosses* shared, BucketedSamples& result) {
  int64_t sum = 0;
  uint64_t known = count_known(codes);
  if (shared != nullptr) {
    sum = shared->sum;
    known = total_of(shared->all) - shared->all[static_cast<size_t>(kUnseenClass)];
  } else {
    for (const uint32_t code : codes) sum += fixed_loss(code);
  }
  if (known == 0) return;
  const double mean = static_cast<double>(sum) / static_cast<double>(known);
  Samples easy;
  Samples kept;
  for (const uint32_t sample : result.own[0]) {
    const uint32_t code = codes[sample];
    const bool below = code != kNoLoss && static_cast<double>(fixed_loss(code)) < mean;
    (below ? easy : kept).push_back(sample);
  }
  shuffle(std::span(easy), random_for(config, Purpose::kPrune, epoch));
  // One stays in any case: somebody must stand for the others.
  const uint64_t out =
      easy.empty() ? 0
                   : std::min<uint64_t>(portion(config.infoPrune, easy.size()), easy.size() - 1);
  if (out == 0) return;
  result.heavy_weight = static_cast<double>(easy.size()) / static_cast<double>(easy.size() - out);
  result.heavy.assign(codes.size(), false);
  easy.resize(easy.size() - out);
  for (const uint32_t sample : easy) result.heavy[sample] = true;
  kept.insert(kept.end(), easy.begin(), easy.end());
  result.own[0] = std::move(kept);
}

}  // namespace

int64_t fixed_loss(uint32_t code) {
  if (code == kNoLoss) return 0;
  const double loss = std::clamp(double{decode_loss(code)}, -1024.0, 1024.0);
  return static_cast<int64_t>(std::floor(loss * kFixedUnit + 0.5));
}

BucketedSamples bucket_samples(const gossBatchConfig_t& config, uint64_t epoch,
                               std::span<const uint32_t> codes, const SharedLosses* shared,
                               double excess) {
  BucketedSamples result = shared == nullptr ? bucket_global(config, epoch, codes)
                                             : bucket_sharded(config, epoch, codes, *shared);
  if (epoch_kind(config, epoch) == EpochKind::kPruned) prune(config, epoch, codes, shared, result);
  if (excess > 0 && uses_guard(config, epoch)) {
    send_back(result.own, excess, random_for(config, Purpose::kExcess, epoch));
  }
  return result;
}

}  // namespace goss::adaptive
