// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// The text that goss-info prints of its JSON.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace goss::tools {

std::string machine_text(const nlohmann::json& machine);
std::string placement_text(const nlohmann::json& placement);
// `ranks`: of each rank what it says of every other, as gossExplainPeer gives it.
std::string peers_text(const nlohmann::json& ranks);

}  // namespace goss::tools
