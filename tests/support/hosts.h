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
                           [network = network_](int rank, int) -> Result<transport::MessengerPtr> {
                             return network->connect(rank);
                           }});
  }
  ~HostsOfThreads() { engine::pretend_hosts({}); }
  HostsOfThreads(const HostsOfThreads&) = delete;
  HostsOfThreads& operator=(const HostsOfThreads&) = delete;
  LocalNetwork& network() { return *network_; }

 private:
  std::shared_ptr<LocalNetwork> network_ = std::make_shared<LocalNetwork>();  // shared: jobs
};

}  // namespace goss::test
