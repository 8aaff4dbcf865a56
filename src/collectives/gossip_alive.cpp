// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "collectives/gossip_alive.h"

#include <algorithm>
#include <bit>

#include "collectives/gossip_permutation.h"

namespace goss::collectives {

namespace {

constexpr int kWordBits = 64;

size_t word_of(int rank) { return static_cast<size_t>(rank / kWordBits); }
uint64_t bit_of(int rank) { return uint64_t{1} << (rank % kWordBits); }

// Place of the set bit that has `index` set bits below it.
int nth_set_bit(uint64_t word, int index) {
  for (; index > 0; --index) word &= word - 1;
  return std::countr_zero(word);
}

}  // namespace

AliveSet::AliveSet(int nranks)
    : nranks_(nranks), words_(word_of(nranks - 1) + 1, 0), before_(words_.size(), 0) {}

void AliveSet::count() {
  size_ = 0;
  for (size_t w = 0; w < words_.size(); ++w) {
    before_[w] = size_;
    size_ += std::popcount(words_[w]);
  }
}

AliveSet AliveSet::all(int nranks) {
  AliveSet set(nranks);
  for (int rank = 0; rank < nranks; ++rank) set.words_[word_of(rank)] |= bit_of(rank);
  set.count();
  return set;
}

Result<AliveSet> AliveSet::of(int nranks, std::span<const int> ranks) {
  if (nranks < 1) return fail(gossInvalidArgument, "alive set of %d ranks: at least 1", nranks);
  if (ranks.empty()) {
    return fail(gossInvalidArgument, "alive set of %d ranks: nobody is alive", nranks);
  }
  AliveSet set(nranks);
  for (const int rank : ranks) {
    if (rank < 0 || rank >= nranks) {
      return fail(gossInvalidArgument, "alive set of %d ranks: there is no rank %d", nranks, rank);
    }
    if (set.contains(rank)) {
      return fail(gossInvalidArgument, "alive set of %d ranks: rank %d is named twice", nranks,
                  rank);
    }
    set.words_[word_of(rank)] |= bit_of(rank);
  }
  set.count();
  return set;
}

bool AliveSet::contains(int rank) const { return (words_[word_of(rank)] & bit_of(rank)) != 0; }

int AliveSet::position(int rank) const {
  const size_t w = word_of(rank);
  return before_[w] + std::popcount(words_[w] & (bit_of(rank) - 1));
}

int AliveSet::rank_at(int position) const {
  const auto next = std::upper_bound(before_.begin(), before_.end(), position);
  const auto w = static_cast<size_t>(next - before_.begin()) - 1;
  return static_cast<int>(w) * kWordBits + nth_set_bit(words_[w], position - before_[w]);
}

AliveSet AliveSet::with(int rank) const {
  AliveSet set = *this;
  set.words_[word_of(rank)] |= bit_of(rank);
  set.count();
  return set;
}

AliveSet AliveSet::without(int rank) const {
  AliveSet set = *this;
  set.words_[word_of(rank)] &= ~bit_of(rank);
  set.count();
  return set;
}

uint64_t AliveSet::hash() const {
  uint64_t hash = mix_bits(static_cast<uint64_t>(nranks_));
  for (const uint64_t word : words_) hash = mix_bits(hash ^ word);
  return hash;
}

}  // namespace goss::collectives
