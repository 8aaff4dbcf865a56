// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "topology/read.h"

#include <hwloc.h>
#include <sys/stat.h>

#include <cerrno>
#include <fstream>
#include <memory>
#include <optional>

#include "base/env.h"
#include "base/host.h"
#include "topology/hwloc_machine.h"
#include "topology/xml_check.h"

namespace goss::topology {

namespace {

struct Destroy {
  void operator()(hwloc_topology_t topology) const { hwloc_topology_destroy(topology); }
};
using Topology = std::unique_ptr<hwloc_topology, Destroy>;

// hwloc loads its plugins when it is first used, and prints what it does not like. A plugin of
// OpenCL, CUDA or the like starts that run-time in the process.
constexpr const char* kManners[] = {"HWLOC_HIDE_ERRORS=2", "HWLOC_PLUGINS_PATH="};

Result<Topology> make(bool plugins) {
  const std::span<const char* const> manners(kManners);
  const EnvOverlay overlay(plugins ? manners.first(1) : manners);
  hwloc_topology_t made = nullptr;
  if (hwloc_topology_init(&made) != 0) return fail_errno(errno, "hwloc");
  Topology topology(made);
  // What is left out costs nothing to find.
  hwloc_topology_set_io_types_filter(made, HWLOC_TYPE_FILTER_KEEP_IMPORTANT);
  hwloc_topology_set_icache_types_filter(made, HWLOC_TYPE_FILTER_KEEP_NONE);
  hwloc_topology_set_type_filter(made, HWLOC_OBJ_L1CACHE, HWLOC_TYPE_FILTER_KEEP_NONE);
  hwloc_topology_set_type_filter(made, HWLOC_OBJ_MISC, HWLOC_TYPE_FILTER_KEEP_NONE);
  // Discovery by CPUID would move the calling thread from CPU to CPU.
  hwloc_topology_set_flags(made, HWLOC_TOPOLOGY_FLAG_DONT_CHANGE_BINDING);
  return topology;
}

Result<Machine> load(Topology topology, const std::string& what) {
  const EnvOverlay overlay(std::span<const char* const>(kManners).first(1));
  // After a failure the topology must not be asked anything.
  if (hwloc_topology_load(topology.get()) != 0) {
    return fail(gossInvalidUsage, "%s: hwloc finds no machine in it", what.c_str());
  }
  Machine machine = machine_of(topology.get());
  if (machine.cpus.empty()) return fail(gossInvalidUsage, "%s: no CPUs in it", what.c_str());
  return machine;
}

// Of the system's list of memory nodes, such as "0" or "0-3".
bool is_one_number(const std::string& list) {
  return !list.empty() && list.find_first_of("-,") == std::string::npos;
}

}  // namespace

Result<Machine> read_machine(bool plugins) {
  if (const auto file = env_text(Env::kTopologyFile)) {
    Result<Machine> machine = read_file(*file);
    if (machine.ok()) return machine;
    return Status(machine.status()).with_context(env_name(Env::kTopologyFile));
  }
  GOSS_TRY_ASSIGN(Topology topology, make(plugins));
  GOSS_TRY_ASSIGN(Machine machine, load(std::move(topology), "this machine"));
  machine.name = host_name();
  return machine;
}

Result<const Machine*> this_machine() {
  // Never freed: threads may use it while the process ends.
  static const Result<Machine>* const machine = new Result<Machine>(read_machine());
  if (!machine->ok()) return Status(machine->status());
  return &machine->value();
}

Result<Machine> read_file(const std::string& path) {
  struct stat about = {};
  if (::stat(path.c_str(), &about) != 0) return fail_errno(errno, "%s", path.c_str());
  if (S_ISDIR(about.st_mode)) return fail(gossInvalidUsage, "%s is a directory", path.c_str());
  std::ifstream file(path);
  std::string xml((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  if (!file || file.bad()) return fail_errno(errno, "%s", path.c_str());
  Result<Machine> machine = parse_xml(xml);
  if (machine.ok()) return machine;
  return Status(machine.status()).with_context(path);
}

Result<Machine> parse_xml(const std::string& xml) {
  GOSS_TRY_ASSIGN(Topology topology, make(false));
  constexpr size_t kMost = size_t{64} << 20;
  if (xml.empty()) return fail(gossInvalidUsage, "it is empty");
  if (xml.size() > kMost) return fail(gossInvalidUsage, "%zu bytes are too many", xml.size());
  GOSS_TRY(check_xml(xml));
  // Counts the NUL that ends it.
  const int bytes = static_cast<int>(xml.size()) + 1;
  if (hwloc_topology_set_xmlbuffer(topology.get(), xml.c_str(), bytes) != 0) {
    return fail(gossInvalidUsage, "this is no XML of hwloc");
  }
  return load(std::move(topology), "the XML");
}

bool several_nodes() {
  if (env_text(Env::kTopologyFile)) return true;
  std::ifstream file("/sys/devices/system/node/online");
  std::string list;
  file >> list;
  return !is_one_number(list) && !list.empty();
}

}  // namespace goss::topology
