// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Histogram: losses of sharded data. Each rank counts its own samples in classes; the sum over all
// ranks says where buckets begin and end, and each rank cuts its own samples there. A class that
// lies across an end is divided in proportion, so buckets are as large as wanted even when all
// losses are equal.
//
// Classes by hardness: 0 below 2^-20 (and not positive), eight per octave up to 2^12, one above,
// and last the samples never seen. The class comes from the bits of the float; no logarithm is
// taken.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "gossamer/adaptive.h"

namespace goss::adaptive {

constexpr int kUnseenClass = 258;
constexpr size_t kClasses = 259;
using Histogram = std::array<uint64_t, kClasses>;

int loss_class(uint32_t code);
// The number that stands for the losses of a class: its middle.
double class_value(int loss_class);

Histogram count_classes(std::span<const uint32_t> codes);
uint64_t total_of(const Histogram& counts);

// How the order of all samples is walked: as hardest_first(), or from the easiest, then the unseen.
enum class Walk { kHardestFirst, kEasiestFirst };

class SharedOrder {
 public:
  // `all` is the sum of the histograms of all ranks, `own` one of them.
  SharedOrder(const Histogram& all, const Histogram& own, uint64_t trimmed, Walk walk);

  // Of the first `position` samples of all ranks, how many are this rank's.
  uint64_t own_before(uint64_t position) const;
  // This rank's trimmed samples.
  uint64_t own_trimmed() const { return own_trimmed_; }
  // The losses at positions [begin, end), without unseen and trimmed ones, as describe().
  gossBucket_t describe(uint64_t begin, uint64_t end) const;

 private:
  struct Stretch {
    int loss_class;
    bool trimmed;
    uint64_t all;
    uint64_t own;
  };
  std::vector<Stretch> stretches_;
  uint64_t own_trimmed_ = 0;
};

}  // namespace goss::adaptive
