// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "adaptive/validation_alarm.h"

#include <algorithm>
#include <cmath>

#include "adaptive/paired.h"
#include "adaptive/portable_math.h"

namespace goss::adaptive {

namespace {

// Second differences of the mean loss: enough to follow a training that grows calmer.
constexpr size_t kDifferences = 16;
// Fewer say nothing about the scatter. With 4 differences and the factor below, 2,000 simulated
// runs of 40 epochs with epochs scattering by 0, 1, 3, 10 % gave 0, 0, 5, 5 alarms; with 3 and no
// factor it was dozens. A damage of 20 % at a scatter of 1 % was found within an epoch.
constexpr size_t kFewestDifferences = 4;
constexpr double kSmallSampleFactor = 4;
constexpr double kWrong = 0.05;  // 1 - 95 %

// A quantile of the normal distribution from its tail bound P(Z > z) <= exp(-z^2 / 2) / 2: at
// most 0.5 too far out, and in need of no table. The level is divided so that all comparisons of a
// run together are wrong with 5 % at most: by k (k + 1) for the epoch, by k for the choice of the
// best of k epochs.
double quantile(uint64_t epochs) {
  const auto k = static_cast<double>(epochs);
  return std::sqrt(2 * portable_log(k * k * (k + 1) / (2 * kWrong)));
}

}  // namespace

Evidence ValidationAlarm::compare(std::span<const float> losses) const {
  Evidence evidence;
  evidence.count = losses.size();
  if (losses.empty()) return evidence;
  evidence.loss = mean_of(losses);
  if (best_.empty()) return evidence;
  const PairedDifference change = paired_difference(losses, best_);
  evidence.rise = change.mean;
  evidence.variance = change.variance;
  return evidence;
}

// Second differences do not see a steady fall or rise. Of independent epochs they have six times
// the variance.
double ValidationAlarm::epoch_deviation() const {
  double squares = 0;
  const size_t count = history_.size() - 2;
  for (size_t i = 2; i < history_.size(); ++i) {
    const double bend = history_[i] - 2 * history_[i - 1] + history_[i - 2];
    squares += bend * bend;
  }
  const auto differences = static_cast<double>(count);
  const double measured = std::sqrt(squares / differences / 6);
  return std::max(epoch_noise_ * std::abs(best_loss_),
                  measured * (1 + kSmallSampleFactor / differences));
}

Verdict ValidationAlarm::judge(uint64_t epoch, const Evidence& evidence) {
  Verdict verdict;
  if (evidence.count == 0) return verdict;
  count_ = evidence.count;
  if (judged_ > 0 && history_.size() >= kFewestDifferences + 2) {
    const double deviation = epoch_deviation();
    verdict.bound = evidence.rise -
                    quantile(judged_) * std::sqrt(evidence.variance + 2 * deviation * deviation);
    verdict.alarm = verdict.bound > 0 && evidence.rise > tolerance_ * std::abs(best_loss_);
  }
  verdict.best = judged_ == 0 || evidence.loss < best_loss_;
  ++judged_;
  if (verdict.best) {
    best_epoch_ = epoch;
    best_loss_ = evidence.loss;
  }
  if (!verdict.alarm) {
    history_.push_back(evidence.loss);
    if (history_.size() > kDifferences + 2) history_.erase(history_.begin());
  }
  return verdict;
}

void ValidationAlarm::put(StateWriter& state) const {
  state.put(count_);
  state.put(judged_);
  state.put(best_epoch_);
  state.put(best_loss_);
  state.put(best_);
  state.put(history_);
}

ValidationAlarm ValidationAlarm::get(StateReader& state, double tolerance, double epoch_noise) {
  ValidationAlarm alarm(tolerance, epoch_noise);
  alarm.count_ = state.get<uint64_t>("alarm.count");
  alarm.judged_ = state.get<uint64_t>("alarm.judged");
  alarm.best_epoch_ = state.get<uint64_t>("alarm.best_epoch");
  alarm.best_loss_ = state.get<double>("alarm.best_loss");
  alarm.best_ = state.get_vector<float>("alarm.best");
  alarm.history_ = state.get_vector<double>("alarm.history");
  if (alarm.best_.size() != alarm.count_ || alarm.history_.size() > kDifferences + 2) {
    state.refuse("alarm", "contradicts itself");
  }
  return alarm;
}

}  // namespace goss::adaptive
