// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Where Machines come from: this one, or a file that hwloc's lstopo has written on another
// (`lstopo machine.xml`). The only place that knows hwloc. Any thread; reading this machine takes
// milliseconds, and more with every CPU, so it belongs on no path of data.
#pragma once

#include <string>

#include "base/result.h"
#include "topology/machine.h"

namespace goss::topology {

// This machine, or the one that GOSS_TOPOLOGY_FILE describes. Changes no binding of any thread and
// loads no plugins of hwloc; `plugins`: does, which finds the names that GPU run-times give GPUs.
Result<Machine> read_machine(bool plugins = false);
// The same, read once and kept; a failure too.
Result<const Machine*> this_machine();

// gossInvalidUsage: cannot be read, or describes no machine.
Result<Machine> read_file(const std::string& path);
Result<Machine> parse_xml(const std::string& xml);

// Whether this machine may have more than one memory node; a few microseconds.
bool several_nodes();

}  // namespace goss::topology
