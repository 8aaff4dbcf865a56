// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "collectives/gossip.h"

#include <algorithm>
#include <bit>
#include <numeric>
#include <optional>

#include "collectives/gossip_permutation.h"

namespace goss::collectives {

namespace {

int floor_log2(int n) { return std::bit_width(static_cast<unsigned>(n)) - 1; }
int ceil_log2(int n) { return std::bit_width(static_cast<unsigned>(n - 1)); }

std::vector<int> prime_factors(int n) {
  std::vector<int> factors;
  for (int p = 2; p * p <= n; ++p) {
    for (; n % p == 0; n /= p) factors.push_back(p);
  }
  if (n > 1) factors.push_back(n);
  return factors;
}

Topology topology_in_use(const GossipOptions& options, int size) {
  const bool whole = std::has_single_bit(static_cast<unsigned>(size));
  return options.topology == Topology::kHypercube && !whole && !options.hypercube_skips
             ? Topology::kDissemination
             : options.topology;
}

constexpr Exchange kIdle{};
constexpr Exchange kHalfAndHalf{1, 1, 1, 2};

}  // namespace

struct GossipSchedule::Place {
  GossipAt at;
  int phase;     // step within the period
  int position;  // of the rank, after rotation
  std::optional<Permutation> rotation;
};

GossipSchedule::GossipSchedule(const GossipOptions& options, const AliveSet& alive)
    : options_(options),
      alive_(alive),
      topology_(topology_in_use(options, alive.size())),
      size_(alive.size()) {
  switch (topology_) {
    case Topology::kHypercube:
    case Topology::kDissemination: period_ = std::max(1, ceil_log2(size_)); break;
    case Topology::kRandomPair:
    case Topology::kRing: break;
    case Topology::kMixedRadix:
      radices_ = prime_factors(size_);
      period_ = std::max(1, static_cast<int>(radices_.size()));
      break;
    case Topology::kFold:
      levels_ = floor_log2(size_);
      rounds_ = std::max(1, levels_ + (size_ > 1 << levels_ ? 2 : 0));
      break;
    case Topology::kCustom: period_ = static_cast<int>(options_.custom.size()); break;
  }
}

Result<GossipSchedule> GossipSchedule::create(const GossipOptions& options, const AliveSet& alive) {
  GOSS_TRY(check_gossip_options(options, alive.nranks()));
  if (alive.size() == 0) {
    return fail(gossInvalidArgument, "gossip: none of the %d ranks is alive", alive.nranks());
  }
  GossipSchedule schedule(options, alive);
  if (schedule.topology_ == Topology::kCustom) GOSS_TRY(schedule.make_custom());
  return schedule;
}

// Leaving the dead out of their cycles keeps one message in and one out for every living rank.
Status GossipSchedule::make_custom() {
  const auto n = static_cast<size_t>(alive_.nranks());
  std::vector<int> group(n);  // of ranks that meet, by its representative
  std::iota(group.begin(), group.end(), 0);
  const auto find = [&group](int rank) {
    while (group[static_cast<size_t>(rank)] != rank) rank = group[static_cast<size_t>(rank)];
    return rank;
  };
  for (const CustomPhase& phase : options_.custom) {
    CustomMap map{std::vector<int>(n, -1), std::vector<int>(n, -1)};
    for (int position = 0; position < size_; ++position) {
      const int rank = alive_.rank_at(position);
      int to = phase[static_cast<size_t>(rank)];
      while (!alive_.contains(to)) to = phase[static_cast<size_t>(to)];
      map.to[static_cast<size_t>(rank)] = to;
      map.from[static_cast<size_t>(to)] = rank;
      group[static_cast<size_t>(find(to))] = find(rank);
    }
    custom_.push_back(std::move(map));
  }
  const int first = alive_.rank_at(0);
  for (int position = 1; position < size_; ++position) {
    const int rank = alive_.rank_at(position);
    if (find(rank) == find(first)) continue;
    return fail(gossInvalidArgument,
                "gossip: with this custom list nothing of rank %d ever reaches rank %d; add a "
                "phase that joins their groups",
                first, rank);
  }
  return {};
}

bool GossipSchedule::is_global(uint64_t step) const {
  const auto every = static_cast<uint64_t>(options_.global_every);
  return every != 0 && (step + 1) % every == 0;
}

uint64_t GossipSchedule::next_boundary(uint64_t step) const {
  const auto period = static_cast<uint64_t>(period_);
  return (step / period + 1) * period;
}

GossipSchedule::Place GossipSchedule::place(GossipAt at) const {
  const auto period = static_cast<uint64_t>(period_);
  Place place{at, static_cast<int>(at.step % period), alive_.position(at.rank), std::nullopt};
  // Random pairs are neighbours in a permutation of their own every step.
  if (options_.rotate || topology_ == Topology::kRandomPair) {
    place.rotation.emplace(options_.seed, at.step / period, size_);
    place.position = place.rotation->forward(place.position);
  }
  return place;
}

int GossipSchedule::rank_of(const Place& place, int position) const {
  return alive_.rank_at(place.rotation ? place.rotation->backward(position) : position);
}

Exchange GossipSchedule::exchange(GossipAt at) const {
  if (size_ == 1 || is_global(at.step)) return kIdle;
  const Place p = place(at);
  switch (topology_) {
    case Topology::kHypercube: return (p.position ^ (1 << p.phase)) < size_ ? kHalfAndHalf : kIdle;
    case Topology::kDissemination: return kHalfAndHalf;
    case Topology::kRandomPair: return (p.position ^ 1) < size_ ? kHalfAndHalf : kIdle;
    case Topology::kRing: return size_ == 2 ? kHalfAndHalf : Exchange{2, 2, 1, 3};
    case Topology::kMixedRadix: {
      const int radix = radices_[static_cast<size_t>(p.phase)];
      return {radix - 1, radix - 1, 1, radix};
    }
    case Topology::kFold: return fold_exchange(p);
    case Topology::kCustom:
      return custom_[static_cast<size_t>(p.phase)].to[static_cast<size_t>(at.rank)] == at.rank
                 ? kIdle
                 : kHalfAndHalf;
  }
  return kIdle;
}

namespace {

// The index-th other member of the group that agrees with `position` in all digits but one.
int mixed_radix_peer(const std::vector<int>& radices, int phase, int position, int index) {
  int stride = 1;
  for (int i = 0; i < phase; ++i) stride *= radices[static_cast<size_t>(i)];
  const int radix = radices[static_cast<size_t>(phase)];
  const int digit = position / stride % radix;
  return position + ((digit + index + 1) % radix - digit) * stride;
}

}  // namespace

int GossipSchedule::send_peer(GossipAt at, int index) const {
  const Place p = place(at);
  switch (topology_) {
    case Topology::kHypercube: return rank_of(p, p.position ^ (1 << p.phase));
    case Topology::kDissemination: return rank_of(p, (p.position + (1 << p.phase)) % size_);
    case Topology::kRandomPair: return rank_of(p, p.position ^ 1);
    case Topology::kRing: return rank_of(p, (p.position + (index == 0 ? 1 : size_ - 1)) % size_);
    case Topology::kMixedRadix:
      return rank_of(p, mixed_radix_peer(radices_, p.phase, p.position, index));
    case Topology::kFold: return rank_of(p, fold_peer(p));
    case Topology::kCustom:
      return custom_[static_cast<size_t>(p.phase)].to[static_cast<size_t>(at.rank)];
  }
  return at.rank;
}

Incoming GossipSchedule::receive(GossipAt at, int index) const {
  const Place p = place(at);
  switch (topology_) {
    case Topology::kHypercube:
    case Topology::kRandomPair: return {send_peer(at, 0), 1};
    case Topology::kDissemination:
      return {rank_of(p, (p.position + size_ - (1 << p.phase)) % size_), 1};
    case Topology::kRing:
      return {rank_of(p, (p.position + (index == 0 ? size_ - 1 : 1)) % size_), 1};
    case Topology::kMixedRadix: {
      // Who sends its index-th message to me is as far before me as my index-th peer is behind.
      const int radix = radices_[static_cast<size_t>(p.phase)];
      return {rank_of(p, mixed_radix_peer(radices_, p.phase, p.position, radix - 2 - index)), 1};
    }
    case Topology::kFold: {
      const bool whole = size_ == 1 << levels_;
      const bool averaging = p.position < 1 << levels_ && (whole || at.round > 0);
      const int level = whole ? at.round : at.round - 1;
      const int peer = fold_peer(p);
      return {rank_of(p, peer), averaging ? fold_members(peer, level) : 1};
    }
    case Topology::kCustom:
      return {custom_[static_cast<size_t>(p.phase)].from[static_cast<size_t>(at.rank)], 1};
  }
  return {at.rank, 1};
}

// ---- fold --------------------------------------------------------------------------------------
// Positions 2^levels + q are the extras; in the first round they give their value to core q, then
// the cores run a hypercube, weighting each side by the values that it stands for, and in the last
// round core q sends the result back. With n = 2^levels only the hypercube is left.

// How many positions' values the core's value is the mean of, when `level` bits have been mixed.
int GossipSchedule::fold_members(int core, int level) const {
  const int width = 1 << level;
  const int first = core >> level << level;
  const int extras = size_ - (1 << levels_);
  return width + std::clamp(extras - first, 0, width);
}

Exchange GossipSchedule::fold_exchange(const Place& p) const {
  const int cores = 1 << levels_;
  const bool whole = size_ == cores;
  const bool extra = p.position >= cores;
  const bool has_extra = p.position + cores < size_;
  if (!whole && p.at.round == 0) {
    if (extra) return {1, 0, 1, 1};
    return has_extra ? Exchange{0, 1, 1, 2} : kIdle;
  }
  if (!whole && p.at.round == rounds_ - 1) {
    if (extra) return {0, 1, 0, 1};
    return has_extra ? Exchange{1, 0, 1, 1} : kIdle;
  }
  if (extra) return kIdle;
  const int level = p.at.round - (whole ? 0 : 1);
  const int own = fold_members(p.position, level);
  return {1, 1, own, own + fold_members(p.position ^ (1 << level), level)};
}

int GossipSchedule::fold_peer(const Place& p) const {
  const int cores = 1 << levels_;
  if (p.position >= cores) return p.position - cores;
  const bool whole = size_ == cores;
  if (whole) return p.position ^ (1 << p.at.round);
  if (p.at.round == 0 || p.at.round == rounds_ - 1) return p.position + cores;
  return p.position ^ (1 << (p.at.round - 1));
}

}  // namespace goss::collectives
