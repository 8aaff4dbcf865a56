// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Reach: how far each rank of a job is from its host's network adapter, so that the nearest one
// speaks for its host (Hosts::leaders). Where there are several hosts, the first rank of each looks
// at its machine and tells the others in front of its address of messages. Pure but for that look.
#pragma once

#include <string>
#include <vector>

#include "engine/job.h"

namespace goss::engine {

// What `rank` tells: one byte for each rank of its host (topology::Reach), or nothing where that
// makes no difference: it is not the first, is alone, or the machine has one memory node.
Result<std::string> reaches_to_tell(const std::vector<Member>& members, int rank);

std::string pack_reaches(const std::string& reaches, const std::string& address);
// Takes what the ranks told off their packed addresses and puts it into `members`.
// gossInternalError: damaged.
Status unpack_reaches(std::vector<std::string>* addresses, std::vector<Member>* members);

// The adapters that the user wants: UCX_NET_DEVICES, else GOSS_IFNAME.
std::vector<std::string> wanted_adapters();

}  // namespace goss::engine
