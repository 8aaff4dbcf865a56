// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "transport/bootstrap/interface.h"

#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <vector>

#include "base/env.h"

namespace goss::bootstrap {

namespace {

struct FreeInterfaces {
  void operator()(ifaddrs* list) const { ::freeifaddrs(list); }
};

struct Candidate {
  std::string name;
  Address address;
  int rank;  // lower is better
};

bool starts_with(const std::string& text, const char* prefix) { return text.rfind(prefix, 0) == 0; }

// IPv4 before IPv6; bridges of containers and virtual machines, which other hosts cannot reach,
// late; loopback last.
int preference(const ifaddrs& entry, const std::string& name) {
  int rank = entry.ifa_addr->sa_family == AF_INET6 ? 1 : 0;
  if (starts_with(name, "docker") || starts_with(name, "virbr") || starts_with(name, "br-")) {
    rank += 10;
  }
  if ((entry.ifa_flags & IFF_LOOPBACK) != 0) rank += 100;
  return rank;
}

bool usable(const ifaddrs& entry) {
  if (entry.ifa_addr == nullptr || (entry.ifa_flags & IFF_UP) == 0) return false;
  if (entry.ifa_addr->sa_family == AF_INET) return true;
  if (entry.ifa_addr->sa_family != AF_INET6) return false;
  sockaddr_in6 address;
  std::memcpy(&address, entry.ifa_addr, sizeof(address));
  // The scope of a link-local address means nothing on another host.
  return !IN6_IS_ADDR_LINKLOCAL(&address.sin6_addr);
}

Result<std::vector<Candidate>> candidates() {
  ifaddrs* raw = nullptr;
  if (::getifaddrs(&raw) != 0) return fail_errno(errno, "cannot list the network interfaces");
  const std::unique_ptr<ifaddrs, FreeInterfaces> list(raw);
  std::vector<Candidate> found;
  for (const ifaddrs* entry = list.get(); entry != nullptr; entry = entry->ifa_next) {
    if (!usable(*entry)) continue;
    Candidate candidate{entry->ifa_name, {}, 0};
    candidate.rank = preference(*entry, candidate.name);
    const bool v6 = entry->ifa_addr->sa_family == AF_INET6;
    candidate.address.bytes = v6 ? sizeof(sockaddr_in6) : sizeof(sockaddr_in);
    std::memcpy(&candidate.address.storage, entry->ifa_addr, candidate.address.bytes);
    candidate.address.set_port(0);
    found.push_back(candidate);
  }
  return found;
}

}  // namespace

Result<Address> choose_address() {
  GOSS_TRY_ASSIGN(const std::vector<Candidate> all, candidates());
  const std::optional<std::string> wanted = env_text(Env::kIfname);
  const Candidate* best = nullptr;
  std::string names;
  for (const Candidate& candidate : all) {
    names += (names.empty() ? "" : ", ") + candidate.name;
    if (wanted && candidate.name != *wanted) continue;
    if (best == nullptr || candidate.rank < best->rank) best = &candidate;
  }
  if (best != nullptr) return best->address;
  return fail(gossSystemError,
              "no usable network interface%s%s: those that are up and have an address are: %s",
              wanted ? " named by GOSS_IFNAME=" : "", wanted ? wanted->c_str() : "",
              names.empty() ? "none" : names.c_str());
}

Result<Address> mesh_address(const Address& towards_root) {
  if (env_text(Env::kIfname)) return choose_address();
  Address address = towards_root;
  address.set_port(0);
  return address;
}

}  // namespace goss::bootstrap
