// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "epoch_record.h"

#include <algorithm>
#include <cstdio>
#include <functional>
#include <nlohmann/json.hpp>
#include <numeric>

#include "hash.h"

namespace goss::train {

namespace {

constexpr size_t kPoints = 64;

template <typename T>
std::vector<double> ranks_of(std::span<const T> values) {
  std::vector<size_t> order(values.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return values[a] < values[b]; });
  std::vector<double> ranks(values.size());
  for (size_t i = 0; i < order.size(); ++i) ranks[order[i]] = static_cast<double>(i);
  return ranks;
}

const char* name_of(gossPrecisionEvent_t event) {
  switch (event) {
    case gossPrecisionWarmup: return "warm-up";
    case gossPrecisionWatching: return "watching";
    case gossPrecisionSuspected: return "suspected";
    case gossPrecisionReset: return "reset";
    case gossPrecisionHolding: return "holding";
    case gossPrecisionRecovered: return "recovered";
    case gossPrecisionNotCause: return "not precision";
    case gossPrecisionMuted: return "muted";
  }
  return "?";
}

nlohmann::json to_json(const gossBucket_t& b) {
  return {{"batch", b.batch}, {"samples", b.samples}, {"steps", b.steps}, {"mean", b.mean},
          {"p10", b.p10},     {"p50", b.p50},         {"p90", b.p90}};
}

}  // namespace

nlohmann::json to_json(const EpochReport& r) {
  nlohmann::json buckets = nlohmann::json::array();
  for (const gossBucket_t& bucket : r.buckets) buckets.push_back(to_json(bucket));
  nlohmann::json line = {
      {"type", "epoch"},
      {"epoch", r.plan.epoch},
      {"plan", hex(r.plan.hash)},
      {"samples", r.plan.samples},
      {"updates", r.record.updates},
      {"messages", r.counters.messages - r.record.messages_before},
      {"payload_bytes", r.counters.payload_bytes - r.record.payload_before},
      {"sent_bytes", r.counters.sent_bytes - r.record.sent_before},
      {"train_loss", r.loss},
      {"validation_loss", r.validation.loss},
      {"validation_accuracy", r.validation.accuracy},
      {"test_loss", r.test.loss},
      {"test_accuracy", r.test.accuracy},
      {"step_s", r.record.step_s},
      {"exposed_s", r.record.exposed_s},
      {"evaluate_s", r.record.evaluate_s},
      {"excess", r.plan.excess},
      {"buckets", buckets},
      {"loss_curve", r.curve},
      {"difficulty_correlation", r.difficulty_correlation},
  };
  if (r.record.codec_error > 0) {
    line["codec_error"] = r.record.codec_error / static_cast<double>(r.record.updates);
  }
  if (r.mixed) {
    line["ranks"] = r.ranks;
    line["worst_validation_accuracy"] = r.mixed->worst_accuracy;
    line["evaluate_bytes"] = r.mixed->evaluate_bytes;
    line["disagreement"] = r.mixed->mixing.disagreement;
    line["skipped"] = r.mixed->mixing.skipped;
  }
  if (r.decision) {
    line["bits"] = r.bits;
    line["precision_event"] = name_of(r.decision->event);
    line["precision"] = r.precision_line;
  }
  return line;
}

std::string to_line(const EpochReport& r) {
  const double seconds = r.record.step_s;
  char text[240];
  int used = std::snprintf(
      text, sizeof text,
      "epoch %3llu  loss %.4f  validation %.4f %5.2f %%  updates %5llu  MB %8.1f  %6.0f samples/s  "
      "exposed %4.1f %%  batches",
      static_cast<unsigned long long>(r.plan.epoch + 1), r.loss, r.validation.loss,
      100 * r.validation.accuracy, static_cast<unsigned long long>(r.record.updates),
      static_cast<double>(r.counters.payload_bytes - r.record.payload_before) / 1e6,
      static_cast<double>(r.plan.samples) / seconds, 100 * r.record.exposed_s / seconds);
  std::string line(text, static_cast<size_t>(used));
  for (const gossBucket_t& b : r.buckets) {
    line += " " + std::to_string(b.steps) + "x" + std::to_string(b.batch);
  }
  if (r.mixed) {
    std::snprintf(text, sizeof text, "  worst %5.2f %%  ranks %d", 100 * r.mixed->worst_accuracy,
                  r.ranks);
    line += text;
  }
  if (r.decision) {
    line += "  bits";
    for (const int bits : r.bits) line += " " + std::to_string(bits);
    if (r.decision->event == gossPrecisionReset) line += " (reset)";
  }
  return line;
}

std::vector<float> loss_curve(std::span<const float> losses) {
  std::vector<float> sorted(losses.begin(), losses.end());
  std::sort(sorted.begin(), sorted.end(), std::greater<>());
  std::vector<float> curve;
  for (size_t k = 0; k <= kPoints; ++k) curve.push_back(sorted[(sorted.size() - 1) * k / kPoints]);
  return curve;
}

double rank_correlation(std::span<const float> losses, std::span<const uint8_t> difficulty) {
  const std::vector<double> x = ranks_of(losses);
  const std::vector<double> y = ranks_of(difficulty);
  const double mean = (static_cast<double>(x.size()) - 1) / 2;
  double xy = 0;
  double xx = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    xy += (x[i] - mean) * (y[i] - mean);
    xx += (x[i] - mean) * (x[i] - mean);
  }
  return xx > 0 ? xy / xx : 0;
}

}  // namespace goss::train
