// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// A machine, and where ranks are on it, as JSON: what goss-info prints and what its ranks tell each
// other. print.h makes text of it.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "topology/placement.h"

namespace goss::tools {

nlohmann::json machine_json(const topology::Machine& machine);
// `numbers`: of the ranks, all on this machine. `wanted`: adapters that the user named.
nlohmann::json placement_json(const topology::Machine& machine,
                              const std::vector<topology::RankPlace>& ranks,
                              const std::vector<int>& numbers,
                              const std::vector<std::string>& wanted);
// Ranks as a launcher would place them: one for each GPU, else with equal shares of the cores.
std::vector<topology::RankPlace> spread_ranks(const topology::Machine& machine, int nranks);

}  // namespace goss::tools
