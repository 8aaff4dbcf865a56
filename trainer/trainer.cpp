// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "trainer.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <nlohmann/json.hpp>

namespace goss::train {

namespace {

// Adds the seconds of its life to `sum`.
class Stopwatch {
 public:
  explicit Stopwatch(double& sum) : sum_(sum), start_(std::chrono::steady_clock::now()) {}
  ~Stopwatch() {
    sum_ += std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  }
  Stopwatch(const Stopwatch&) = delete;
  Stopwatch& operator=(const Stopwatch&) = delete;

 private:
  double& sum_;
  std::chrono::steady_clock::time_point start_;
};

gossBatchConfig_t batch_config(const Options& options, size_t samples) {
  gossBatchConfig_t config = options.batches;
  config.samples = samples;
  return config;
}

Schedule schedule_of(const Options& options, size_t samples) {
  Schedule schedule = options.schedule;
  schedule.total_samples = static_cast<double>(samples) * options.epochs;
  return schedule;
}

}  // namespace

Trainer::Trainer(const Options& options, const Ranks& ranks, const Splits& data,
                 std::unique_ptr<Model> model)
    : options_(options),
      ranks_(ranks),
      data_(data),
      model_(std::move(model)),
      sync_(make_all_reduce(ranks, options.bucket_kib != 0)),
      optimizer_(options.optimizer, model_->weights().size()),
      schedule_(schedule_of(options, data.train.count())),
      sample_losses_(data.train.count()) {
  ranks.expect_equal(data.hash, "the data");
  ranks.expect_equal(std::hash<std::string>()(to_json(options).dump()), "the command line");
  ranks.expect_equal(weights_hash(), "the initial model");
  if (options.ada_scale) ada_scale_.emplace(ranks);
  if (!options.checkpoint.empty()) checkpoints_.emplace(options.checkpoint, ranks);
  std::optional<Snapshot> snapshot;
  if (options.resume) {
    snapshot = checkpoints_->load();
  } else if (checkpoints_ && checkpoints_->any()) {
    throw Failure("--checkpoint " + options.checkpoint +
                  ": has checkpoints of another run: --resume it, or give another folder");
  }
  if (snapshot) {
    restore(*snapshot);
    return;
  }
  if (ranks.rank() == 0) log_.emplace(options.log, options.quiet, 0);
  planner_.emplace(batch_config(options, data.train.count()), ranks);
  if (options.watch_precision) precision_.emplace(options.precision);
  log_header();
}

bool Trainer::run(const std::atomic<bool>& stop) {
  while (planner_->epoch().epoch < static_cast<uint64_t>(options_.epochs)) {
    if (!train_epoch(stop)) {
      if (checkpoints_) save();
      return false;
    }
    end_epoch();
    if (checkpoints_) save();
  }
  finish();
  return true;
}

bool Trainer::train_epoch(const std::atomic<bool>& stop) {
  const gossEpoch_t epoch = planner_->epoch();
  for (uint64_t step = epoch.next_step; step < epoch.steps; ++step) {
    if (stop_agreed(stop, step)) return false;
    train_step(step);
    if (log_) show_progress(epoch, step);
    const uint64_t every = options_.checkpoint_every;
    if (checkpoints_ && every != 0 && updates_ % every == 0) save();
  }
  return true;
}

// One update: what this rank computes, what all ranks sum, what all ranks apply.
void Trainer::train_step(uint64_t step) {
  Stopwatch whole(record_.step_s);
  const Batch batch = planner_->batch(step);
  const std::vector<int> bits = precision_ ? precision_->bits() : std::vector<int>{};
  sync_->begin(batch.info, bits.empty() ? 32 : bits[static_cast<size_t>(batch.info.bucket)]);
  losses_.resize(batch.samples.size());
  model_->backward(data_.train, batch.samples, batch.weights, losses_,
                   [&](size_t begin, size_t end) {
                     Stopwatch exposed(record_.exposed_s);
                     const auto part = model_->gradient().subspan(begin, end - begin);
                     if (ada_scale_) ada_scale_->local(part);
                     sync_->post(part);
                   });
  {
    Stopwatch exposed(record_.exposed_s);
    sync_->finish();
  }
  const double factor = ada_scale_
                            ? ada_scale_->learning_rate_factor(batch.info, model_->gradient())
                            : batch.info.lr_scale;
  const double rate = schedule_.at(static_cast<double>(batch.info.samples_before)) * factor;
  optimizer_.apply({model_->gradient(), static_cast<double>(batch.info.real), rate},
                   model_->weights());
  sync_->updated(model_->weights());
  planner_->record(step, losses_);
  for (size_t i = 0; i < losses_.size(); ++i) {
    if (batch.weights[i] != 0) sample_losses_[batch.samples[i]] = losses_[i];
  }
  ++updates_;
  ++record_.updates;
}

void Trainer::end_epoch() {
  EpochReport report;
  report.plan = planner_->epoch();
  report.buckets = planner_->buckets();
  if (precision_) report.bits = precision_->bits();
  {
    Stopwatch watch(record_.evaluate_s);
    report.validation = evaluate(*model_, data_.validation, ranks_);
    report.test = evaluate(*model_, data_.test, ranks_);  // nothing is decided by it
  }
  best_validation_ = std::max(best_validation_, report.validation.accuracy);
  const bool guarded = options_.batches.mode == gossBatchAdaptive;
  planner_->next_epoch(guarded ? report.validation.losses : std::vector<float>());
  if (precision_) {
    report.decision = precision_->decide(planner_->buckets(), report.validation.losses);
    report.precision_line = precision_->line();
  }
  ranks_.sum(sample_losses_);  // zeros for the samples of others
  if (log_) {
    report.record = record_;
    report.counters = counters();
    describe_losses(report);
    log_->write(to_json(report));
    log_->say(to_line(report));
  }
  begin_record();
}

}  // namespace goss::train
