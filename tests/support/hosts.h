// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// HostsOfThreads: while it lives, the ranks of jobs that are made by this process are on several
// hosts, which are connected by a LocalNetwork.
#pragma once

#include <string>
#include <vector>

#include "engine/messengers.h"
#include "support/local_network.h"

namespace goss::test {

class HostsOfThreads {
 public:
  // `host_of`: rank -> host; ranks beyond it begin again.
  explicit HostsOfThreads(std::vector<int> host_of) {
    engine::pretend_hosts({[host_of](int rank) {
                             const auto r = static_cast<size_t>(rank) % host_of.size();
                             return "pretended " + std::to_string(host_of[r]);
                           },
                           [this](int rank, int) -> Result<transport::MessengerPtr> {
                             return network_.connect(rank);
                           }});
  }
  ~HostsOfThreads() { engine::pretend_hosts({}); }
  HostsOfThreads(const HostsOfThreads&) = delete;
  HostsOfThreads& operator=(const HostsOfThreads&) = delete;
  LocalNetwork& network() { return network_; }

 private:
  LocalNetwork network_;
};

}  // namespace goss::test
