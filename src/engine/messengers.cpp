// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "engine/messengers.h"

#include <mutex>
#include <utility>

#include "transport/registry.h"

namespace goss::engine {

namespace {

struct Chosen {
  std::mutex mutex;
  PretendedHosts hosts;
};

Chosen& chosen() {
  static Chosen* const instance = new Chosen;  // outlives threads that still run at exit
  return *instance;
}

}  // namespace

Result<transport::MessengerPtr> make_messenger(int rank, int nranks) {
  const std::lock_guard<std::mutex> lock(chosen().mutex);
  if (chosen().hosts.messenger) return chosen().hosts.messenger(rank, nranks);
  return transport::open_messenger({rank, nranks});
}

void pretend_hosts(PretendedHosts hosts) {
  const std::lock_guard<std::mutex> lock(chosen().mutex);
  chosen().hosts = std::move(hosts);
}

std::string pretended_host(int rank) {
  const std::lock_guard<std::mutex> lock(chosen().mutex);
  return chosen().hosts.name ? chosen().hosts.name(rank) : std::string();
}

}  // namespace goss::engine
