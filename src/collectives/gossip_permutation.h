// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Permutation: a random-looking bijection of 0..n-1 that is computed, not stored: a Feistel network
// over the next power of two, walked until it lands below n. Expected O(1) both ways, no memory,
// the same on every machine. Gossip rotates its partners with it.
#pragma once

#include <cstdint>

namespace goss::collectives {

// The finalizer of SplitMix64: a bijection of 64 bits in which every input bit reaches every output
// bit (Steele, Lea, Flood 2014).
constexpr uint64_t mix_bits(uint64_t x) {
  x += 0x9e3779b97f4a7c15u;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

class Permutation {
 public:
  // (seed, counter) choose among the permutations of 0..n-1.
  Permutation(uint64_t seed, uint64_t counter, int n);

  int forward(int i) const;   // 0 <= i < n
  int backward(int i) const;  // backward(forward(i)) == i

 private:
  uint32_t round_value(int round, uint32_t half) const;
  uint32_t encrypt(uint32_t value) const;
  uint32_t decrypt(uint32_t value) const;

  uint64_t key_;
  uint32_t n_;
  int low_bits_;
  int high_bits_;
};

}  // namespace goss::collectives
