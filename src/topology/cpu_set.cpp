// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "topology/cpu_set.h"

#include <algorithm>
#include <bit>

namespace goss::topology {

namespace {
constexpr int kBits = 64;
}

CpuSet CpuSet::from_mask(std::string_view bytes) {
  CpuSet set;
  for (size_t i = 0; i < bytes.size(); ++i) {
    const auto byte = static_cast<unsigned char>(bytes[i]);
    for (int bit = 0; bit < 8; ++bit) {
      if ((byte >> bit & 1) != 0) set.add(static_cast<int>(i) * 8 + bit);
    }
  }
  return set;
}

CpuSet CpuSet::range(int first, int last) {
  CpuSet set;
  for (int cpu = first; cpu <= last; ++cpu) set.add(cpu);
  return set;
}

void CpuSet::add(int cpu) {
  const auto word = static_cast<size_t>(cpu / kBits);
  if (words_.size() <= word) words_.resize(word + 1);
  words_[word] |= uint64_t{1} << cpu % kBits;
}

bool CpuSet::contains(int cpu) const {
  const auto word = static_cast<size_t>(cpu / kBits);
  return cpu >= 0 && word < words_.size() && (words_[word] >> cpu % kBits & 1) != 0;
}

bool CpuSet::includes(const CpuSet& other) const { return (*this & other) == other; }
bool CpuSet::intersects(const CpuSet& other) const { return !(*this & other).empty(); }

int CpuSet::count() const {
  int count = 0;
  for (const uint64_t word : words_) count += std::popcount(word);
  return count;
}

int CpuSet::first() const {
  for (size_t i = 0; i < words_.size(); ++i) {
    if (words_[i] != 0) return static_cast<int>(i) * kBits + std::countr_zero(words_[i]);
  }
  return -1;
}

std::vector<int> CpuSet::members() const {
  std::vector<int> members;
  for (int cpu = 0; cpu < static_cast<int>(words_.size()) * kBits; ++cpu) {
    if (contains(cpu)) members.push_back(cpu);
  }
  return members;
}

std::string CpuSet::text() const {
  std::string text;
  const std::vector<int> cpus = members();
  for (size_t i = 0; i < cpus.size(); ++i) {
    const int begin = cpus[i];
    while (i + 1 < cpus.size() && cpus[i + 1] == cpus[i] + 1) ++i;
    if (!text.empty()) text += ",";
    text += std::to_string(begin);
    if (cpus[i] != begin) text += "-" + std::to_string(cpus[i]);
  }
  return text.empty() ? "none" : text;
}

void CpuSet::trim() {
  while (!words_.empty() && words_.back() == 0) words_.pop_back();
}

CpuSet operator&(const CpuSet& a, const CpuSet& b) {
  CpuSet both;
  both.words_.resize(std::min(a.words_.size(), b.words_.size()));
  for (size_t i = 0; i < both.words_.size(); ++i) both.words_[i] = a.words_[i] & b.words_[i];
  both.trim();
  return both;
}

CpuSet operator|(const CpuSet& a, const CpuSet& b) {
  CpuSet either = a.words_.size() >= b.words_.size() ? a : b;
  const CpuSet& other = a.words_.size() >= b.words_.size() ? b : a;
  for (size_t i = 0; i < other.words_.size(); ++i) either.words_[i] |= other.words_[i];
  return either;
}

}  // namespace goss::topology
