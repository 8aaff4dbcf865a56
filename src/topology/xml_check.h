// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// What hwloc takes for granted in the XML that it reads: hwloc 2.9 ends the process where a file is
// cut off, not nested, or lacks an attribute. For read.cpp only. Pure.
#pragma once

#include <string_view>

#include "base/status.h"

namespace goss::topology {

// gossInvalidUsage says in which line is what.
Status check_xml(std::string_view xml);

}  // namespace goss::topology
