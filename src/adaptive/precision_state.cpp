// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// PrecisionController's state. The last decision is not part of it: a restored controller has
// decided nothing yet that its log could show.
#include <algorithm>

#include "adaptive/precision_controller.h"
#include "adaptive/precision_rule.h"

namespace goss::adaptive {

namespace {

gossPrecisionConfig_t get_config(StateReader& state) {
  gossPrecisionConfig_t config = GOSS_PRECISION_CONFIG_INITIALIZER;
  config.rule = static_cast<gossPrecisionRule_t>(state.get<int>("rule"));
  visit_fields(config, [&](const char* name, auto& field) {
    field = state.get<std::remove_reference_t<decltype(field)>>(name);
  });
  const Status checked = state.status().ok() ? check(config) : Status();
  if (!checked.ok()) state.refuse("config", "cannot be: " + checked.message());
  return config;
}

}  // namespace

void PrecisionController::put(StateWriter& state) const {
  gossPrecisionConfig_t config = config_;
  state.put(static_cast<int>(config.rule));
  visit_fields(config, [&](const char*, auto& field) { state.put(field); });
  alarm_.put(state);
  state.put(epoch_);
  state.put(static_cast<uint32_t>(phase_));
  for (const int number : {cap_, every_, every_before_}) state.put(number);
  for (const uint64_t number : {waited_, suspects_, resets_, since_reset_}) state.put(number);
  state.put(rise_at_reset_);
  state.put(has_first_);
  for (const gossBucket_t& bucket : first_) {
    state.put(bucket.losses);
    for (const double number : {bucket.mean, bucket.p10, bucket.p50, bucket.p90}) state.put(number);
  }
  for (const int bits : bits_) state.put(bits);
}

void PrecisionController::read(StateReader& state) {
  alarm_ = ValidationAlarm::get(state, config_.tolerance, config_.epochNoise);
  epoch_ = state.get<uint64_t>("epoch");
  const auto phase = state.get<uint32_t>("phase");
  if (phase > static_cast<uint32_t>(Phase::kMuted)) state.refuse("phase", "is none");
  phase_ = static_cast<Phase>(phase);
  for (int* number : {&cap_, &every_, &every_before_}) *number = state.get<int>("schedule");
  if (!on_ladder(cap_) || every_ < 1 || every_before_ < 1) state.refuse("schedule", "cannot be");
  for (uint64_t* number : {&waited_, &suspects_, &resets_, &since_reset_}) {
    *number = state.get<uint64_t>("counters");
  }
  rise_at_reset_ = state.get<double>("rise_at_reset");
  has_first_ = state.get<bool>("has_first");
  for (gossBucket_t& bucket : first_) {
    bucket.losses = state.get<uint64_t>("first");
    for (double* number : {&bucket.mean, &bucket.p10, &bucket.p50, &bucket.p90}) {
      *number = state.get<double>("first");
    }
  }
  for (int& bits : bits_) bits = state.get<int>("bits");
  for (const int bits : this->bits()) {
    if (!on_ladder(bits) && bits != config_.warmupBits) state.refuse("bits", "are not allowed");
  }
}

std::vector<std::byte> PrecisionController::save() const {
  StateWriter state;
  put(state);
  return state.finish(StateKind::kPrecision);
}

uint64_t PrecisionController::hash() const {
  StateWriter state;
  put(state);
  return state.hash();
}

Result<PrecisionController> PrecisionController::restore(std::span<const std::byte> bytes) {
  GOSS_TRY_ASSIGN(StateReader state, StateReader::open(bytes, StateKind::kPrecision));
  const gossPrecisionConfig_t config = get_config(state);
  GOSS_TRY(state.status());
  PrecisionController controller(config);
  controller.read(state);
  GOSS_TRY(state.finish());
  return controller;
}

}  // namespace goss::adaptive
