// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// CpuSet: a set of CPUs of one machine, by the numbers of the operating system. A value.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace goss::topology {

class CpuSet {
 public:
  CpuSet() = default;
  // Bit i of byte i / 8: how the bytes of a cpu_set_t come from a host with little-endian words.
  static CpuSet from_mask(std::string_view bytes);
  static CpuSet range(int first, int last);  // both belong to it

  void add(int cpu);
  bool contains(int cpu) const;
  bool includes(const CpuSet& other) const;
  bool intersects(const CpuSet& other) const;
  int count() const;
  bool empty() const { return words_.empty(); }
  int first() const;  // -1: there is none
  std::vector<int> members() const;
  std::string text() const;  // "0-3,8", "none"

  friend CpuSet operator&(const CpuSet& a, const CpuSet& b);
  friend CpuSet operator|(const CpuSet& a, const CpuSet& b);
  bool operator==(const CpuSet&) const = default;

 private:
  void trim();
  std::vector<uint64_t> words_;  // the last is not 0
};

}  // namespace goss::topology
