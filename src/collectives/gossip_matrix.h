// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// A gossip schedule as mathematics: its mixing matrices and how fast they shrink disagreement. For
// users who ask, explain and tests; these functions allocate.
//
// x <- W x in every step; W is n x n over all ranks, and dead ranks keep what they have (a one on
// the diagonal). J is the matrix that gives every living rank the mean of the living ones.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "collectives/gossip.h"

namespace goss::collectives {

// Row-major: element [receiver * n + sender]. All rounds of the step together; J in global steps.
std::vector<double> mixing_matrix(const GossipSchedule& schedule, uint64_t step);

// x <- W x and x <- transpose(W) x, x one number per rank, without the matrix.
void apply_mixing(const GossipSchedule& schedule, uint64_t step, std::span<double> x);
void apply_transposed_mixing(const GossipSchedule& schedule, uint64_t step, std::span<double> x);

// By how much one period at most multiplies the disagreement ||x - mean||: the spectral norm of
// (product of the period's W) - J. Global steps are not counted in. From closed forms for all
// topologies but the hypercube with skips and custom lists, where it is computed from the first
// period. For random pairs it is the root of the expected square.
double contraction(const GossipSchedule& schedule);

// The same, computed by power iteration for the period that begins at `step`, for any topology.
double computed_contraction(const GossipSchedule& schedule, uint64_t step);

// How many steps it takes until a disagreement has shrunk by `factor` < 1, by contraction(): 0 for
// a factor of 1, one period for an exact schedule.
uint64_t steps_to_shrink(const GossipSchedule& schedule, double factor);

// One line per living rank and round: its own weight, whom it sends to, whom it receives from.
std::string describe(const GossipSchedule& schedule, uint64_t step);

}  // namespace goss::collectives
