// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// BatchPlanner's state. The plan itself is not saved: it follows from what is, and its hash proves
// that it came out the same.
#include <algorithm>

#include "adaptive/batch_config.h"
#include "adaptive/batch_planner.h"
#include "adaptive/loss_code.h"

namespace goss::adaptive {

Result<std::vector<std::byte>> BatchPlanner::save() const {
  GOSS_TRY(ready());
  const auto broken = std::find(recorded_.begin(), recorded_.end(), kBrokenLoss);
  if (broken != recorded_.end()) {
    return fail(
        gossInvalidUsage,
        "batch planner : not saved, sample %zu had a loss that is no finite number in epoch "
        "%llu; go back to an older checkpoint",
        static_cast<size_t>(broken - recorded_.begin()), static_cast<unsigned long long>(epoch_));
  }
  StateWriter state;
  put(state, config_);
  state.put(epoch_);
  state.put(clock_);
  state.put(next_step_);
  state.put(losses_);
  state.put(recorded_);
  guard_.put(state);
  state.put(planned_excess_);
  for (const uint64_t count : shared_.all) state.put(count);
  state.put(shared_.sum);
  for (const auto& source : plan_.counts()) state.put(source);
  state.put(hash_);
  return state.finish(StateKind::kBatchPlanner);
}

void BatchPlanner::read(StateReader& state) {
  epoch_ = state.get<uint64_t>("epoch");
  clock_ = state.get<uint64_t>("clock");
  next_step_ = state.get<uint64_t>("next_step");
  losses_ = state.get_vector<uint32_t>("losses");
  if (losses_.size() != config_.samples || !std::ranges::all_of(losses_, known_or_none)) {
    state.refuse("losses", "does not fit the number of samples, or has a loss that is none");
  }
  recorded_ = state.get_vector<uint32_t>("recorded");
  if (recorded_.size() != config_.samples || !std::ranges::all_of(recorded_, known_or_none)) {
    state.refuse("recorded", "does not fit the number of samples, or has a loss that is none");
  }
  guard_ = LabelGuard::get(state, config_.share[0], config_.guardPatience);
  planned_excess_ = state.get<double>("excess");
  if (!(planned_excess_ >= 0 && planned_excess_ <= 1)) state.refuse("excess", "is not a share");
  for (uint64_t& count : shared_.all) count = state.get<uint64_t>("histogram");
  shared_.sum = state.get<int64_t>("sum");
  if (!state.status().ok()) return;  // losses that are none have no class
  const Histogram own = count_classes(losses_);
  for (size_t c = 0; config_.sharded == 1 && c < kClasses; ++c) {
    const bool possible = own[c] <= shared_.all[c] && shared_.all[c] < GOSS_NO_SAMPLE;
    if (!possible) state.refuse("histogram", "does not contain this rank's losses");
  }
  if (total_of(shared_.all) >= GOSS_NO_SAMPLE) state.refuse("histogram", "has too many samples");
}

// [source][bucket]. Bounded by the samples, so that the plan is no larger than its data.
std::vector<std::vector<uint64_t>> BatchPlanner::read_counts(StateReader& state) const {
  const bool sharded = config_.sharded == 1;
  std::vector<std::vector<uint64_t>> counts(sharded ? static_cast<size_t>(config_.nranks) : 1);
  uint64_t left = sharded ? total_of(shared_.all) : config_.samples;
  for (auto& source : counts) {
    source = state.get_vector<uint64_t>("counts");
    if (source.size() != bucketed_.own.size()) state.refuse("counts", "does not fit the buckets");
    for (const uint64_t count : source) {
      if (count > left) state.refuse("counts", "are more than there are samples");
      left -= std::min(count, left);
    }
  }
  if (!state.status().ok()) return counts;
  const auto& own = counts[sharded ? static_cast<size_t>(config_.rank) : 0];
  for (size_t b = 0; b < own.size(); ++b) {
    if (own[b] != bucketed_.own[b].size()) state.refuse("counts", "does not fit the losses");
  }
  return counts;
}

Result<std::unique_ptr<BatchPlanner>> BatchPlanner::restore(std::span<const std::byte> bytes) {
  GOSS_TRY_ASSIGN(StateReader state, StateReader::open(bytes, StateKind::kBatchPlanner));
  const gossBatchConfig_t config = get_batch_config(state);
  GOSS_TRY(state.status());
  // A state without room for the losses is refused before memory is taken for them.
  if (config.samples > bytes.size()) state.refuse("samples", "is more than the state has bytes");
  GOSS_TRY(state.status());
  std::unique_ptr<BatchPlanner> planner(new BatchPlanner(config));
  planner->read(state);
  GOSS_TRY(state.status());
  planner->bucketed_ =
      bucket_samples(config, planner->epoch_, planner->losses_,
                     config.sharded == 1 ? &planner->shared_ : nullptr, planner->planned_excess_);
  auto counts = planner->read_counts(state);
  const auto hash = state.get<uint64_t>("hash");
  GOSS_TRY(state.status());
  planner->make_plan(std::move(counts));
  if (planner->hash_ != hash) state.refuse("hash", "is not that of the plan that follows from it");
  if (planner->next_step_ > planner->plan_.steps()) {
    state.refuse("next_step", "is behind the end of the epoch");
  }
  GOSS_TRY(state.finish());
  planner->waiting_ = Waiting::kNothing;
  return planner;
}

}  // namespace goss::adaptive
