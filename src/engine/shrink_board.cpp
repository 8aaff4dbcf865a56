// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "engine/shrink_board.h"

#include <cstring>

namespace goss::engine {

namespace {

constexpr char kMark[] = "shrink: ";  // eight bytes, where other messages have a topic
constexpr size_t kWord = sizeof(uint64_t);
static_assert(sizeof(kMark) == kWord + 1);
constexpr size_t kMostText = 1000;

void put(std::string* out, uint64_t word) {
  out->append(reinterpret_cast<const char*>(&word), sizeof(word));
}

uint64_t word_at(const std::string& message, size_t at) {
  uint64_t word = 0;
  std::memcpy(&word, message.data() + at, sizeof(word));
  return word;
}

}  // namespace

std::string ShrinkBoard::choose(uint64_t parent, const Choice& choice) {
  own_.insert(choice.topic);
  std::string message = kMark;
  put(&message, parent);
  put(&message, choice.topic);
  return message + choice.text.substr(0, kMostText);
}

bool ShrinkBoard::hear(int rank, const std::string& message) {
  if (message.size() < 3 * kWord || message.compare(0, kWord, kMark) != 0) return false;
  heard_[word_at(message, kWord)][rank] = {word_at(message, 2 * kWord), message.substr(3 * kWord)};
  return true;
}

ShrinkBoard::Other ShrinkBoard::differing(uint64_t parent, const std::vector<int>& ranks) const {
  const auto choices = heard_.find(parent);
  if (choices == heard_.end()) return {};
  for (int rank : ranks) {
    const auto choice = choices->second.find(rank);
    if (choice == choices->second.end() || own_.count(choice->second.topic) != 0) continue;
    return {rank, choice->second.text};
  }
  return {};
}

}  // namespace goss::engine
