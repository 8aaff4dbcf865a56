// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "trainer.h"

#include <algorithm>
#include <chrono>
#include <cmath>

namespace goss::train {

namespace {

// Adds the seconds of its life, times `factor`, to `sum`.
class Stopwatch {
 public:
  explicit Stopwatch(double& sum, double factor = 1)
      : sum_(sum), factor_(factor), start_(std::chrono::steady_clock::now()) {}
  ~Stopwatch() {
    const auto time = std::chrono::steady_clock::now() - start_;
    sum_ += factor_ * std::chrono::duration<double>(time).count();
  }
  Stopwatch(const Stopwatch&) = delete;
  Stopwatch& operator=(const Stopwatch&) = delete;

 private:
  double& sum_;
  double factor_;
  std::chrono::steady_clock::time_point start_;
};

}  // namespace

Trainer::Trainer(const Options& options, Ranks& ranks, const Splits& data,
                 std::unique_ptr<Model> model)
    : options_(options),
      ranks_(ranks),
      data_(data),
      model_(std::move(model)),
      optimizer_(options.optimizer, model_->weights().size()),
      sample_losses_(data.train.count()) {
  const Flat flat{model_->weights(), model_->gradient()};
  if (options.gossip) {
    std::unique_ptr<Mixing> mixing =
        make_gossip(ranks, flat, options.gossip_config, options.mix_order);
    mixing_ = mixing.get();
    sync_ = std::move(mixing);
  } else {
    sync_ = make_all_reduce(ranks, flat, options.bucket_kib != 0, options.codec);
  }
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
  if (options.bounds != Options::Bounds::kOff) {
    bounds_ = measure_bounds(*model_, data.train, ranks);
  }
  planner_.emplace(batch_config(), ranks);
  if (options.watch_precision) precision_.emplace(options.precision);
  header_ = header();
  introduce();
}

bool Trainer::run(const std::atomic<bool>& stop) {
  while (planner_->epoch().epoch < static_cast<uint64_t>(options_.epochs)) {
    if (!train_epoch(stop)) {
      save();
      return false;
    }
    end_epoch();
    save();
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
    if (every != 0 && updates_ % every == 0) save();
  }
  return true;
}

// One update: what this rank computes, what the ranks exchange, what the optimizer makes of it.
void Trainer::train_step(uint64_t step) {
  Stopwatch whole(record_.step_s);
  const Batch batch = planner_->batch(step);
  const std::vector<int> bits = precision_ ? precision_->bits() : std::vector<int>{};
  const double rate = options_.schedule.at(planner_->epochs_before(batch.info) / options_.epochs);
  optimizer_.advance();
  const Sync::Update update = [&](Part part) {
    Stopwatch not_exposed(record_.exposed_s, -1);
    const double factor = ada_scale_
                              ? ada_scale_->learning_rate_factor(batch.info, model_->gradient())
                              : batch.info.lr_scale;
    optimizer_.apply({model_->gradient(), sync_->samples(batch.info), rate * factor},
                     model_->weights(), part.begin, part.end);
  };
  {
    Stopwatch exposed(record_.exposed_s);
    const int wanted = bits.empty() ? 32 : bits[static_cast<size_t>(batch.info.bucket)];
    const double unit =
        optimizer_.unit(rate * batch.info.lr_scale, static_cast<double>(batch.info.real));
    sync_->begin({updates_, wanted, static_cast<float>(unit)}, update);
  }
  losses_.resize(batch.samples.size());
  model_->backward(data_.train, batch.samples, batch.weights, losses_,
                   [&](size_t begin, size_t end) {
                     Stopwatch exposed(record_.exposed_s);
                     if (ada_scale_) {
                       ada_scale_->local(model_->gradient().subspan(begin, end - begin));
                     }
                     sync_->post({begin, end});
                   });
  {
    Stopwatch exposed(record_.exposed_s);
    sync_->finish();
  }
  record_.codec_error += sync_->error();
  planner_->record(step, losses_);
  for (size_t i = 0; i < losses_.size(); ++i) {
    if (batch.weights[i] == 0) continue;
    sample_losses_[batch.samples[i]] = losses_[i];
    ++record_.trained;
  }
  ++updates_;
  ++record_.updates;
}

// Of the mean of the models where they differ. Nothing is decided by the test set.
void Trainer::evaluate_models(EpochReport& report) {
  Stopwatch watch(record_.evaluate_s);
  sync_->settle();
  std::optional<AverageModel> average;
  if (mixing_ != nullptr) {
    const auto count = static_cast<double>(data_.validation.count());
    const double own = accuracy_alone(*model_, data_.validation);
    const auto worst = static_cast<double>(ranks_.min(std::llround(own * count)));
    average.emplace(*model_, ranks_);
    report.mixed = MixedEpoch{worst / count, model_->weights().size_bytes(), mixing_->report()};
  }
  report.validation = evaluate(*model_, data_.validation, ranks_);
  report.test = evaluate(*model_, data_.test, ranks_);
}

void Trainer::end_epoch() {
  EpochReport report;
  report.plan = planner_->epoch();
  report.buckets = planner_->buckets();
  if (precision_) report.bits = precision_->bits();
  evaluate_models(report);
  best_validation_ = std::max(best_validation_, report.validation.accuracy);
  const bool guarded = options_.batches.mode == gossBatchAdaptive;
  planner_->next_epoch(guarded ? report.validation.losses : std::vector<float>());
  if (precision_) {
    report.decision = precision_->decide(planner_->buckets(), report.validation.losses);
    report.precision_line = precision_->line();
  }
  ranks_.sum(sample_losses_);  // zeros for the samples of others
  describe_losses(report);
  notice_deaths();
  report.record = record_;
  report.counters = counters();
  report.ranks = ranks_.count();
  last_epoch_ = to_json(report);
  if (log_) {
    log_->write(last_epoch_);
    log_->say(to_line(report));
  }
  begin_record();
}

}  // namespace goss::train
