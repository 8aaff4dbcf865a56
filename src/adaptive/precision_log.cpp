// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "adaptive/precision_log.h"

#include <array>
#include <charconv>
#include <cmath>
#include <limits>

#include "adaptive/precision_rule.h"

namespace goss::adaptive {

namespace {

constexpr std::array<const char*, 4> kRules = {"combined", "level", "flatness", "epochs"};
constexpr std::string_view kHeaderStart = "{\"gossamer_precision\":1,\"rule\":\"";

template <class T>
void append(std::string& text, T number) {
  std::array<char, 40> digits;
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
  text.append(digits.data(), end);
}

// JSON knows no infinity: the variance of one sample is null.
void append_real(std::string& text, double number) {
  if (std::isfinite(number))
    append(text, number);
  else
    text += "null";
}

// Reads what append() wrote, in order. After the first mismatch everything fails.
class Cursor {
 public:
  explicit Cursor(std::string_view text) : left_(text) {}

  bool ok() const { return ok_; }
  bool at_end() const { return left_.empty(); }
  bool next_is(std::string_view word) const { return left_.substr(0, word.size()) == word; }
  void word(std::string_view expected) {
    ok_ = ok_ && next_is(expected);
    if (ok_) left_.remove_prefix(expected.size());
  }
  template <class T>
  T number() {
    T value{};
    if (std::is_floating_point_v<T> && next_is("null")) {
      word("null");
      return std::numeric_limits<T>::infinity();
    }
    const auto read = std::from_chars(left_.data(), left_.data() + left_.size(), value);
    ok_ = ok_ && read.ec == std::errc();
    if (ok_) left_.remove_prefix(static_cast<size_t>(read.ptr - left_.data()));
    return value;
  }

 private:
  std::string_view left_;
  bool ok_ = true;
};

Status unreadable(uint64_t line, const char* what) {
  return fail(gossInvalidArgument, "precision log : line %llu is no %s",
              static_cast<unsigned long long>(line), what);
}

Result<gossPrecisionConfig_t> parse_header(std::string_view line) {
  gossPrecisionConfig_t config = GOSS_PRECISION_CONFIG_INITIALIZER;
  Cursor cursor(line);
  cursor.word(kHeaderStart);
  size_t rule = 0;
  while (rule < kRules.size() && !cursor.next_is(std::string(kRules[rule]) + '"')) ++rule;
  if (!cursor.ok() || rule == kRules.size()) {
    return unreadable(1, "header of a precision log (it starts with {\"gossamer_precision\":1)");
  }
  config.rule = static_cast<gossPrecisionRule_t>(rule);
  cursor.word(kRules[rule]);
  cursor.word("\"");
  visit_fields(config, [&](const char* name, auto& field) {
    cursor.word(",\"" + std::string(name) + "\":");
    field = cursor.number<std::remove_reference_t<decltype(field)>>();
  });
  cursor.word("}\n");
  if (!cursor.ok() || !cursor.at_end()) return unreadable(1, "header of a precision log");
  GOSS_TRY(check(config));
  return config;
}

struct Inputs {
  Evidence evidence;
  std::vector<gossBucket_t> buckets;
};

// The part of a line that the decision rests on; the rest is only compared.
bool parse_inputs(std::string_view line, Inputs& inputs) {
  const size_t start = line.find(",\"count\":");
  if (start == std::string_view::npos) return false;
  Cursor cursor(line.substr(start));
  cursor.word(",\"count\":");
  inputs.evidence.count = cursor.number<uint64_t>();
  cursor.word(",\"loss\":");
  inputs.evidence.loss = cursor.number<double>();
  cursor.word(",\"rise\":");
  inputs.evidence.rise = cursor.number<double>();
  cursor.word(",\"variance\":");
  inputs.evidence.variance = cursor.number<double>();
  cursor.word(",\"buckets\":[");
  while (cursor.ok() && !cursor.next_is("]")) {
    if (!inputs.buckets.empty()) cursor.word(",");
    gossBucket_t bucket{};
    cursor.word("{\"losses\":");
    bucket.losses = cursor.number<uint64_t>();
    cursor.word(",\"mean\":");
    bucket.mean = cursor.number<double>();
    cursor.word(",\"p10\":");
    bucket.p10 = cursor.number<double>();
    cursor.word(",\"p50\":");
    bucket.p50 = cursor.number<double>();
    cursor.word(",\"p90\":");
    bucket.p90 = cursor.number<double>();
    cursor.word("}");
    inputs.buckets.push_back(bucket);
  }
  cursor.word("]}\n");
  return cursor.ok() && cursor.at_end();
}

void append_inputs(std::string& text, const PrecisionController& controller) {
  text += ",\"count\":";
  append(text, controller.evidence().count);
  text += ",\"loss\":";
  append_real(text, controller.evidence().loss);
  text += ",\"rise\":";
  append_real(text, controller.evidence().rise);
  text += ",\"variance\":";
  append_real(text, controller.evidence().variance);
  text += ",\"buckets\":[";
  bool more = false;
  for (const gossBucket_t& bucket : controller.buckets()) {
    text += more ? ",{\"losses\":" : "{\"losses\":";
    append(text, bucket.losses);
    text += ",\"mean\":";
    append_real(text, bucket.mean);
    text += ",\"p10\":";
    append_real(text, bucket.p10);
    text += ",\"p50\":";
    append_real(text, bucket.p50);
    text += ",\"p90\":";
    append_real(text, bucket.p90);
    text += "}";
    more = true;
  }
  text += "]}\n";
}

}  // namespace

std::string log_header(const gossPrecisionConfig_t& config) {
  std::string text(kHeaderStart);
  text += kRules[static_cast<size_t>(config.rule)];
  text += '"';
  gossPrecisionConfig_t copy = config;
  visit_fields(copy, [&](const char* name, const auto& field) {
    text += ",\"" + std::string(name) + "\":";
    append(text, field);
  });
  return text + "}\n";
}

std::string log_line(const PrecisionController& controller) {
  const gossDecision_t& decision = controller.decision();
  std::string text = "{\"epoch\":";
  append(text, decision.epoch);
  text += ",\"event\":\"";
  text += to_string(decision.event);
  text += "\",\"bits\":[";
  for (int b = 0; b < decision.buckets; ++b) {
    if (b > 0) text += ',';
    append(text, decision.bits[b]);
  }
  text += "],\"cap\":";
  append(text, decision.cap);
  text += ",\"reduceEvery\":";
  append(text, decision.reduce_every);
  text += ",\"resets\":";
  append(text, decision.resets);
  text += ",\"bestEpoch\":";
  append(text, decision.best_epoch);
  text += ",\"bound\":";
  append_real(text, decision.bound);
  append_inputs(text, controller);
  return text;
}

Result<uint64_t> replay(std::string_view log) {
  uint64_t number = 1;
  const auto next_line = [&] {
    const size_t end = log.find('\n');
    const std::string_view line = end == std::string_view::npos ? "" : log.substr(0, end + 1);
    log.remove_prefix(line.empty() ? log.size() : line.size());
    return line;
  };
  GOSS_TRY_ASSIGN(const gossPrecisionConfig_t config, parse_header(next_line()));
  PrecisionController controller(config);
  for (std::string_view line = next_line(); !line.empty(); line = next_line()) {
    ++number;
    Inputs inputs;
    if (!parse_inputs(line, inputs)) return unreadable(number, "decision");
    GOSS_TRY(controller.decide(inputs.buckets, inputs.evidence)
                 .with_context("precision log : line " + std::to_string(number)));
    const std::string again = log_line(controller);
    if (again == line) continue;
    return fail(
        gossInvalidUsage,
        "precision log : line %llu comes out differently; it says\n%.*sbut decided again it "
        "is\n%s",
        static_cast<unsigned long long>(number), static_cast<int>(line.size()), line.data(),
        again.c_str());
  }
  return number - 1;
}

}  // namespace goss::adaptive
