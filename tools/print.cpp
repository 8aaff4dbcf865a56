// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "print.h"

#include <set>
#include <utility>
#include <vector>

#include "base/status.h"

namespace goss::tools {

using nlohmann::json;

namespace {

std::string size_text(double bytes) {
  const char* const units[] = {"B", "KiB", "MiB", "GiB"};
  int unit = 0;
  while (bytes >= 1024 && unit < 3) {
    bytes /= 1024;
    ++unit;
  }
  return format(bytes < 10 && bytes != static_cast<int>(bytes) ? "%.1f %s" : "%.0f %s", bytes,
                units[unit]);
}

std::string text_of(const json& object, const char* name) {
  return object.value(name, std::string());
}

std::string join(const json& list, const char* between) {
  std::string text;
  for (const json& entry : list) {
    text += (text.empty() ? "" : between) +
            (entry.is_string() ? entry.get<std::string>() : entry.dump());
  }
  return text;
}

std::string device_text(const json& device) {
  std::string text = "    " + join(device["names"], ", ");
  if (device["names"].empty()) text += text_of(device, "bus");
  const auto add = [&](const std::string& part) {
    if (!part.empty()) text += ", " + part;
  };
  if (!device["names"].empty()) add(text_of(device, "bus"));
  add(text_of(device, "model").empty() ? text_of(device, "id") : text_of(device, "model"));
  if (device.value("rdma", false)) add("RDMA");
  const double speed = device["pci_gbytes_per_s"];
  if (speed > 0) add(format("PCI %.1f GB/s", speed));
  const json& node = device["memory_node"];
  add(node.is_null() ? "at no memory node of its own" : "at memory node " + node.dump());
  return text + "\n";
}

std::string devices_text(const json& devices, const char* title) {
  if (devices.empty()) return format("  %s: none\n", title);
  std::string text = format("  %s\n", title);
  for (const json& device : devices) text += device_text(device);
  return text;
}

std::string links_text(const json& links) {
  if (links.is_null()) return "";
  const json& rows = links["mbytes_per_s"];
  std::set<uint64_t> widths;
  for (size_t a = 0; a < rows.size(); ++a) {
    for (size_t b = 0; b < rows.size(); ++b) {
      if (a != b) widths.insert(rows[a][b].get<uint64_t>());
    }
  }
  const std::string kind = text_of(links, "kind");
  if (widths.size() == 1) {
    return format("    %s, %.0f GB/s between any two\n", kind.c_str(),
                  static_cast<double>(*widths.begin()) / 1000);
  }
  std::string text = "    " + kind + ", GB/s from row to column\n";
  for (const json& row : rows) {
    text += "     ";
    for (const json& width : row) text += format(" %6.0f", width.get<double>() / 1000);
    text += "\n";
  }
  return text;
}

// "0-3, 7".
std::string numbers_text(const std::vector<int>& numbers) {
  std::string text;
  for (size_t i = 0; i < numbers.size(); ++i) {
    const int begin = numbers[i];
    while (i + 1 < numbers.size() && numbers[i + 1] == numbers[i] + 1) ++i;
    text += (text.empty() ? "" : ", ") + std::to_string(begin);
    if (numbers[i] != begin) text += "-" + std::to_string(numbers[i]);
  }
  return text;
}

}  // namespace

std::string machine_text(const json& machine) {
  std::string text = format("host %s: %d CPUs (%s), %d cores\n", text_of(machine, "name").c_str(),
                            machine["cpu_count"].get<int>(), text_of(machine, "cpus").c_str(),
                            machine["core_count"].get<int>());
  for (const json& package : machine["packages"]) {
    text += format("  package %d: %s, CPUs %s\n", package["number"].get<int>(),
                   text_of(package, "model").c_str(), text_of(package, "cpus").c_str());
  }
  for (const json& node : machine["memory_nodes"]) {
    text += format("  memory node %d: %s, CPUs %s\n", node["number"].get<int>(),
                   size_text(node["bytes"].get<double>()).c_str(), text_of(node, "cpus").c_str());
  }
  for (const json& cache : machine["caches"]) {
    text += format("  L%d caches: %d of %s, each of %d CPUs\n", cache["level"].get<int>(),
                   cache["count"].get<int>(), size_text(cache["bytes"].get<double>()).c_str(),
                   cache["cpus_each"].get<int>());
  }
  text += devices_text(machine["gpus"], "GPUs") + links_text(machine["gpu_links"]);
  return text + devices_text(machine["adapters"], "network adapters");
}

std::string placement_text(const json& placement) {
  std::string text = "  ranks\n";
  for (const json& rank : placement["ranks"]) {
    text += format("    %d: ", rank["rank"].get<int>());
    if (rank.contains("gpu")) text += "GPU " + text_of(rank, "gpu") + ", ";
    text += "CPUs " + text_of(rank, "cpus") + " (" + text_of(rank, "place") + ")";
    const json& node = rank["slots_on_memory_node"];
    text += node.is_null() ? "; slots where they are first written"
                           : "; slots on memory node " + node.dump();
    if (rank.contains("adapter")) {
      text += "; nearest adapter " + text_of(rank, "adapter") + ", " + text_of(rank, "adapter_is");
    }
    text += "\n";
  }
  text += "    all share " + text_of(placement, "all_share");
  text += format("; %d CPUs for %zu ranks%s\n", placement["usable_cpus"].get<int>(),
                 placement["ranks"].size(),
                 placement["crowded"].get<bool>() ? ", which take turns" : "");
  text += "    in a ring: " + join(placement["ring"], " ") + "\n";
  text += "    for the host speaks " + placement["leader"].dump() + ", for memory nodes";
  std::string groups;
  for (const json& group : placement["memory_node_leaders"]) {
    groups += (groups.empty() ? " " : ", ") + group["rank"].dump();
    groups += group["memory_node"].is_null() ? " (without a node)"
                                             : " (node " + group["memory_node"].dump() + ")";
  }
  return text + groups + "\n";
}

std::string peers_text(const json& ranks) {
  std::string text;
  for (const json& rank : ranks) {
    // Peers of which the same is said come together.
    std::vector<std::pair<json, std::vector<int>>> kinds;
    for (json said : rank["peers"]) {
      const int peer = said["rank"];
      if (said["by"] == "nothing") continue;
      said.erase("rank");
      said.erase("peer");
      auto known = kinds.begin();
      while (known != kinds.end() && known->first != said) ++known;
      if (known == kinds.end()) known = kinds.emplace(known, said, std::vector<int>());
      known->second.push_back(peer);
    }
    for (const auto& [said, peers] : kinds) {
      text += format("  %d to %s: %s, %s\n", rank["rank"].get<int>(), numbers_text(peers).c_str(),
                     text_of(said, "by").c_str(), text_of(said, "over").c_str());
      if (said.contains("shares")) text += "      both use " + text_of(said, "shares") + "\n";
      text += "      " + text_of(said, "why") + "\n";
    }
  }
  return text;
}

}  // namespace goss::tools
