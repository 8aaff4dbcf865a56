// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "collectives/gossip_matrix.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace goss::collectives {

namespace {

using Vector = std::vector<double>;

double mean_of_living(const AliveSet& alive, std::span<const double> x) {
  double sum = 0;
  for (int p = 0; p < alive.size(); ++p) sum += x[static_cast<size_t>(alive.rank_at(p))];
  return sum / alive.size();
}

void average_living(const AliveSet& alive, std::span<double> x) {
  const double mean = mean_of_living(alive, x);
  for (int p = 0; p < alive.size(); ++p) x[static_cast<size_t>(alive.rank_at(p))] = mean;
}

void subtract_mean(const AliveSet& alive, std::span<double> x) {
  const double mean = mean_of_living(alive, x);
  for (int p = 0; p < alive.size(); ++p) x[static_cast<size_t>(alive.rank_at(p))] -= mean;
}

double norm(std::span<const double> x) {
  double sum = 0;
  for (const double value : x) sum += value * value;
  return std::sqrt(sum);
}

enum class Direction { kForward, kTransposed };

void apply_round(const GossipSchedule& schedule, uint64_t step, int round, Direction direction,
                 std::span<double> x) {
  Vector result(x.begin(), x.end());
  const AliveSet& alive = schedule.alive();
  if (direction == Direction::kTransposed) {
    for (int p = 0; p < alive.size(); ++p) result[static_cast<size_t>(alive.rank_at(p))] = 0;
  }
  for (int p = 0; p < alive.size(); ++p) {
    const GossipAt at{step, alive.rank_at(p), round};
    const auto me = static_cast<size_t>(at.rank);
    const Exchange exchange = schedule.exchange(at);
    // One division of the sum of whole parts, as the kernels do it: exact where they are.
    double sum = exchange.own_parts * x[me];
    if (direction == Direction::kTransposed) result[me] += sum / exchange.total_parts;
    for (int i = 0; i < exchange.receives; ++i) {
      const Incoming in = schedule.receive(at, i);
      const auto peer = static_cast<size_t>(in.peer);
      sum += in.parts * x[peer];
      if (direction == Direction::kTransposed) {
        result[peer] += in.parts * x[me] / exchange.total_parts;
      }
    }
    if (direction == Direction::kForward) result[me] = sum / exchange.total_parts;
  }
  std::copy(result.begin(), result.end(), x.begin());
}

// The largest over the Fourier modes of the circulant matrices.
double dissemination_contraction(int n, int period) {
  const double hops = std::ldexp(1.0, period);
  if (hops == n) return 0;
  double largest = 0;
  for (int j = 1; j < n; ++j) {
    const double theta = std::numbers::pi * j / n;
    largest = std::max(largest, std::abs(std::sin(hops * theta)) / (hops * std::sin(theta)));
  }
  return largest;
}

double ring_contraction(int n) {
  if (n == 2) return 0;
  double largest = 0;
  for (int j = 1; j < n; ++j) {
    largest = std::max(largest, std::abs(1 + 2 * std::cos(2 * std::numbers::pi * j / n)) / 3);
  }
  return largest;
}

// A matching is a projection, so E |Wx|^2 = x E[W] x.
double random_pair_contraction(int n) {
  return std::sqrt(n % 2 == 0 ? (n - 2) / (2.0 * (n - 1)) : 0.5);
}

}  // namespace

void apply_mixing(const GossipSchedule& schedule, uint64_t step, std::span<double> x) {
  if (schedule.is_global(step)) {
    average_living(schedule.alive(), x);
    return;
  }
  for (int round = 0; round < schedule.rounds(); ++round) {
    apply_round(schedule, step, round, Direction::kForward, x);
  }
}

void apply_transposed_mixing(const GossipSchedule& schedule, uint64_t step, std::span<double> x) {
  if (schedule.is_global(step)) {
    average_living(schedule.alive(), x);
    return;
  }
  for (int round = schedule.rounds() - 1; round >= 0; --round) {
    apply_round(schedule, step, round, Direction::kTransposed, x);
  }
}

std::vector<double> mixing_matrix(const GossipSchedule& schedule, uint64_t step) {
  const auto n = static_cast<size_t>(schedule.alive().nranks());
  Vector matrix(n * n, 0);
  Vector column(n);
  for (size_t sender = 0; sender < n; ++sender) {
    std::fill(column.begin(), column.end(), 0);
    column[sender] = 1;
    apply_mixing(schedule, step, column);
    for (size_t receiver = 0; receiver < n; ++receiver) {
      matrix[receiver * n + sender] = column[receiver];
    }
  }
  return matrix;
}

double computed_contraction(const GossipSchedule& schedule, uint64_t step) {
  const AliveSet& alive = schedule.alive();
  Vector x(static_cast<size_t>(alive.nranks()), 0);
  // Any start that is orthogonal to no singular vector will do; this one has no symmetry.
  for (int p = 0; p < alive.size(); ++p) {
    x[static_cast<size_t>(alive.rank_at(p))] = std::sin(1.0 + p + 0.1 * p * p);
  }
  constexpr int kIterations = 20'000;
  constexpr double kConverged = 1e-13;
  constexpr double kNothingLeft = 1e-14;
  const auto last = step + static_cast<uint64_t>(schedule.period());
  double estimate = 0;
  for (int i = 0; i < kIterations; ++i) {
    subtract_mean(alive, x);
    const double before = norm(x);
    if (before == 0) return 0;
    for (double& value : x) value /= before;
    for (uint64_t s = step; s < last; ++s) apply_mixing(schedule, s, x);
    subtract_mean(alive, x);
    const double shrunk = norm(x);
    if (shrunk < kNothingLeft) return 0;
    for (uint64_t s = last; s-- > step;) apply_transposed_mixing(schedule, s, x);
    const double previous = estimate;
    estimate = shrunk;
    if (std::abs(estimate - previous) < kConverged * estimate) break;
  }
  return estimate;
}

double contraction(const GossipSchedule& schedule) {
  const int n = schedule.alive().size();
  if (n == 1) return 0;
  switch (schedule.topology()) {
    case Topology::kHypercube:
      return 1 << schedule.period() == n ? 0 : computed_contraction(schedule, 0);
    case Topology::kDissemination: return dissemination_contraction(n, schedule.period());
    case Topology::kRandomPair: return random_pair_contraction(n);
    case Topology::kRing: return ring_contraction(n);
    case Topology::kMixedRadix:
    case Topology::kFold: return 0;
    case Topology::kCustom: return computed_contraction(schedule, 0);
  }
  return 1;
}

uint64_t steps_to_shrink(const GossipSchedule& schedule, double factor) {
  if (factor >= 1) return 0;
  const double per_period = contraction(schedule);
  const auto period = static_cast<uint64_t>(schedule.period());
  if (per_period == 0) return period;
  constexpr double kRounding = 1e-9;  // a quarter squared is a sixteenth
  const double periods = std::log(factor) / std::log(per_period);
  return period * static_cast<uint64_t>(std::ceil(periods - kRounding));
}

namespace {

std::string describe_exchange(const GossipSchedule& schedule, GossipAt at) {
  const Exchange exchange = schedule.exchange(at);
  std::string text = "  rank " + std::to_string(at.rank);
  if (schedule.rounds() > 1) text += " round " + std::to_string(at.round);
  if (exchange.idle()) return text + ": idle\n";
  const std::string total = "/" + std::to_string(exchange.total_parts);
  text += ": keeps " + std::to_string(exchange.own_parts) + total;
  for (int i = 0; i < exchange.sends; ++i) {
    text += ", to rank " + std::to_string(schedule.send_peer(at, i));
  }
  for (int i = 0; i < exchange.receives; ++i) {
    const Incoming in = schedule.receive(at, i);
    text += ", " + std::to_string(in.parts) + total + " of rank " + std::to_string(in.peer);
  }
  return text + "\n";
}

}  // namespace

std::string describe(const GossipSchedule& schedule, uint64_t step) {
  const AliveSet& alive = schedule.alive();
  std::string text = std::string(topology_name(schedule.topology())) + ", step " +
                     std::to_string(step) + ", " + std::to_string(alive.size()) + " of " +
                     std::to_string(alive.nranks()) + " ranks alive\n";
  if (schedule.is_global(step)) return text + "  all-reduce\n";
  for (int position = 0; position < alive.size(); ++position) {
    for (int round = 0; round < schedule.rounds(); ++round) {
      text += describe_exchange(schedule, {step, alive.rank_at(position), round});
    }
  }
  return text;
}

}  // namespace goss::collectives
