// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "options.h"

#include <CLI/CLI.hpp>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>

#include "plot.h"

namespace goss::perf {

namespace {

constexpr const char* kTypeNames[gossNumTypes] = {"int8",   "uint8",    "int32",  "uint32",
                                                  "int64",  "uint64",   "half",   "float",
                                                  "double", "bfloat16", "f8e4m3", "f8e5m2"};
constexpr size_t kTypeSizes[gossNumTypes] = {1, 1, 4, 4, 8, 8, 2, 4, 8, 2, 1, 1};
constexpr const char* kOpNames[gossNumOps] = {"sum", "prod", "max", "min", "avg"};
// The order in which "-o all" and "-d all" run is that of the enumerators.

// Flags as written, before they are checked and translated.
struct Raw {
  std::string min_bytes = "32M";
  std::string max_bytes = "32M";
  std::string step_bytes = "1M";
  std::vector<std::string> sizes;
  std::string op = "sum";
  std::string type = "float";
  std::string root = "0";
  int average = 1;
  int stream_null = 1;
  int parallel_init = 0, cputime = 0, timestamps = 0, memory = 0, per_iter = 0;
  int pin = -1;
  int cudagraph = 0, cta_policy = 0, device_implementation = 0, device_cta_count = 16;
};

// "64K" and the like: binary multiples, as nccl-tests reads them.
size_t parse_size(const std::string& text, const char* flag) {
  double value = 0;
  char unit = 0;
  char rest = 0;
  const int fields = std::sscanf(text.c_str(), "%lf%c%c", &value, &unit, &rest);
  const std::string units = "KMGT";
  double factor = 1;
  bool good = fields >= 1 && fields <= 2 && std::isfinite(value) && value >= 0;
  if (fields == 2) {
    const size_t power = units.find(static_cast<char>(std::toupper(unit)));
    good = good && unit != 0 && power != std::string::npos;
    if (good) factor = std::ldexp(1.0, 10 * (static_cast<int>(power) + 1));
  }
  if (!good || value * factor >= 9e18) {
    throw std::invalid_argument(std::string(flag) + " " + text +
                                ": expected a size such as 8, 64K, 1.5M or 2G");
  }
  return static_cast<size_t>(value * factor);
}

std::vector<int> parse_ops(const std::string& text) {
  std::vector<int> all;
  for (int op = 0; op < gossNumOps; ++op) {
    if (text == kOpNames[op]) return {op};
    all.push_back(op);
  }
  if (text == "all") return all;
  if (text == "mulsum") {
    throw std::invalid_argument("-o mulsum: the perf tools do not check pre-multiplied sums yet");
  }
  throw std::invalid_argument("-o " + text + ": expected sum, prod, min, max, avg or all");
}

std::vector<gossDataType_t> parse_types(const std::string& text) {
  std::vector<gossDataType_t> all;
  std::string names;
  for (int i = 0; i < gossNumTypes; ++i) {
    const auto type = static_cast<gossDataType_t>(i);
    if (text == kTypeNames[i]) return {type};
    all.push_back(type);
    names += std::string(kTypeNames[i]) + ", ";
  }
  if (text == "all") return all;
  throw std::invalid_argument("-d " + text + ": expected " + names + "or all");
}

int parse_root(const std::string& text) {
  if (text == "all") return kAllRoots;
  size_t used = 0;
  int root = -1;
  try {
    root = std::stoi(text, &used);
  } catch (const std::logic_error&) {
  }
  if (used != text.size() || root < 0) {
    throw std::invalid_argument("-r " + text + ": expected a rank or all");
  }
  return root;
}

void add_shape_flags(CLI::App& app, Options& o, Raw& raw) {
  app.add_option("-t,--nthreads", o.threads, "threads per process, each with -g ranks")
      ->check(CLI::Range(1, 4096));
  app.add_option("-g,--ngpus", o.ranks_per_thread, "ranks per thread, driven in groups")
      ->check(CLI::Range(1, 4096));
  app.add_option("--procs", o.procs, "start this many processes, without any launcher")
      ->check(CLI::Range(1, 4096));
  app.add_option("--pin", raw.pin,
                 "0/1: bind each thread to one CPU (default: when there are CPUs enough)")
      ->check(CLI::Range(0, 1));
  app.add_option("-p,--parallel_init", raw.parallel_init, "0/1: every thread makes its own ranks")
      ->check(CLI::Range(0, 1));
  app.add_option("-b,--minbytes", raw.min_bytes, "smallest size (K, M, G, T: powers of 1024)");
  app.add_option("-e,--maxbytes", raw.max_bytes, "largest size");
  app.add_option("-i,--stepbytes", raw.step_bytes, "from one size to the next: add this");
  app.add_option("-f,--stepfactor", o.step_factor, "or multiply by this (1: off)")
      ->check(CLI::Range(1, 1 << 20));
  app.add_option("--sizes", raw.sizes, "exactly these sizes, such as 8,64K,1M")
      ->delimiter(',')
      ->excludes("-b", "-e", "-i", "-f");
}

void add_timing_flags(CLI::App& app, Options& o, Raw& raw) {
  constexpr int kMany = 1 << 30;
  app.add_option("-n,--iters", o.iters, "timed operations per size")->check(CLI::Range(1, kMany));
  app.add_option("-m,--agg_iters", o.agg_iters, "operations per group")
      ->check(CLI::Range(1, 1 << 16));
  app.add_option("-w,--warmup_iters", o.warmup_iters, "untimed operations before")
      ->check(CLI::Range(0, kMany));
  app.add_option("-N,--run_cycles", o.run_cycles, "repeat the whole table; 0: for ever")
      ->check(CLI::Range(0, kMany));
  app.add_option("--block-ms", o.block_ms,
                 "instead of -n: blocks of operations of so many milliseconds; their median")
      ->check(CLI::Range(0.0, 3.6e6));
  app.add_option("--reps", o.reps, "how many of these blocks")->check(CLI::Range(1, kMany));
  app.add_flag("--vary-count", o.vary_count,
               "each timed operation has another count than the one before: 100 to 90 %");
  app.add_option("-I,--per_iter_timing", raw.per_iter,
                 "0/1: time every operation by itself; adds columns i_min to p50")
      ->check(CLI::Range(0, 1));
  app.add_option("-K,--per_iter_skip", o.per_iter_skip, "leave out the first of them")
      ->check(CLI::Range(0, kMany));
  app.add_flag("--rewrite", o.rewrite,
               "write the inputs anew before each operation (untimed, with a barrier)");
  app.add_option("-z,--blocking", o.blocking,
                 "after each operation 1: wait, barrier; 2, 3: wait; 0: no")
      ->check(CLI::Range(0, 3));
  app.add_option("-y,--stream_null", raw.stream_null,
                 "1: stream NULL, each call complete when it returns; 0: as --stream")
      ->check(CLI::Range(0, 1));
  app.add_flag("--stream", o.stream, "queue the operations on a host stream, then wait");
  app.add_option("-a,--average", raw.average, "time of 0: rank 0, 1: average, 2: min, 3: max")
      ->check(CLI::Range(0, 3));
  app.add_option("-T,--timeout", o.timeout_s, "seconds an operation may wait for a rank")
      ->check(CLI::Range(0, 2000000));
}

void add_work_flags(CLI::App& app, Options& o, Raw& raw) {
  app.add_option("-o,--op", raw.op, "sum, prod, min, max, avg or all");
  app.add_option("-d,--datatype", raw.type,
                 "int8 uint8 int32 uint32 int64 uint64 half float double bfloat16 f8e4m3 f8e5m2 "
                 "or all");
  app.add_option("-r,--root", raw.root, "root of broadcast, reduce, gather and scatter, or all");
  app.add_option("-c,--check", o.check, "checked operations per row; 0: no check")
      ->check(CLI::Range(0, 1 << 20));
  app.add_flag("--inject-error", o.inject_error,
               "spoil one result before each check, to see that #wrong finds it");
  app.add_option("-R,--local_register", o.local_register, "1, 2: buffers from gossMemAlloc")
      ->check(CLI::Range(0, 2));
  app.add_option("-u,--unalign", o.unalign, "buffers begin so many elements late")
      ->check(CLI::Range(0, 1 << 20));
  app.add_option("--codec", o.codecs,
                 "compress: int8,int4,none measures each; rules of one are as in GOSS_CODEC, with "
                 "semicolons: \"int8@64K-1M;int4@1M-\"")
      ->delimiter(',');
  app.add_flag("--overlap", o.overlap, "also run a compute loop beside each collective");
}

void add_report_flags(CLI::App& app, Options& o, Raw& raw) {
  app.add_option("-C,--report_cputime", raw.cputime, "0/1: time of the calls, not of completion")
      ->check(CLI::Range(0, 1));
  app.add_option("-S,--report_timestamps", raw.timestamps, "0/1: a column with the time of day")
      ->check(CLI::Range(0, 1));
  app.add_option("-M,--memory", raw.memory, "0/1: memory that the communicators hold")
      ->check(CLI::Range(0, 1));
  app.add_option("-J,--output_file,--json", o.json_file,
                 "also write a JSON file; one that exists is not overwritten");
  app.add_option("--plot", o.plot_file, "draw the table as FILE.svg or FILE.png");
  app.add_option("-G,--cudagraph", raw.cudagraph, "accepted; no effect on host memory");
  app.add_option("-x,--cta_policy", raw.cta_policy, "accepted; no effect on host memory");
  app.add_option("-D,--device_implementation", raw.device_implementation,
                 "accepted; no effect on host memory");
  app.add_option("-V,--device_cta_count", raw.device_cta_count,
                 "accepted; no effect on host memory");
}

void note_flags_without_effect(const CLI::App& app, Options& o) {
  constexpr struct {
    const char* flag;
    const char* what;
  } kGpuOnly[] = {{"--cudagraph", "-G (CUDA graphs)"},
                  {"--cta_policy", "-x (CTA policy)"},
                  {"--device_implementation", "-D (device kernels)"},
                  {"--device_cta_count", "-V (CTAs of device kernels)"}};
  for (const auto& entry : kGpuOnly) {
    if (app.count(entry.flag) > 0) {
      o.notes.push_back(std::string(entry.what) + " has no effect on host memory");
    }
  }
}

void read_environment(Options& o) {
  const char* mask = std::getenv("NCCL_TESTS_SPLIT_MASK");
  const char* split = std::getenv("NCCL_TESTS_SPLIT");
  if (mask != nullptr) {  // goes before, as in nccl-tests
    o.split = parse_split_mask(mask);
  } else if (split != nullptr) {
    o.split = parse_split(split);
  }
  if (o.split) o.notes.push_back("Groups: " + describe(*o.split) + "; bandwidths are of one group");
  if (const char* text = std::getenv("NCCL_TESTS_MIN_BW")) {
    char* end = nullptr;
    const double least = std::strtod(text, &end);
    if (end == text || *end != '\0' || !std::isfinite(least)) {
      throw std::invalid_argument(std::string("NCCL_TESTS_MIN_BW=") + text +
                                  ": expected a number of GB/s");
    }
    o.min_bus_bw = least;
  }
}

void finish(Options& o, const Raw& raw) {
  o.min_bytes = parse_size(raw.min_bytes, "-b");
  o.max_bytes = parse_size(raw.max_bytes, "-e");
  o.step_bytes = parse_size(raw.step_bytes, "-i");
  for (const std::string& size : raw.sizes) o.sizes.push_back(parse_size(size, "--sizes"));
  if (!o.sizes.empty()) {
    std::sort(o.sizes.begin(), o.sizes.end());
    o.min_bytes = o.sizes.front();
    o.max_bytes = o.sizes.back();
  }
  o.ops = parse_ops(raw.op);
  o.types = parse_types(raw.type);
  o.root = parse_root(raw.root);
  o.average = static_cast<Combine>(raw.average);
  o.stream = o.stream || raw.stream_null == 0;
  o.parallel_init = raw.parallel_init != 0;
  o.report_cputime = raw.cputime != 0;
  o.report_timestamps = raw.timestamps != 0;
  o.report_memory = raw.memory != 0;
  o.per_iter_timing = raw.per_iter != 0;
  if (raw.pin >= 0) o.pin = raw.pin == 1;

  if (o.min_bytes > o.max_bytes) {
    throw std::invalid_argument("-b " + raw.min_bytes + " is more than -e " + raw.max_bytes);
  }
  if (o.min_bytes < o.max_bytes && o.step_factor == 1 && o.step_bytes == 0) {
    throw std::invalid_argument("-i 0: the sizes would never reach -e");
  }
  if (o.sizes.empty() && o.min_bytes == 0 && o.max_bytes > 0 && o.step_factor > 1) {
    throw std::invalid_argument("-b 0 with -f: the sizes would never reach -e; begin at 1 or more");
  }
  if (o.per_iter_skip >= o.iters) {
    throw std::invalid_argument("-K leaves out all of the -n operations");
  }
  if (o.block_ms > 0 && (o.per_iter_timing || o.rewrite)) {
    throw std::invalid_argument(
        "--block-ms times blocks; -I and --rewrite time single operations: use -n there");
  }
  if (!o.plot_file.empty()) check_plot_file(o.plot_file);
}

}  // namespace

std::optional<size_t> Options::next_size(size_t bytes) const {
  if (!sizes.empty()) {
    const auto at = std::upper_bound(sizes.begin(), sizes.end(), bytes);
    return at == sizes.end() || *at > max_bytes ? std::nullopt : std::optional(*at);
  }
  size_t next = 0;
  const bool overflow = step_factor > 1 ? __builtin_mul_overflow(bytes, step_factor, &next)
                                        : __builtin_add_overflow(bytes, step_bytes, &next);
  if (overflow || next > max_bytes || next <= bytes) return std::nullopt;
  return next;
}

std::optional<Options> parse_options(int argc, char** argv, const char* description,
                                     int* exit_code) {
  constexpr int kBadUsage = 2;
  Options options;
  Raw raw;
  CLI::App app(description);
  app.option_defaults()->always_capture_default();
  app.get_formatter()->column_width(34);
  add_shape_flags(app, options, raw);
  add_timing_flags(app, options, raw);
  add_work_flags(app, options, raw);
  add_report_flags(app, options, raw);
  try {
    app.parse(argc, argv);
    finish(options, raw);
    read_environment(options);
  } catch (const CLI::ParseError& error) {
    *exit_code = app.exit(error) == 0 ? 0 : kBadUsage;
    return std::nullopt;
  } catch (const std::invalid_argument& error) {
    std::fprintf(stderr, "%s\nRun with --help for more information.\n", error.what());
    *exit_code = kBadUsage;
    return std::nullopt;
  }
  note_flags_without_effect(app, options);
  options.arguments.assign(argv, argv + argc);
  return options;
}

const char* type_name(gossDataType_t type) { return kTypeNames[type]; }
size_t type_size(gossDataType_t type) { return kTypeSizes[type]; }
const char* op_name(int op) { return op == kCopy ? "none" : kOpNames[op]; }

}  // namespace goss::perf
