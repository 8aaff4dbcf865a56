// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "rank_info.h"

#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <fstream>

#include "affinity.h"

namespace goss::perf {

namespace {

// How a RankInfo travels: all ranks' records in one array, each rank fills in its own and the
// maximum of bytes gathers them.
struct Record {
  int32_t pid;
  int32_t cpu;
  int32_t group;
  char host[64];
  char device[80];
};

// As much of the text as fits.
template <size_t kSize>
void copy_text(char (&to)[kSize], const std::string& text) {
  to[text.copy(to, kSize - 1)] = '\0';
}

// The value of the first line of `file` that begins with `key`, after the colon.
std::string find_line(const char* file, const std::string& key) {
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);) {
    if (line.compare(0, key.size(), key) != 0) continue;
    const size_t colon = line.find(':');
    if (colon == std::string::npos) break;
    const size_t begin = line.find_first_not_of(" \t", colon + 1);
    return begin == std::string::npos ? "" : line.substr(begin);
  }
  return "";
}

std::string processor_name() {
  const std::string name = find_line("/proc/cpuinfo", "model name");
  return name.empty() ? "CPU" : name;
}

std::string host_name() {
  char name[256] = {};
  ::gethostname(name, sizeof name - 1);
  *::strchrnul(name, '.') = '\0';  // as nccl-tests: without the domain
  return name;
}

Record own_record() {
  Record record{};
  record.pid = static_cast<int32_t>(::getpid());
  record.cpu = pinned_cpu();
  copy_text(record.host, host_name());
  copy_text(record.device, processor_name());
  return record;
}

}  // namespace

std::vector<RankInfo> gather_rank_info(Crew& crew) {
  std::vector<unsigned char> bytes(sizeof(Record) * crew.nranks());
  Record own = own_record();
  own.group = crew.group();
  for (int i = 0; i < crew.size(); ++i) {
    std::memcpy(&bytes[sizeof(Record) * (crew.first_rank() + i)], &own, sizeof own);
  }
  crew.combine_max(std::span<unsigned char>(bytes));
  std::vector<RankInfo> all;
  for (int rank = 0; rank < crew.nranks(); ++rank) {
    Record record;
    std::memcpy(&record, &bytes[sizeof(Record) * rank], sizeof record);
    record.host[sizeof record.host - 1] = record.device[sizeof record.device - 1] = '\0';
    all.push_back({rank, record.group, record.pid, record.cpu, record.host, record.device});
  }
  return all;
}

size_t memory_limit(Crew& crew, int nbuffers) {
  const std::vector<RankInfo> all = gather_rank_info(crew);
  const std::string& own_host = all[crew.first_rank()].host;
  const auto here = std::count_if(all.begin(), all.end(),
                                  [&](const RankInfo& info) { return info.host == own_host; });
  const std::string text = find_line("/proc/meminfo", "MemAvailable");
  constexpr double kReserve = double{1 << 30};  // for the library and everybody else
  double limit = 1e18;
  if (!text.empty()) {
    const double available = std::stod(text) * 1024;
    limit = std::max(available - kReserve, available / 2) / static_cast<double>(here * nbuffers);
  }
  return static_cast<size_t>(crew.combine(limit, Combine::kMin));
}

}  // namespace goss::perf
