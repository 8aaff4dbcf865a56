// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "adaptive/batch_config.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "adaptive/config_struct.h"
#include "adaptive/portable_math.h"

namespace goss::adaptive {

namespace {

// More ranks than any job has; keeps the counts that are exchanged below 4 MiB.
constexpr int kMaxRanks = 65'536;

Status refuse_int(const char* field, long long value, const char* allowed) {
  return fail(gossInvalidArgument, "batch config : %s = %lld (%s)", field, value, allowed);
}

Status check_share(const char* field, double value) {
  if (value >= 0 && value <= 1) return {};  // false for NaN
  return fail(gossInvalidArgument, "batch config : %s = %g (0 to 1)", field, value);
}

Status check_flag(const char* field, int value) {
  if (value == 0 || value == 1) return {};
  return refuse_int(field, value, "0 or 1");
}

Status check_data(const gossBatchConfig_t& c) {
  if (static_cast<int>(c.mode) < gossBatchFixed || static_cast<int>(c.mode) > gossBatchInfoBatch) {
    return refuse_int("mode", static_cast<int>(c.mode), "gossBatchFixed to gossBatchInfoBatch");
  }
  if (c.samples >= GOSS_NO_SAMPLE) {
    return fail(gossInvalidArgument, "batch config : samples = %llu (below 2^32 - 1)",
                static_cast<unsigned long long>(c.samples));
  }
  GOSS_TRY(check_flag("sharded", c.sharded));
  if (c.nranks < 1 || c.nranks > kMaxRanks) {
    return refuse_int("nranks", c.nranks, "1 to 65536");
  }
  if (c.rank < 0 || c.rank >= c.nranks) {
    return fail(gossInvalidArgument, "batch config : rank = %d (0 to %d, as nranks says)", c.rank,
                c.nranks - 1);
  }
  if (c.warmupEpochs < 0) return refuse_int("warmupEpochs", c.warmupEpochs, "0 or more");
  return {};
}

Status check_buckets(const gossBatchConfig_t& c) {
  if (c.buckets < 1 || c.buckets > GOSS_MAX_BUCKETS) {
    return refuse_int("buckets", c.buckets, "1 to GOSS_MAX_BUCKETS");
  }
  double sum = 0;
  for (int b = 0; b < c.buckets; ++b) {
    if (!(c.share[b] > 0 && c.share[b] <= 1)) {
      return fail(gossInvalidArgument, "batch config : share[%d] = %g (above 0, up to 1)", b,
                  c.share[b]);
    }
    if (c.batch[b] < 1 || (b > 0 && c.batch[b] < c.batch[b - 1])) {
      return fail(gossInvalidArgument,
                  "batch config : batch[%d] = %d (1 or more, and ascending: hard samples come "
                  "first; for the opposite use gossBatchReversed)",
                  b, c.batch[b]);
    }
    sum += c.share[b];
  }
  if (std::abs(sum - 1) > 1e-6) {
    return fail(gossInvalidArgument, "batch config : the sum of %d shares is %.9g (1)", c.buckets,
                sum);
  }
  GOSS_TRY(check_share("trim", c.trim));
  if (c.buckets > 1 && c.trim > c.share[c.buckets - 1]) {
    return fail(gossInvalidArgument,
                "batch config : trim = %g is more than the last bucket takes (share[%d] = %g)",
                c.trim, c.buckets - 1, c.share[c.buckets - 1]);
  }
  return check_share("lossDecay", c.lossDecay);
}

Status check_sizes_and_rates(const gossBatchConfig_t& c) {
  if (c.referenceBatch < 0) return refuse_int("referenceBatch", c.referenceBatch, "0 or more");
  if (c.batchMin < 0) return refuse_int("batchMin", c.batchMin, "0 or more");
  if (c.batchMax < 0) return refuse_int("batchMax", c.batchMax, "0 or more");
  if (c.batchMax > 0 && c.batchMin > c.batchMax) {
    return fail(gossInvalidArgument, "batch config : batchMin = %d is above batchMax = %d",
                c.batchMin, c.batchMax);
  }
  if (static_cast<int>(c.lrRule) < gossLrLinear || static_cast<int>(c.lrRule) > gossLrConstant) {
    return refuse_int("lrRule", static_cast<int>(c.lrRule), "gossLrLinear to gossLrConstant");
  }
  if (!(c.lrScaleMax >= 0) || std::isinf(c.lrScaleMax)) {
    return fail(gossInvalidArgument, "batch config : lrScaleMax = %g (0 or more)", c.lrScaleMax);
  }
  GOSS_TRY(check_flag("lrRamp", c.lrRamp));
  return check_flag("correctWeights", c.correctWeights);
}

Status check_modes(const gossBatchConfig_t& c) {
  if (c.guardPatience < 0) return refuse_int("guardPatience", c.guardPatience, "0 or more");
  if (c.growthEvery < 1) return refuse_int("growthEvery", c.growthEvery, "1 or more");
  if (!(c.growthFactor >= 1) || std::isinf(c.growthFactor)) {
    return fail(gossInvalidArgument, "batch config : growthFactor = %g (1 or more)",
                c.growthFactor);
  }
  if (!(c.infoPrune >= 0 && c.infoPrune < 1)) {
    return fail(gossInvalidArgument, "batch config : infoPrune = %g (0 or more, below 1)",
                c.infoPrune);
  }
  GOSS_TRY(check_share("infoFull", c.infoFull));
  if (c.epochs < 0) return refuse_int("epochs", c.epochs, "0 or more");
  return {};
}

Status check(const gossBatchConfig_t& config) {
  GOSS_TRY(check_data(config));
  GOSS_TRY(check_buckets(config));
  GOSS_TRY(check_sizes_and_rates(config));
  return check_modes(config);
}

template <class Visit>
void visit_shared(gossBatchConfig_t& c, Visit visit) {
  visit("mode", c.mode);
  visit("seed", c.seed);
  visit("sharded", c.sharded);
  visit("nranks", c.nranks);
  visit("warmupEpochs", c.warmupEpochs);
  visit("referenceBatch", c.referenceBatch);
  visit("batchMin", c.batchMin);
  visit("batchMax", c.batchMax);
  visit("buckets", c.buckets);
  for (double& share : c.share) visit("share", share);
  for (int& batch : c.batch) visit("batch", batch);
  visit("trim", c.trim);
  visit("lossDecay", c.lossDecay);
  visit("lrRule", c.lrRule);
  visit("lrScaleMax", c.lrScaleMax);
  visit("lrRamp", c.lrRamp);
  visit("correctWeights", c.correctWeights);
  visit("guardPatience", c.guardPatience);
  visit("growthEvery", c.growthEvery);
  visit("growthFactor", c.growthFactor);
  visit("infoPrune", c.infoPrune);
  visit("infoFull", c.infoFull);
  visit("epochs", c.epochs);
}

// Enumerations are stored as 32-bit integers.
template <class T>
using Plain = std::conditional_t<std::is_enum_v<T>, int32_t, T>;

}  // namespace

Result<gossBatchConfig_t> read_config(const gossBatchConfig_t* given) {
  GOSS_TRY(check_struct("batch config", "GOSS_BATCH_CONFIG_INITIALIZER", given,
                        sizeof(gossBatchConfig_t)));
  gossBatchConfig_t config = *given;
  config.size = sizeof(config);
  GOSS_TRY(check(config));
  for (int b = config.buckets; b < GOSS_MAX_BUCKETS; ++b) config.share[b] = config.batch[b] = 0;
  return config;
}

void put(StateWriter& state, const gossBatchConfig_t& config) {
  gossBatchConfig_t copy = config;
  state.put(copy.samples);
  state.put(copy.rank);
  visit_shared(copy, [&](const char*, auto& field) {
    using Field = std::remove_reference_t<decltype(field)>;
    state.put(static_cast<Plain<Field>>(field));
  });
}

gossBatchConfig_t get_batch_config(StateReader& state) {
  gossBatchConfig_t config = GOSS_BATCH_CONFIG_INITIALIZER;
  config.samples = state.get<uint64_t>("samples");
  config.rank = state.get<int>("rank");
  visit_shared(config, [&](const char* name, auto& field) {
    using Field = std::remove_reference_t<decltype(field)>;
    field = static_cast<Field>(state.get<Plain<Field>>(name));
  });
  const Status checked = state.status().ok() ? check(config) : Status();
  if (!checked.ok()) state.refuse("config", "cannot be: " + checked.message());
  return config;
}

uint64_t shared_hash(const gossBatchConfig_t& config) {
  StateWriter fields;
  gossBatchConfig_t copy = config;
  copy.rank = 0;
  if (copy.sharded == 1) copy.samples = 0;
  // Where data is global the plan does not depend on who shares it.
  if (copy.sharded == 0) copy.nranks = 1;
  put(fields, copy);
  return fields.hash();
}

EpochKind epoch_kind(const gossBatchConfig_t& config, uint64_t epoch) {
  if (epoch < static_cast<uint64_t>(config.warmupEpochs)) return EpochKind::kPlain;
  switch (config.mode) {
    case gossBatchFixed:
    case gossBatchGrowth: return EpochKind::kPlain;
    case gossBatchAdaptive:
    case gossBatchRandom:
    case gossBatchReversed:
    case gossBatchSorted: return EpochKind::kBuckets;
    case gossBatchInfoBatch: break;
  }
  // The last part of the training sees all samples, so that no sample keeps a stale loss.
  const double pruned_epochs = config.epochs * (1 - config.infoFull);
  const bool full = config.epochs > 0 && static_cast<double>(epoch) >= pruned_epochs;
  return full ? EpochKind::kPlain : EpochKind::kPruned;
}

int reference_batch(const gossBatchConfig_t& config) {
  return config.referenceBatch > 0 ? config.referenceBatch : config.batch[0];
}

int batch_size(const gossBatchConfig_t& config, uint64_t epoch, int bucket) {
  const int most = config.batchMax > 0 ? config.batchMax : std::numeric_limits<int>::max();
  int size = reference_batch(config);
  const auto warmup = static_cast<uint64_t>(config.warmupEpochs);
  if (has_buckets(config, epoch) && config.mode != gossBatchSorted) {
    size = config.batch[bucket];
  } else if (config.mode == gossBatchGrowth && epoch >= warmup) {
    const uint64_t times = (epoch - warmup) / static_cast<uint64_t>(config.growthEvery);
    const double grown = size * power(config.growthFactor, times);
    size = static_cast<int>(std::min(grown + 0.5, static_cast<double>(most)));
  }
  return std::clamp(size, std::max(1, config.batchMin), most);
}

int batch_size_per_source(const gossBatchConfig_t& config, uint64_t epoch, int bucket) {
  const int size = batch_size(config, epoch, bucket);
  return config.sharded == 1 ? std::max(1, size / config.nranks) : size;
}

int bucket_count(const gossBatchConfig_t& config, uint64_t epoch) {
  return has_buckets(config, epoch) ? config.buckets : 1;
}

bool uses_guard(const gossBatchConfig_t& config, uint64_t epoch) {
  return config.mode == gossBatchAdaptive && has_buckets(config, epoch);
}

bool is_ramp(const gossBatchConfig_t& config, uint64_t epoch) {
  return config.lrRamp == 1 && epoch == static_cast<uint64_t>(config.warmupEpochs) &&
         has_buckets(config, epoch);
}

}  // namespace goss::adaptive
