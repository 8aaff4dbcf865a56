// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "engine/shrink_board.h"

namespace goss::engine {

ShrinkBoard::Other ShrinkBoard::differing(uint64_t parent, const std::vector<int>& ranks) const {
  const auto choices = heard_.find(parent);
  if (choices == heard_.end()) return {};
  const auto own = own_.find(parent);
  for (int rank : ranks) {
    const auto choice = choices->second.find(rank);
    if (choice == choices->second.end()) continue;
    if (own != own_.end() && own->second.count(choice->second.topic) != 0) continue;
    return {rank, choice->second.text};
  }
  return {};
}

}  // namespace goss::engine
