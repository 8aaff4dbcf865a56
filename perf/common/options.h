// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// The command line of the programs that Gossamer is compared with: limit, openmpi_perf, mpich_perf,
// gloo_perf. One set of flags, so that a script can give all of them the same work.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <vector>

namespace goss::perf {

enum class Collective {
  kAllReduce,
  kBroadcast,
  kBarrier,
  kReduce,
  kAllGather,
  kReduceScatter,
  kAlltoAll,
  kGather,
  kScatter,
  kSendRecv,
};

inline const char* to_string(Collective collective) {
  switch (collective) {
    case Collective::kAllReduce: return "allreduce";
    case Collective::kBroadcast: return "broadcast";
    case Collective::kBarrier: return "barrier";
    case Collective::kReduce: return "reduce";
    case Collective::kAllGather: return "allgather";
    case Collective::kReduceScatter: return "reducescatter";
    case Collective::kAlltoAll: return "alltoall";
    case Collective::kGather: return "gather";
    case Collective::kScatter: return "scatter";
    case Collective::kSendRecv: return "sendrecv";
  }
  return "unknown";
}

// Whether the data is a block for each rank.
inline bool is_in_blocks(Collective collective) {
  return collective == Collective::kAllGather || collective == Collective::kReduceScatter ||
         collective == Collective::kAlltoAll || collective == Collective::kGather ||
         collective == Collective::kScatter;
}

struct PeerOptions {
  Collective collective = Collective::kAllReduce;
  std::vector<size_t> sizes = {8, 8 << 10, 1 << 20, 64 << 20};
  int ranks = 2;         // of programs that start their ranks themselves
  int reps = 9;          // timed blocks of a point, of which the median counts
  double block_ms = 10;  // a block lasts about this long, and at least 5 operations
  bool csv = false;
  bool pin = true;
  bool help = false;
  bool all_collectives = false;    // the program has more than the first three
  bool distance = false;           // limit: print the distance and nothing else
  bool direct = false;             // limit: the user's buffers are in shared memory
  std::vector<std::string> extra;  // limit: --tune NAME=VALUE
  std::vector<int> spaces;         // gloo: processes whose network namespaces the ranks enter
  std::string interface;           // gloo: of the network; empty: loopback
};

// "8", "8K", "64M", "1G" (binary multiples).
inline size_t parse_size(const std::string& text) {
  char* end = nullptr;
  const double number = std::strtod(text.c_str(), &end);
  double unit = 1;
  if (*end != '\0') {
    switch (*end++) {
      case 'k':
      case 'K': unit = 1 << 10; break;
      case 'm':
      case 'M': unit = 1 << 20; break;
      case 'g':
      case 'G': unit = 1 << 30; break;
      default: end = nullptr;
    }
  }
  if (end == nullptr || *end != '\0' || text.empty() || number < 0) {
    throw std::runtime_error("not a size: '" + text + "' (expected for example 8, 8K or 64M)");
  }
  return static_cast<size_t>(number * unit);
}

inline std::vector<size_t> parse_sizes(const std::string& list) {
  std::vector<size_t> sizes;
  for (size_t from = 0; from <= list.size();) {
    const size_t comma = std::min(list.find(',', from), list.size());
    sizes.push_back(parse_size(list.substr(from, comma - from)));
    if (sizes.back() % sizeof(float) != 0) {
      throw std::runtime_error("sizes are multiples of 4 bytes, the size of a float");
    }
    from = comma + 1;
  }
  return sizes;
}

inline std::vector<int> parse_numbers(const std::string& list) {
  std::vector<int> numbers;
  for (size_t from = 0; from <= list.size();) {
    const size_t comma = std::min(list.find(',', from), list.size());
    numbers.push_back(std::atoi(list.substr(from, comma - from).c_str()));
    from = comma + 1;
  }
  return numbers;
}

inline Collective parse_collective(const std::string& name, bool all) {
  const Collective last = all ? Collective::kSendRecv : Collective::kBarrier;
  std::string names;
  for (int i = 0; i <= static_cast<int>(last); ++i) {
    const auto one = static_cast<Collective>(i);
    if (name == to_string(one)) return one;
    names += std::string(i == 0 ? "" : ", ") + to_string(one);
  }
  throw std::runtime_error("no such collective: '" + name + "' (there are " + names + ")");
}

inline void print_usage(const char* program, const char* what) {
  std::printf(
      "%s: %s\n"
      "  --collective NAME  allreduce (fp32 sum, default), broadcast or barrier; of MPI also\n"
      "                     reduce, allgather, reducescatter, alltoall, gather, scatter, sendrecv\n"
      "  --sizes LIST       bytes, for example 8,8K,1M,64M (default)\n"
      "  --ranks N          number of ranks, where mpirun does not say it (default 2)\n"
      "  --reps N           timed blocks of each point; their median is printed (default 9)\n"
      "  --block-ms MS      length of a block, at least 5 operations (default 10)\n"
      "  --pin 0|1          rank r on the r-th CPU of the affinity mask, in turn (default 1;\n"
      "                     gloo 0: its threads do better unbound)\n"
      "  --spaces LIST      gloo: rank r enters the network namespace of the r-th process\n"
      "  --interface NAME   gloo: of the network between the ranks (default: loopback)\n"
      "  --csv              rows for programs: the first line names the columns\n"
      "  --help             this text\n",
      program, what);
}

inline PeerOptions parse_peer_options(int argc, char** argv, PeerOptions options = {}) {
  for (int i = 1; i < argc; ++i) {
    const std::string flag = argv[i];
    const auto value = [&]() -> std::string {
      if (i + 1 >= argc) throw std::runtime_error(flag + " needs a value");
      return argv[++i];
    };
    if (flag == "--collective")
      options.collective = parse_collective(value(), options.all_collectives);
    else if (flag == "--sizes")
      options.sizes = parse_sizes(value());
    else if (flag == "--ranks")
      options.ranks = std::atoi(value().c_str());
    else if (flag == "--reps")
      options.reps = std::atoi(value().c_str());
    else if (flag == "--block-ms")
      options.block_ms = std::atof(value().c_str());
    else if (flag == "--pin")
      options.pin = value() != "0";
    else if (flag == "--csv")
      options.csv = true;
    else if (flag == "--distance")
      options.distance = true;
    else if (flag == "--direct")
      options.direct = true;
    else if (flag == "--tune")
      options.extra.push_back(value());
    else if (flag == "--spaces")
      options.spaces = parse_numbers(value());
    else if (flag == "--interface")
      options.interface = value();
    else if (flag == "--help" || flag == "-h")
      options.help = true;
    else
      throw std::runtime_error("unknown option " + flag + " (--help lists them)");
  }
  if (options.ranks < 1 || options.reps < 1 || options.block_ms <= 0) {
    throw std::runtime_error("--ranks, --reps and --block-ms must be positive");
  }
  if (options.collective == Collective::kBarrier) options.sizes = {0};
  return options;
}

}  // namespace goss::perf
