// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Which address of this host others are told to connect to: the interface of GOSS_IFNAME, else the
// first that is up, loopback last. Used by Root::create and by the ranks' mesh listeners.
#pragma once

#include <string>

#include "transport/bootstrap/socket.h"

namespace goss::bootstrap {

// With port 0. gossSystemError names what was looked for and which interfaces there are.
Result<Address> choose_address();
// The address for a mesh listener: GOSS_IFNAME when set, else `towards_root`, through which this
// rank reaches the root and so, presumably, the others.
Result<Address> mesh_address(const Address& towards_root);

}  // namespace goss::bootstrap
