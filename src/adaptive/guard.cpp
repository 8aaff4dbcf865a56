// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "adaptive/guard.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "adaptive/loss_order.h"
#include "adaptive/paired.h"

namespace goss::adaptive {

namespace {

// One-sided 95 % of the normal distribution.
constexpr double kQuantile95 = 1.6448536269514722;

}  // namespace

// By the mean of several epochs: chosen by the last one alone, samples that were unlucky in it
// would be followed, and their loss would fall whatever is learned.
void LabelGuard::choose() {
  std::vector<uint32_t> order(sums_.size());
  std::iota(order.begin(), order.end(), 0u);
  std::sort(order.begin(), order.end(), [&](uint32_t a, uint32_t b) {
    return sums_[a] != sums_[b] ? sums_[a] > sums_[b] : a < b;
  });
  order.resize(std::max<uint64_t>(1, portion(share_, order.size())));
  std::sort(order.begin(), order.end());
  hard_ = std::move(order);
  sums_.clear();
}

Status LabelGuard::observe(std::span<const float> losses, bool choosing) {
  if (count_ != 0 && losses.size() != count_) {
    return fail(gossInvalidArgument,
                "guard : %zu losses, %llu in the epochs before: it needs the same samples in the "
                "same order",
                losses.size(), static_cast<unsigned long long>(count_));
  }
  if (losses.empty()) return fail(gossInvalidArgument, "guard : 0 losses, it needs 1 or more");
  GOSS_TRY(check_finite("guard", losses));
  count_ = losses.size();
  if (hard_.empty()) {
    sums_.resize(losses.size());
    for (size_t i = 0; i < losses.size(); ++i) sums_[i] += double{losses[i]};
    if (!choosing) choose();
    return {};
  }
  std::vector<float> now;
  for (const uint32_t sample : hard_) now.push_back(losses[sample]);
  if (best_.empty()) {
    best_ = std::move(now);
    return {};
  }
  const PairedDifference change = paired_difference(now, best_);
  if (change.mean + kQuantile95 * std::sqrt(change.variance) < 0) {
    best_ = std::move(now);
    waited_ = 0;
  } else if (patience_ > 0 && ++waited_ >= static_cast<uint32_t>(patience_)) {
    halves_ = std::min(halves_ + 1, 2u);
    waited_ = 0;
  }
  return {};
}

void LabelGuard::put(StateWriter& state) const {
  state.put(sums_);
  state.put(hard_);
  state.put(best_);
  state.put(count_);
  state.put(waited_);
  state.put(halves_);
}

LabelGuard LabelGuard::get(StateReader& state, double share, int patience) {
  LabelGuard guard(share, patience);
  guard.sums_ = state.get_vector<double>("guard.sums");
  guard.hard_ = state.get_vector<uint32_t>("guard.hard");
  guard.best_ = state.get_vector<float>("guard.best");
  guard.count_ = state.get<uint64_t>("guard.count");
  guard.waited_ = state.get<uint32_t>("guard.waited");
  guard.halves_ = state.get<uint32_t>("guard.halves");
  const bool sums = guard.sums_.empty() || guard.sums_.size() == guard.count_;
  const bool best = guard.best_.empty() || guard.best_.size() == guard.hard_.size();
  const bool hard =
      std::ranges::all_of(guard.hard_, [&](uint32_t sample) { return sample < guard.count_; });
  if (!sums || !best || !hard || guard.halves_ > 2) state.refuse("guard", "contradicts itself");
  return guard;
}

}  // namespace goss::adaptive
