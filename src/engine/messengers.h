// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Where messengers come from: a module that is loaded when a rank on another host, or
// GOSS_TRANSPORT, asks for it.
#pragma once

#include <functional>

#include "transport/messenger.h"

namespace goss::engine {

using MessengerFactory = std::function<Result<transport::MessengerPtr>(int rank, int nranks)>;

// For a rank of a job.
Result<transport::MessengerPtr> make_messenger(int rank, int nranks);

// For tests that make several hosts of one process: from now on ranks are on the hosts with these
// names and use these messengers; without them, on their own and those of the module again.
struct PretendedHosts {
  std::function<std::string(int rank)> name;
  MessengerFactory messenger;
};
void pretend_hosts(PretendedHosts hosts);
// Nothing where nobody pretends.
std::string pretended_host(int rank);

}  // namespace goss::engine
