// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "bounds.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>
#include <numeric>

#include "hash.h"

namespace goss::train {

namespace {

constexpr uint64_t kLargestShare = 256;
constexpr int kRepetitions = 3;  // the fastest counts
constexpr double kLeftAlone = 0.2;
constexpr double kUnlimited = 0x1p60;  // version 1 writes about 2^63 for "no limit"

// The number behind `key` in a file of lines "key number"; 0 without it.
double number_in(const std::string& path, const std::string& key) {
  std::ifstream in(path);
  for (std::string word; in >> word;) {
    double value = 0;
    if (word == key && in >> value) return value;
  }
  return 0;
}

// The first number of a file; infinite when there is none ("max").
double number_of(const std::string& path) {
  std::ifstream in(path);
  double value = 0;
  return in >> value && value < kUnlimited ? value : std::numeric_limits<double>::infinity();
}

// What is left in one control group; the cache of files in it can be dropped.
double left_in(const std::string& folder, const char* limit, const char* usage, const char* cache) {
  const double used = number_of(folder + usage);
  const double left = number_of(folder + limit) - used;
  return std::isfinite(left) ? left + number_in(folder + "/memory.stat", cache) : left;
}

double least_up_the_path(const std::string& mount, std::string path, const char* limit,
                         const char* usage, const char* cache) {
  double least = std::numeric_limits<double>::infinity();
  for (;; path.erase(path.rfind('/'))) {
    if (path == "/") path.clear();
    const double left = left_in(mount + path, limit, usage, cache);
    if (left < least) least = left;
    if (path.empty()) return least;
  }
}

// Lines of /proc/self/cgroup: "0::/path" is version 2, "4:memory:/path" version 1.
double left_in_groups(const std::string& root) {
  double least = std::numeric_limits<double>::infinity();
  std::ifstream in(root + "/proc/self/cgroup");
  for (std::string line; std::getline(in, line);) {
    const size_t first = line.find(':');
    const size_t second = line.find(':', first + 1);
    if (second == std::string::npos || second + 1 >= line.size()) continue;
    const std::string kind = line.substr(first + 1, second - first - 1);
    const std::string path = line.substr(second + 1);
    if (path[0] != '/') continue;
    const std::string mount = root + "/sys/fs/cgroup";
    if (kind.empty()) {
      least = std::min(
          least, least_up_the_path(mount, path, "/memory.max", "/memory.current", "inactive_file"));
    } else if (kind == "memory") {
      least = std::min(least, least_up_the_path(mount + "/memory", path, "/memory.limit_in_bytes",
                                                "/memory.usage_in_bytes", "total_inactive_file"));
    }
  }
  return least;
}

double peak_bytes() { return 1024 * number_in("/proc/self/status", "VmHWM:"); }
double resident_bytes() { return 1024 * number_in("/proc/self/status", "VmRSS:"); }
// False where that is not permitted, and the peak is that of the whole process.
bool reset_peak() {
  std::ofstream out("/proc/self/clear_refs");
  return static_cast<bool>(out << 5 << std::flush);
}

Trial try_share(Model& model, const Dataset& data, uint64_t count) {
  std::vector<uint32_t> samples(count);
  std::iota(samples.begin(), samples.end(), 0u);
  const std::vector<float> weights(count, 1.f);
  std::vector<float> losses(count);
  Trial trial{count, std::numeric_limits<double>::infinity(), 0};
  const bool reset = reset_peak();
  for (int i = 0; i < kRepetitions; ++i) {
    const auto start = std::chrono::steady_clock::now();
    model.backward(data, samples, weights, losses, [](size_t, size_t) {});
    const std::chrono::duration<double> time = std::chrono::steady_clock::now() - start;
    trial.seconds = std::min(trial.seconds, time.count());
  }
  trial.peak_bytes = reset ? peak_bytes() : 0;  // without it no memory bound
  return trial;
}

int ranks_of_this_host(Ranks& ranks) {
  char name[256] = {};
  gethostname(name, sizeof name - 1);
  const std::string text = name;
  const uint64_t hash =
      hash_bytes(kHashStart, {reinterpret_cast<const uint8_t*>(text.data()), text.size()});
  std::vector<double> hosts(static_cast<size_t>(ranks.count()));
  const auto mine = static_cast<double>(hash >> 12);  // exact
  hosts[static_cast<size_t>(ranks.rank())] = mine;
  ranks.sum(hosts);
  return static_cast<int>(std::count(hosts.begin(), hosts.end(), mine));
}

}  // namespace

uint64_t compute_bound(std::span<const Trial> trials) {
  const auto throughput = [](const Trial& t) { return static_cast<double>(t.samples) / t.seconds; };
  double best = 0;
  for (const Trial& trial : trials) best = std::max(best, throughput(trial));
  const auto found = std::find_if(trials.begin(), trials.end(),
                                  [&](const Trial& t) { return throughput(t) >= best / 2; });
  return found == trials.end() ? 1 : found->samples;
}

uint64_t memory_bound(std::span<const Trial> trials, double limit_bytes) {
  const Trial& small = trials.front();
  const Trial& large = trials.back();
  const double rise = large.peak_bytes - small.peak_bytes;
  if (rise <= 0) return 0;
  const double per_sample = rise / static_cast<double>(large.samples - small.samples);
  const double rest = limit_bytes - large.peak_bytes;
  const double most = static_cast<double>(large.samples) + rest / per_sample;
  return static_cast<uint64_t>(std::clamp(most, 1.0, 0x1p30));
}

double available_bytes(const std::string& root) {
  const double kernel = 1024 * number_in(root + "/proc/meminfo", "MemAvailable:");
  return std::max(0.0, std::min(kernel, left_in_groups(root)));
}

Bounds measure_bounds(Model& model, const Dataset& data, Ranks& ranks) {
  Bounds bounds;
  const uint64_t largest = std::min<uint64_t>(kLargestShare, data.count());
  for (uint64_t count = 1; count <= largest; count *= 2) {
    bounds.trials.push_back(try_share(model, data, count));
  }
  const double share = (1 - kLeftAlone) * available_bytes("") / ranks_of_this_host(ranks);
  const uint64_t memory = memory_bound(bounds.trials, resident_bytes() + share);
  const int64_t none = int64_t{1} << 40;
  const int64_t least = ranks.min(memory == 0 ? none : static_cast<int64_t>(memory));
  bounds.memory = least == none ? 0 : static_cast<uint64_t>(least);
  bounds.compute =
      static_cast<uint64_t>(ranks.max(static_cast<int64_t>(compute_bound(bounds.trials))));
  return bounds;
}

void to_json(nlohmann::json& json, const Bounds& bounds) {
  json = {{"memory", bounds.memory}, {"compute", bounds.compute}};
  json["trials"] = nlohmann::json::array();
  for (const Trial& t : bounds.trials) {
    json["trials"].push_back({t.samples, t.seconds, t.peak_bytes});
  }
}

void from_json(const nlohmann::json& json, Bounds& bounds) {
  bounds.memory = json.at("memory");
  bounds.compute = json.at("compute");
  bounds.trials.clear();
  for (const auto& t : json.at("trials")) bounds.trials.push_back({t.at(0), t.at(1), t.at(2)});
}

}  // namespace goss::train
