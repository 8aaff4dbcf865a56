// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// goss-info: what the hosts of a job are made of, where its ranks are, and how they reach each
// other. Without a launcher it prints this host; with --topology one that is only a file.
#include <sched.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <fstream>
#include <map>

#include "base/env.h"
#include "job.h"
#include "machine_json.h"
#include "print.h"
#include "topology/read.h"

namespace goss::tools {

namespace {

using nlohmann::json;
using topology::CpuSet;
using topology::Machine;

struct Options {
  std::string topology;
  int ranks = 0;
  bool as_json = false;
};

Machine must(Result<Machine> machine) {
  if (!machine.ok()) throw std::runtime_error(machine.status().message());
  return machine.take();
}

std::string boot_id() {
  std::ifstream file("/proc/sys/kernel/random/boot_id");
  std::string id;
  file >> id;
  return id;
}

std::string own_mask() {
  cpu_set_t set;
  CPU_ZERO(&set);
  ::sched_getaffinity(0, sizeof(set), &set);
  return std::string(reinterpret_cast<const char*>(&set), sizeof(set));
}

std::vector<std::string> wanted_adapters() {
  std::vector<std::string> names;
  const std::string list = launcher_text("UCX_NET_DEVICES").value_or("");
  for (const std::string& name : CLI::detail::split(list, ',')) names.push_back(name);
  return names;
}

// A host that is only a file.
json describe_file(const Options& options) {
  const Machine machine = must(topology::read_file(options.topology));
  json host = machine_json(machine);
  if (options.ranks > 0) {
    std::vector<int> numbers(static_cast<size_t>(options.ranks));
    for (size_t r = 0; r < numbers.size(); ++r) numbers[r] = static_cast<int>(r);
    host["placement"] =
        placement_json(machine, spread_ranks(machine, options.ranks), numbers, wanted_adapters());
  }
  return {{"hosts", json::array({host})}};
}

// What this rank says of itself, before it knows the others.
json introduction() {
  const std::string mask = own_mask();
  json bytes = json::array();
  for (const char byte : mask) bytes.push_back(static_cast<unsigned char>(byte));
  char name[256] = {};
  ::gethostname(name, sizeof(name) - 1);
  return {{"host", std::string(name) + " " + boot_id()}, {"mask", bytes}, {"pid", ::getpid()}};
}

CpuSet mask_of(const json& introduced) {
  std::string bytes;
  for (const json& byte : introduced["mask"]) bytes.push_back(static_cast<char>(byte.get<int>()));
  return CpuSet::from_mask(bytes);
}

// This host, with its ranks; nothing where another rank says it.
json host_of(Job& job, const std::vector<json>& introduced) {
  const auto self = static_cast<size_t>(job.rank());
  std::vector<int> numbers;
  std::vector<topology::RankPlace> places;
  for (size_t r = 0; r < introduced.size(); ++r) {
    if (introduced[r]["host"] != introduced[self]["host"]) continue;
    numbers.push_back(static_cast<int>(r));
    places.push_back({0, mask_of(introduced[r]), -1});
  }
  if (numbers.front() != job.rank()) return nullptr;
  const Machine machine = must(topology::read_machine(true));
  json host = machine_json(machine);
  host["placement"] = placement_json(machine, places, numbers, wanted_adapters());
  return host;
}

// Everything, at rank 0; at the others something that is not printed.
json describe_job() {
  Job job;
  const std::vector<json> introduced = job.gather(introduction());
  json own{{"rank", job.rank()}, {"pid", ::getpid()}, {"host", host_of(job, introduced)}};
  if (job.nranks() > 1) own["peers"] = job.peers();
  json out{{"ranks", job.nranks()}, {"hosts", json::array()}, {"paths", json::array()}};
  for (json& said : job.gather(own)) {
    if (!said["host"].is_null()) out["hosts"].push_back(std::move(said["host"]));
    said.erase("host");
    if (said.contains("peers")) out["paths"].push_back(std::move(said));
  }
  out["rank"] = job.rank();
  if (job.nranks() > 1) {
    for (const size_t bytes : {size_t{8}, size_t{64} << 20}) {
      out["all_reduce"].push_back(job.explain("all_reduce", bytes / sizeof(float)));
    }
  }
  return out;
}

std::string text_of(const json& all) {
  std::string text;
  for (const json& host : all["hosts"]) {
    text += machine_text(host);
    if (host.contains("placement")) text += placement_text(host["placement"]);
  }
  if (all.contains("paths") && !all["paths"].empty()) {
    text += "how each rank reaches the others\n" + peers_text(all["paths"]);
    for (const json& line : all["all_reduce"]) text += line.get<std::string>() + "\n";
  }
  return text;
}

// Nothing to do is no value; then *exit_code says how to end.
std::optional<Options> parse(int argc, char** argv, int* exit_code) {
  Options options;
  CLI::App app(
      "Prints the host: packages, memory nodes, caches, GPUs, network adapters. Started with "
      "several "
      "ranks (mpirun, torchrun, srun, or GOSS_RANK and GOSS_NRANKS) also where the ranks are, how "
      "each reaches each other rank, and why not by something better.");
  CLI::Option* file = app.add_option(
      "--topology", options.topology,
      "print the host that this file describes, written by `lstopo FILE.xml` of hwloc 2");
  app.add_option(
         "--ranks", options.ranks,
         "with --topology: where so many ranks would be, one for each GPU or with equal shares "
         "of the cores")
      ->needs(file)
      ->check(CLI::Range(0, 65536));
  app.add_flag("--json", options.as_json, "print JSON");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    *exit_code = app.exit(error) == 0 ? 0 : 2;
    return std::nullopt;
  }
  return options;
}

}  // namespace

int run(int argc, char** argv) {
  int exit_code = 0;
  const std::optional<Options> options = parse(argc, argv, &exit_code);
  if (!options) return exit_code;
  try {
    json all = options->topology.empty() ? describe_job() : describe_file(*options);
    if (all.value("rank", 0) != 0) return 0;
    all.erase("rank");
    const std::string text = options->as_json ? all.dump(2) + "\n" : text_of(all);
    if (std::fputs(text.c_str(), stdout) < 0 || std::fflush(stdout) != 0) return 1;
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "goss-info: %s\n", error.what());
    return 1;
  }
}

}  // namespace goss::tools

int main(int argc, char** argv) { return goss::tools::run(argc, argv); }
