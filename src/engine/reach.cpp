// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "engine/reach.h"

#include <cstdint>
#include <cstring>
#include <sstream>

#include "base/env.h"
#include "topology/placement.h"
#include "topology/read.h"

namespace goss::engine {

namespace {

std::vector<int> ranks_of_host(const std::vector<Member>& members, const std::string& host_id) {
  std::vector<int> ranks;
  for (size_t r = 0; r < members.size(); ++r) {
    if (members[r].host_id == host_id) ranks.push_back(static_cast<int>(r));
  }
  return ranks;
}

}  // namespace

std::vector<std::string> wanted_adapters() {
  const auto list = launcher_text("UCX_NET_DEVICES");
  std::istringstream names(list.value_or(env_text(Env::kIfname).value_or("")));
  std::vector<std::string> wanted;
  for (std::string name; std::getline(names, name, ',');) wanted.push_back(name);
  return wanted;
}

Result<std::string> reaches_to_tell(const std::vector<Member>& members, int rank) {
  const std::vector<int> ranks = ranks_of_host(members, members[static_cast<size_t>(rank)].host_id);
  if (ranks.front() != rank || ranks.size() == 1 || !topology::several_nodes()) {
    return std::string();
  }
  GOSS_TRY_ASSIGN(const topology::Machine* machine, topology::this_machine());
  const std::vector<std::string> wanted = wanted_adapters();
  std::string reaches;
  for (const int r : ranks) {
    const std::string& mask = members[static_cast<size_t>(r)].cpus;
    const topology::RankPlace place{0, topology::CpuSet::from_mask(mask), -1};
    reaches.push_back(static_cast<char>(topology::network_reach(*machine, place, wanted)));
  }
  return reaches;
}

std::string pack_reaches(const std::string& reaches, const std::string& address) {
  const auto length = static_cast<uint32_t>(reaches.size());
  std::string packed(sizeof(length), '\0');
  std::memcpy(packed.data(), &length, sizeof(length));
  return packed + reaches + address;
}

Status unpack_reaches(std::vector<std::string>* addresses, std::vector<Member>* members) {
  for (size_t r = 0; r < addresses->size(); ++r) {
    std::string& address = (*addresses)[r];
    uint32_t length = 0;
    const bool whole = address.size() >= sizeof(length);
    if (whole) std::memcpy(&length, address.data(), sizeof(length));
    if (!whole || address.size() - sizeof(length) < length) {
      return fail(gossInternalError, "the address of rank %zu is damaged (%zu bytes)", r,
                  address.size());
    }
    const std::string reaches = address.substr(sizeof(length), length);
    address.erase(0, sizeof(length) + length);
    if (reaches.empty()) continue;
    const std::vector<int> ranks = ranks_of_host(*members, (*members)[r].host_id);
    if (reaches.size() != ranks.size()) {
      return fail(gossInternalError, "rank %zu knows of %zu ranks on its host instead of %zu", r,
                  reaches.size(), ranks.size());
    }
    for (size_t i = 0; i < ranks.size(); ++i) {
      (*members)[static_cast<size_t>(ranks[i])].reach = static_cast<unsigned char>(reaches[i]);
    }
  }
  return {};
}

}  // namespace goss::engine
