// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// What the ranks tell each other between two epochs: BatchPlanner's exchange. Everything is a
// maximum or a sum of integers, so any all-reduce gives all ranks the same bits.
//   global data    losses (u32, max)                        -> plan -> hash (2 u64, max)
//   sharded data   histogram (u64, sum) -> counts (u64, sum) -> plan -> hash
#include <algorithm>

#include "adaptive/batch_config.h"
#include "adaptive/batch_planner.h"
#include "adaptive/loss_code.h"

namespace goss::adaptive {

namespace {

unsigned long long printable(uint64_t value) { return value; }

Status broken_loss(uint64_t sample, uint64_t epoch, int rank) {
  const std::string whose = rank < 0 ? "" : " of rank " + std::to_string(rank);
  return fail(
      gossInvalidArgument,
      "batch planner : sample %llu%s had a loss that is no finite number in epoch %llu: the "
      "training has diverged or the sample is broken; go back to a checkpoint",
      printable(sample), whose.c_str(), printable(epoch));
}

}  // namespace

Result<gossExchange_t> BatchPlanner::exchange() {
  if (!failure_.ok()) return failure_;
  failure_ = absorb();
  if (!failure_.ok()) return failure_;
  return hand_out();
}

// Takes in the buffer that was handed out last, and prepares the next one.
Status BatchPlanner::absorb() {
  switch (waiting_) {
    case Waiting::kNothing: return {};
    case Waiting::kStart:
      if (config_.sharded == 1) {
        offer_histogram();
      } else if (epoch_ > 0) {
        waiting_ = Waiting::kLosses;
      } else {
        return absorb_losses();  // there are none yet
      }
      return {};
    case Waiting::kLosses: return absorb_losses();
    case Waiting::kHistogram: return absorb_histogram();
    case Waiting::kCounts: return absorb_counts();
    case Waiting::kHash: return absorb_hash();
  }
  return {};
}

gossExchange_t BatchPlanner::hand_out() {
  switch (waiting_) {
    case Waiting::kNothing:
    case Waiting::kStart: return {nullptr, 0, gossUint64, gossMax};
    case Waiting::kLosses:
      if (!recorded_.empty()) return {recorded_.data(), recorded_.size(), gossUint32, gossMax};
      message_.assign(1, 0);  // count 0 would mean that all is done
      return {message_.data(), 1, gossUint64, gossMax};
    case Waiting::kHistogram:
    case Waiting::kCounts: return {message_.data(), message_.size(), gossUint64, gossSum};
    case Waiting::kHash: return {message_.data(), message_.size(), gossUint64, gossMax};
  }
  return {nullptr, 0, gossUint64, gossMax};
}

Status BatchPlanner::absorb_losses() {
  const auto broken = std::find(recorded_.begin(), recorded_.end(), kBrokenLoss);
  if (broken != recorded_.end()) {
    return broken_loss(static_cast<uint64_t>(broken - recorded_.begin()), epoch_ - 1, -1);
  }
  merge_recorded();
  planned_excess_ = uses_guard(config_, epoch_) ? guard_.excess() : 0;
  bucketed_ = bucket_samples(config_, epoch_, losses_, nullptr, planned_excess_);
  std::vector<uint64_t> counts;
  for (const auto& bucket : bucketed_.own) counts.push_back(bucket.size());
  make_plan({counts});
  message_ = {hash_, ~hash_};
  waiting_ = Waiting::kHash;
  return {};
}

// Classes, the sum of losses, and for every rank 1 + a sample with a broken loss.
void BatchPlanner::offer_histogram() {
  const auto broken = std::find(recorded_.begin(), recorded_.end(), kBrokenLoss);
  message_.assign(kClasses + 1 + static_cast<size_t>(config_.nranks), 0);
  if (broken != recorded_.end()) {
    message_[kClasses + 1 + static_cast<size_t>(config_.rank)] =
        static_cast<uint64_t>(broken - recorded_.begin()) + 1;
  } else {
    merge_recorded();
    const Histogram own = count_classes(losses_);
    std::copy(own.begin(), own.end(), message_.begin());
    int64_t sum = 0;
    for (const uint32_t code : losses_) sum += fixed_loss(code);
    message_[kClasses] = static_cast<uint64_t>(sum);
  }
  waiting_ = Waiting::kHistogram;
}

Status BatchPlanner::absorb_histogram() {
  for (int rank = 0; rank < config_.nranks; ++rank) {
    const uint64_t broken = message_[kClasses + 1 + static_cast<size_t>(rank)];
    if (broken != 0) return broken_loss(broken - 1, epoch_ - 1, rank);
  }
  uint64_t total = 0;
  for (size_t c = 0; c < kClasses; ++c) total += shared_.all[c] = message_[c];
  shared_.sum = static_cast<int64_t>(message_[kClasses]);
  if (total >= GOSS_NO_SAMPLE) {
    return fail(gossInvalidUsage,
                "batch planner : the %d ranks have %llu samples together (below 2^32 - 1)",
                config_.nranks, printable(total));
  }
  offer_counts();
  return {};
}

void BatchPlanner::offer_counts() {
  planned_excess_ = uses_guard(config_, epoch_) ? guard_.excess() : 0;
  bucketed_ = bucket_samples(config_, epoch_, losses_, &shared_, planned_excess_);
  const size_t buckets = bucketed_.own.size();
  message_.assign(static_cast<size_t>(config_.nranks) * buckets, 0);
  for (size_t b = 0; b < buckets; ++b) {
    message_[static_cast<size_t>(config_.rank) * buckets + b] = bucketed_.own[b].size();
  }
  waiting_ = Waiting::kCounts;
}

Status BatchPlanner::absorb_counts() {
  const size_t buckets = bucketed_.own.size();
  std::vector<std::vector<uint64_t>> counts;
  for (auto row = message_.begin(); row != message_.end();) {
    const auto end = row + static_cast<std::ptrdiff_t>(buckets);
    counts.emplace_back(row, end);
    row = end;
  }
  make_plan(std::move(counts));
  message_ = {hash_, ~hash_};
  waiting_ = Waiting::kHash;
  return {};
}

// The largest hash is mine and so is the smallest: then all are equal.
Status BatchPlanner::absorb_hash() {
  if (message_[0] != hash_ || message_[1] != ~hash_) {
    return fail(gossInvalidUsage,
                "batch planner : the plans of epoch %llu differ: this rank has %016llx, the ranks "
                "together %016llx to %016llx. All ranks need the same config and seed, and the "
                "buffers of every exchange reduced over all ranks",
                printable(epoch_), printable(hash_), printable(~message_[1]),
                printable(message_[0]));
  }
  waiting_ = Waiting::kNothing;
  return {};
}

}  // namespace goss::adaptive
