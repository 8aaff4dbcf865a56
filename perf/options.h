// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// What the user asked a perf tool to do: the flags and environment of nccl-tests with their letters
// and defaults, and a few flags of our own. Filled in once by parse_options, constant afterwards.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "gossamer/gossamer.h"
#include "split.h"

namespace goss::perf {

inline constexpr int kCopy = -1;       // in place of a gossRedOp_t: data is moved, not reduced
inline constexpr int kAllRoots = -1;   // -r all
inline constexpr int kFromLaunch = 0;  // --procs not given: the launcher decides

// How the times of the ranks become one number (-a).
enum class Combine { kRank0 = 0, kAverage = 1, kMin = 2, kMax = 3, kSum = 4 };

struct Options {
  int threads = 1;
  int ranks_per_thread = 1;
  int procs = kFromLaunch;
  std::optional<bool> pin;  // nothing: pin when there are at least as many CPUs as ranks
  bool parallel_init = false;

  size_t min_bytes = size_t{32} << 20;
  size_t max_bytes = size_t{32} << 20;
  size_t step_bytes = size_t{1} << 20;
  size_t step_factor = 1;     // 1: steps of step_bytes
  std::vector<size_t> sizes;  // --sizes: these and no steps; ascending

  int iters = 20;
  int agg_iters = 1;
  int warmup_iters = 1;
  int run_cycles = 1;   // 0: for ever
  double block_ms = 0;  // 0: one block of `iters`, as nccl-tests
  int reps = 9;         // blocks of block_ms
  bool vary_count = false;
  bool per_iter_timing = false;
  int per_iter_skip = 0;
  bool rewrite = false;
  int blocking = 0;     // 1: wait and barrier after each operation; 2, 3: wait only
  bool stream = false;  // operations on a host stream; else NULL, synchronous
  Combine average = Combine::kAverage;
  bool report_cputime = false;
  bool report_timestamps = false;
  bool report_memory = false;

  int check = 1;
  bool inject_error = false;
  std::vector<int> ops = {gossSum};
  std::vector<gossDataType_t> types = {gossFloat32};
  int root = 0;
  int local_register = 0;  // 1, 2: buffers from gossMemAlloc
  size_t unalign = 0;      // buffers begin this many elements late
  int timeout_s = 0;       // 0: the library's default

  std::optional<Split> split;        // NCCL_TESTS_SPLIT, NCCL_TESTS_SPLIT_MASK
  std::optional<double> min_bus_bw;  // NCCL_TESTS_MIN_BW

  bool overlap = false;
  std::vector<std::string> codecs;  // one table for each, rules as GOSS_CODEC; none: one, as that
  std::string json_file;
  std::string plot_file;
  std::vector<std::string> notes;      // said in the header: flags that have no effect here
  std::vector<std::string> arguments;  // argv, for the JSON file

  int ranks_per_process() const { return threads * ranks_per_thread; }
  // The size after `bytes`, or nothing when `bytes` was the last.
  std::optional<size_t> next_size(size_t bytes) const;
};

// Returns nothing when the program has nothing more to do; then *exit_code is 0 for --help and 2
// for a mistake, which has been explained on standard error.
std::optional<Options> parse_options(int argc, char** argv, const char* description,
                                     int* exit_code);

const char* type_name(gossDataType_t type);
size_t type_size(gossDataType_t type);
const char* op_name(int op);  // "none" for kCopy

}  // namespace goss::perf
