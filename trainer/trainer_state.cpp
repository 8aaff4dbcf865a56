// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// The trainer's book-keeping: checkpoints, the log's first and last line, when to stop.
#include <sys/utsname.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>
#include <numeric>

#include "check.h"
#include "hash.h"
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

}  // namespace

uint64_t Trainer::weights_hash() {
  const auto weights = model_->weights();
  return hash_bytes(kHashStart,
                    {reinterpret_cast<const uint8_t*>(weights.data()), weights.size_bytes()});
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
  auto trained = static_cast<double>(record_.trained);
  ranks_.sum(std::span(&trained, 1));
  report.loss = std::accumulate(sample_losses_.begin(), sample_losses_.end(), 0.0) / trained;
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

nlohmann::json Trainer::header() {
  return {{"type", "run"},
          {"format", 1},
          {"options", to_json(options_)},
          {"ranks", ranks_.count()},
          {"parameters", model_->weights().size()},
          {"train_samples", data_.train.count()},
          {"data_hash", hex(data_.hash)},
          {"initial_weights", hex(weights_hash())},
          {"version", GOSS_VERSION_CODE},
          {"cpu", cpu_name()},
          {"bounds", bounds_ ? nlohmann::json(*bounds_) : nlohmann::json()},
          {"precision", precision_ ? precision_->header() : ""}};
}

gossBatchConfig_t Trainer::batch_config() const {
  gossBatchConfig_t config = options_.batches;
  config.samples = data_.train.count();
  if (options_.bounds != Options::Bounds::kApply) return config;
  const auto of_all = [this](uint64_t share) {
    const auto ranks = static_cast<uint64_t>(ranks_.count());
    return static_cast<int>(std::min(share * ranks, uint64_t{1} << 30));
  };
  config.batchMin = std::max(config.batchMin, of_all(bounds_->compute));
  if (bounds_->memory != 0) {
    const int most = of_all(bounds_->memory);
    config.batchMax = config.batchMax == 0 ? most : std::min(config.batchMax, most);
  }
  if (config.batchMax != 0) config.batchMin = std::min(config.batchMin, config.batchMax);
  return config;
}

void Trainer::introduce() {
  if (!log_) return;
  log_->write(header_);
  char line[200];
  std::snprintf(
      line, sizeof line, "%s: %zu samples (hash %s), %s with %zu parameters, %d rank%s, %s batches",
      options_.data.name.c_str(), data_.train.count(), hex(data_.hash).c_str(),
      options_.network.c_str(), model_->weights().size(), ranks_.count(),
      ranks_.count() == 1 ? "" : "s", to_json(options_)["mode"].get<std::string>().c_str());
  log_->say(line);
  if (!bounds_) return;
  log_->say("a rank's share of a batch: " + std::to_string(bounds_->compute) +
            " samples or more are efficient, " +
            (bounds_->memory == 0 ? "any number fits" : std::to_string(bounds_->memory) + " fit") +
            (options_.bounds == Options::Bounds::kApply ? "" : " (not applied)"));
}

// Rank 0 writes the log. When it has died, the next one goes on in it: with the line of the last
// epoch, unless that was still written.
void Trainer::notice_deaths() {
  if (noticed_ == ranks_.generation()) return;
  noticed_ = ranks_.generation();
  if (ranks_.rank() != 0) return;
  if (!log_) {
    log_.emplace(Log::take_over(options_.log, options_.quiet));
    if (log_->bytes() == 0) log_->write(header_);
    if (!last_epoch_.is_null() && log_->newest("epoch")["epoch"] != last_epoch_["epoch"]) {
      log_->write(last_epoch_);
    }
  }
  const nlohmann::json line = {{"type", "lost"},
                               {"ranks", ranks_.lost()},
                               {"living", ranks_.count()},
                               {"updates", updates_}};
  log_->write(line);
  log_->say("rank " + line["ranks"].dump() + " lost; " + std::to_string(ranks_.count()) +
            " go on after " + std::to_string(updates_) + " updates");
}

void Trainer::finish() {
  std::optional<AverageModel> average;
  sync_->settle();
  if (mixing_ != nullptr) average.emplace(*model_, ranks_);
  const uint64_t hash = weights_hash();
  ranks_.expect_equal(hash, "the trained model");
  notice_deaths();
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
bool Trainer::stop_agreed(const std::atomic<bool>& stop, uint64_t step) {
  if (step % kStepsBetweenQuestions != 0) return false;
  const bool stops = ranks_.max(stop ? 1 : 0) != 0;
  notice_deaths();
  return stops;
}

void Trainer::save() {
  if (!checkpoints_ || saved_at_ == updates_) return;
  saved_at_ = updates_;
  sync_->settle();
  checkpoints_->save(updates_, [this] { return snapshot(); });
}

Snapshot Trainer::snapshot() {
  notice_deaths();
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
  if (bounds_) snapshot.values["bounds"] = *bounds_;
  snapshot.put<float>("weights", model_->weights());
  for (size_t i = 0; i < optimizer_.buffers().size(); ++i) {
    snapshot.put<float>("optimizer" + std::to_string(i), optimizer_.buffers()[i]);
  }
  snapshot.put<float>("sample_losses", sample_losses_);
  snapshot.put<EpochRecord>("record", std::span(&record_, 1));
  snapshot.bytes["batches"] = planner_->save();
  if (precision_) snapshot.bytes["precision"] = precision_->save();
  if (ada_scale_) snapshot.put<gossAdaScale_t>("ada_scale", ada_scale_->state());
  sync_->save(snapshot);
  return snapshot;
}

void Trainer::restore(const Snapshot& snapshot) {
  const nlohmann::json& values = snapshot.values;
  const nlohmann::json mine = to_json(options_);
  for (const auto& [key, value] : values.at("options").items()) {
    const nlohmann::json own = mine.value(key, nlohmann::json());
    if (own != value) {
      throw Failure("the checkpoint was made with " + key + " " + value.dump() + ", this run has " +
                    own.dump());
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
  if (values.contains("bounds")) bounds_ = values.at("bounds").get<Bounds>();
  if (options_.watch_precision) precision_.emplace(snapshot.bytes.at("precision"));
  if (ada_scale_) snapshot.get<gossAdaScale_t>("ada_scale", ada_scale_->state());
  sync_->restore(snapshot);
  updates_ = values.at("updates");
  saved_at_ = updates_;
  optimizer_.steps() = values.at("optimizer_steps");
  before_ = {values.at("messages"), values.at("payload_bytes"), values.at("sent_bytes")};
  best_validation_ = values.at("best_validation");
  if (ranks_.rank() != 0) return;
  log_.emplace(options_.log, options_.quiet, values.at("log_bytes"));
  log_->say("resumed after " + std::to_string(updates_) + " updates");
}

}  // namespace goss::train
