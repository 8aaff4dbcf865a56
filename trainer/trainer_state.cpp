// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// The trainer's book-keeping: checkpoints, the log's first and last line, when to stop.
#include <sys/utsname.h>

#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>
#include <numeric>

#include "check.h"
#include "trainer.h"

namespace goss::train {

namespace {

constexpr uint64_t kStepsBetweenQuestions = 16;  // whether any rank was asked to stop

std::string cpu_name() {
  std::ifstream cpus("/proc/cpuinfo");
  for (std::string line; std::getline(cpus, line);) {
    if (line.starts_with("model name")) return line.substr(line.find(':') + 2);
  }
  utsname names{};
  uname(&names);
  return names.machine;
}

std::string hex(uint64_t number) {
  char text[20];
  std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(number));
  return text;
}

}  // namespace

// FNV-1a over the bits of the weights.
uint64_t Trainer::weights_hash() {
  uint64_t hash = 0xcbf29ce484222325u;
  for (const std::byte byte : std::as_bytes(model_->weights())) {
    hash = (hash ^ static_cast<uint8_t>(byte)) * 0x100000001b3u;
  }
  return hash;
}

SyncCounters Trainer::counters() const {
  const SyncCounters now = sync_->counters();
  return {before_.messages + now.messages, before_.payload_bytes + now.payload_bytes,
          before_.sent_bytes + now.sent_bytes};
}

void Trainer::begin_record() {
  std::fill(sample_losses_.begin(), sample_losses_.end(), 0.f);
  const SyncCounters now = counters();
  record_ = {};
  record_.messages_before = now.messages;
  record_.payload_before = now.payload_bytes;
  record_.sent_before = now.sent_bytes;
}

void Trainer::describe_losses(EpochReport& report) {
  report.curve = loss_curve(sample_losses_);
  report.loss = std::accumulate(sample_losses_.begin(), sample_losses_.end(), 0.0) /
                static_cast<double>(report.plan.samples);
  report.difficulty_correlation =
      data_.train.difficulty.empty() ? 0 : rank_correlation(sample_losses_, data_.train.difficulty);
}

void Trainer::show_progress(const gossEpoch_t& epoch, uint64_t step) {
  char line[120];
  std::snprintf(line, sizeof line, "epoch %llu/%d  update %llu/%llu",
                static_cast<unsigned long long>(epoch.epoch + 1), options_.epochs,
                static_cast<unsigned long long>(step + 1),
                static_cast<unsigned long long>(epoch.steps));
  log_->progress(line);
}

void Trainer::log_header() {
  if (!log_) return;
  log_->write({{"type", "run"},
               {"format", 1},
               {"options", to_json(options_)},
               {"ranks", ranks_.count()},
               {"parameters", model_->weights().size()},
               {"train_samples", data_.train.count()},
               {"data_hash", hex(data_.hash)},
               {"initial_weights", hex(weights_hash())},
               {"version", GOSS_VERSION_CODE},
               {"cpu", cpu_name()},
               {"precision", precision_ ? precision_->header() : ""}});
  char line[200];
  std::snprintf(
      line, sizeof line, "%s: %zu samples (hash %s), %s with %zu parameters, %d rank%s, %s batches",
      options_.data.name.c_str(), data_.train.count(), hex(data_.hash).c_str(),
      options_.network.c_str(), model_->weights().size(), ranks_.count(),
      ranks_.count() == 1 ? "" : "s", to_json(options_)["mode"].get<std::string>().c_str());
  log_->say(line);
}

void Trainer::finish() {
  const uint64_t hash = weights_hash();
  ranks_.expect_equal(hash, "the trained model");
  if (!log_) return;
  const SyncCounters total = counters();
  log_->write({{"type", "end"},
               {"updates", updates_},
               {"messages", total.messages},
               {"payload_bytes", total.payload_bytes},
               {"sent_bytes", total.sent_bytes},
               {"best_validation_accuracy", best_validation_},
               {"weights", hex(hash)}});
  log_->say("done: " + std::to_string(updates_) + " updates, weights " + hex(hash));
}

// Signals come to the ranks at different steps; they stop at the same one.
bool Trainer::stop_agreed(const std::atomic<bool>& stop, uint64_t step) const {
  return step % kStepsBetweenQuestions == 0 && ranks_.max(stop ? 1 : 0) != 0;
}

void Trainer::save() {
  if (saved_at_ == updates_) return;
  saved_at_ = updates_;
  const SyncCounters total = counters();
  Snapshot snapshot;
  snapshot.values = {{"options", to_json(options_)},
                     {"version", GOSS_VERSION_CODE},
                     {"data_hash", data_.hash},
                     {"updates", updates_},
                     {"optimizer_steps", optimizer_.steps()},
                     {"messages", total.messages},
                     {"payload_bytes", total.payload_bytes},
                     {"sent_bytes", total.sent_bytes},
                     {"best_validation", best_validation_},
                     {"log_bytes", log_ ? log_->bytes() : 0}};
  snapshot.put<float>("weights", model_->weights());
  for (size_t i = 0; i < optimizer_.buffers().size(); ++i) {
    snapshot.put<float>("optimizer" + std::to_string(i), optimizer_.buffers()[i]);
  }
  snapshot.put<float>("sample_losses", sample_losses_);
  snapshot.put<EpochRecord>("record", std::span(&record_, 1));
  snapshot.bytes["batches"] = planner_->save();
  if (precision_) snapshot.bytes["precision"] = precision_->save();
  if (ada_scale_) snapshot.put<gossAdaScale_t>("ada_scale", ada_scale_->state());
  checkpoints_->save(updates_, snapshot);
}

void Trainer::restore(const Snapshot& snapshot) {
  const nlohmann::json& values = snapshot.values;
  const nlohmann::json mine = to_json(options_);
  for (const auto& [key, value] : values.at("options").items()) {
    if (mine.at(key) != value) {
      throw Failure("the checkpoint was made with " + key + " " + value.dump() + ", this run has " +
                    mine.at(key).dump());
    }
  }
  if (values.at("version") != GOSS_VERSION_CODE || values.at("data_hash") != data_.hash) {
    throw Failure("the checkpoint is of another version of goss-train or of other data");
  }
  snapshot.get<float>("weights", model_->weights());
  for (size_t i = 0; i < optimizer_.buffers().size(); ++i) {
    snapshot.get<float>("optimizer" + std::to_string(i), optimizer_.buffers()[i]);
  }
  snapshot.get<float>("sample_losses", sample_losses_);
  snapshot.get<EpochRecord>("record", std::span(&record_, 1));
  planner_.emplace(snapshot.bytes.at("batches"), ranks_);
  if (options_.watch_precision) precision_.emplace(snapshot.bytes.at("precision"));
  if (ada_scale_) snapshot.get<gossAdaScale_t>("ada_scale", ada_scale_->state());
  updates_ = saved_at_ = values.at("updates");
  optimizer_.steps() = values.at("optimizer_steps");
  before_ = {values.at("messages"), values.at("payload_bytes"), values.at("sent_bytes")};
  best_validation_ = values.at("best_validation");
  if (ranks_.rank() != 0) return;
  log_.emplace(options_.log, options_.quiet, values.at("log_bytes"));
  log_->say("resumed after " + std::to_string(updates_) + " updates");
}

}  // namespace goss::train
