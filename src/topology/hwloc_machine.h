// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// From hwloc's tree to a Machine. For read.cpp only.
#pragma once

#include <hwloc.h>

#include "topology/machine.h"

namespace goss::topology {

// Of a topology that has been loaded.
Machine machine_of(hwloc_topology_t topology);

}  // namespace goss::topology
