// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Who takes part: one line per rank for the header of the table and the JSON file.
#pragma once

#include <string>
#include <vector>

#include "crew.h"

namespace goss::perf {

struct RankInfo {
  int rank = 0;
  int group = 0;
  int pid = 0;
  int cpu = -1;  // the one it is bound to
  std::string host;
  std::string device;  // the processor's name
};

// Of all ranks, in their order. Collective.
std::vector<RankInfo> gather_rank_info(Crew& crew);

// The largest buffer that the memory of every host allows with `nbuffers` of them per rank.
// Collective.
size_t memory_limit(Crew& crew, int nbuffers);

}  // namespace goss::perf
