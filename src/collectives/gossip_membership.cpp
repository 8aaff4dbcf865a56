// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "collectives/gossip_membership.h"

#include <algorithm>
#include <numeric>

#include "collectives/gossip_permutation.h"

namespace goss::collectives {

namespace {

constexpr uint32_t kMaxVersion = uint32_t{1} << 31;

}  // namespace

int Membership::living() const {
  return static_cast<int>(std::count_if(versions_.begin(), versions_.end(),
                                        [](uint32_t version) { return version % 2 == 0; }));
}

Result<AliveSet> Membership::alive() const {
  std::vector<int> ranks;
  for (int rank = 0; rank < nranks(); ++rank) {
    if (is_alive(rank)) ranks.push_back(rank);
  }
  return AliveSet::of(nranks(), ranks);
}

bool Membership::suspect(int rank) {
  if (!is_alive(rank)) return false;
  ++versions_[static_cast<size_t>(rank)];
  return true;
}

bool Membership::admit(int rank) {
  if (is_alive(rank)) return false;
  ++versions_[static_cast<size_t>(rank)];
  return true;
}

Result<bool> Membership::merge(std::span<const uint32_t> versions) {
  if (versions.size() != versions_.size()) {
    return fail(gossInvalidUsage, "membership: a peer speaks of %zu ranks, here are %zu",
                versions.size(), versions_.size());
  }
  for (size_t rank = 0; rank < versions.size(); ++rank) {
    if (versions[rank] > kMaxVersion) {
      return fail(gossInvalidUsage,
                  "membership: a peer has seen rank %zu die %u times; the message "
                  "is damaged",
                  rank, versions[rank] / 2);
    }
  }
  bool changed = false;
  for (size_t rank = 0; rank < versions.size(); ++rank) {
    changed = changed || versions[rank] > versions_[rank];
    versions_[rank] = std::max(versions_[rank], versions[rank]);
  }
  return changed;
}

uint64_t Membership::epoch() const {
  return std::accumulate(versions_.begin(), versions_.end(), uint64_t{0});
}

uint64_t Membership::hash() const {
  uint64_t hash = mix_bits(versions_.size());
  for (const uint32_t version : versions_) hash = mix_bits(hash ^ version);
  return hash;
}

}  // namespace goss::collectives
