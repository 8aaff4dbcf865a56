// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "table.h"

#include <algorithm>
#include <cstdio>
#include <ctime>

namespace goss::perf {

namespace {

// The five columns at the left.
void print_left_heads(const char* size, const char* count, const char* type, const char* op,
                      const char* root) {
  std::printf("# %10s  %12s  %8s  %6s  %6s", size, count, type, op, root);
}

void print_half_heads(bool per_iter, const char* time, const char* alg, const char* bus,
                      const char* wrong) {
  std::printf("  %7s  %6s  %6s  %6s", time, alg, bus, wrong);
  if (!per_iter) return;
  const bool units = *wrong == '\0';
  std::printf("  %7s  %7s  %7s  %7s", units ? "(us)" : "i_min", units ? "(us)" : "i_max",
              units ? "(us)" : "i_p99", units ? "(%)" : "i_cv%");
}

// p50 of both halves stands at the right of what nccl-tests prints.
void print_right_heads(const Options& options, const char* p50, const char* timestamp) {
  if (options.per_iter_timing) std::printf("  %7s  %7s", p50, p50);
  const int width = options.report_timestamps ? 19 : 0;
  std::printf(" %*s\n", width, options.report_timestamps ? timestamp : "");
}

}  // namespace

std::string time_of_day() {
  const std::time_t now = std::time(nullptr);
  std::tm local{};
  char text[64];
  std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", ::localtime_r(&now, &local));
  return text;
}

std::string fit(double value, int width) {
  int digits = 0;  // before the decimal point
  for (double power = 1; value >= power && digits < 20; power *= 10) ++digits;
  char text[64];
  if (digits < width - 2) {
    std::snprintf(text, sizeof text, "%*.2f", width, value);
  } else if (digits < width - 1) {
    std::snprintf(text, sizeof text, "%*.1f", width, value);
  } else if (digits < width + 1) {
    std::snprintf(text, sizeof text, "%*.0f", width, value);
  } else {
    std::snprintf(text, sizeof text, width >= 7 ? "%*.1e" : "%*.0e", width, value);
  }
  return text;
}

void print_header(const Options& options, const char* program) {
  int library = 0;
  gossGetVersion(&library);
  std::printf("# gossamer perf version %d.%d.%d gossamer-headers=%d gossamer-library=%d\n",
              GOSS_MAJOR, GOSS_MINOR, GOSS_PATCH, GOSS_VERSION_CODE, library);
  std::printf("# Collective test starting: %s\n", program);
  const bool factor = options.step_factor > 1;
  std::printf(
      "# nThread %d nGpus %d minBytes %ld maxBytes %ld step: %ld(%s) warmup iters: %d "
      "iters: %d agg iters: %d validation: %d graph: %d unalign: %d\n",
      options.threads, options.ranks_per_thread, static_cast<long>(options.min_bytes),
      static_cast<long>(options.max_bytes),
      static_cast<long>(factor ? options.step_factor : options.step_bytes),
      factor ? "factor" : "bytes", options.warmup_iters, options.iters, options.agg_iters,
      options.check, 0, static_cast<int>(options.unalign));
  if (options.blocking == 1) {
    std::printf("# Blocking Enabled: wait for completion and barrier after each collective \n");
  } else if (options.blocking > 1) {
    std::printf("# Blocking Enabled: wait for completion after each collective (no barrier) \n");
  }
  if (options.per_iter_timing) {
    std::printf("# Per-Iteration Report: host clock; i_* and p50 use max over ranks \n");
  }
  if (options.parallel_init) {
    std::printf("# Parallel Init Enabled: threads call gossCommInitRankConfig concurrently \n");
  }
  if (options.block_ms > 0) {
    std::printf("# Median of %d blocks of %g ms\n", options.reps, options.block_ms);
  }
  if (options.vary_count) std::printf("# Each operation has another count: 100 to 90 %%\n");
  if (options.rewrite) std::printf("# Inputs are written anew before each operation\n");
  for (const std::string& note : options.notes) std::printf("# %s\n", note.c_str());
  std::printf("#\n");
}

void print_devices(const std::vector<RankInfo>& ranks) {
  std::printf("# Using devices\n");
  for (const RankInfo& info : ranks) {
    // Host memory has no PCI address; its device number is GOSS_DEVICE_HOST.
    std::printf("#  Rank %2d Group %2d Pid %6d on %10s device %2d [%04x:%02x:%02x] %s", info.rank,
                info.group, info.pid, info.host.c_str(), GOSS_DEVICE_HOST, 0u, 0u, 0u,
                info.device.c_str());
    if (info.cpu >= 0) std::printf(", bound to CPU %d", info.cpu);
    std::printf("\n");
  }
}

void print_column_heads(const Options& options) {
  const bool per_iter = options.per_iter_timing;
  const char* time = options.report_cputime ? "cputime" : "time";
  std::printf("#\n");
  print_left_heads("", "", "", "", "");
  std::printf(per_iter ? "              out-of-place (+ per-iteration)                          "
                         "      in-place (+ per-iteration)\n"
                       : "           out-of-place                       in-place          \n");
  print_left_heads("size", "count", "type", "redop", "root");
  print_half_heads(per_iter, time, "algbw", "busbw", "#wrong");
  print_half_heads(per_iter, time, "algbw", "busbw", "#wrong");
  print_right_heads(options, "p50", "timestamp");
  print_left_heads("(B)", "(elements)", "", "", "");
  print_half_heads(per_iter, "(us)", "(GB/s)", "(GB/s)", "");
  print_half_heads(per_iter, "(us)", "(GB/s)", "(GB/s)", "");
  print_right_heads(options, "(us)", "%Y-%m-%d %H:%M:%S");
}

void print_codec(const std::string& codec) { std::printf("# Codec: %s\n", codec.c_str()); }

void print_row_start(const Work& work) {
  std::printf("%12li  %12li  %8s  %6s  %6i", static_cast<long>(work.bytes()),
              static_cast<long>(work.count), type_name(work.type), op_name(work.op), work.root);
  std::fflush(stdout);
}

void print_half(const Options& options, const Half& half) {
  if (!half.measured) {
    std::printf("  %7s  %6s  %6s    N/A", "N/A", "N/A", "N/A");  // as nccl-tests one less wide
    if (options.per_iter_timing) std::printf("  %7s  %7s  %7s  %7s", "N/A", "N/A", "N/A", "N/A");
    std::fflush(stdout);
    return;
  }
  std::printf("  %7s  %6s  %6s", fit(half.time_us, 7).c_str(), fit(half.alg_bw, 6).c_str(),
              fit(half.bus_bw, 6).c_str());
  if (half.wrong) {
    std::printf("  %6g", static_cast<double>(*half.wrong));
  } else {
    std::printf("    N/A");
  }
  if (options.per_iter_timing && half.timing.stats) {
    const Statistics& s = *half.timing.stats;
    std::printf("  %7s  %7s  %7s  %7s", fit(s.min * 1e6, 7).c_str(), fit(s.max * 1e6, 7).c_str(),
                fit(s.p99 * 1e6, 7).c_str(), fit(s.variation_percent(), 7).c_str());
  }
  std::fflush(stdout);
}

void print_row_end(const Options& options, const Row& row) {
  if (options.per_iter_timing) {
    for (const Half& half : row.halves) {
      const std::string p50 = half.timing.stats ? fit(half.timing.stats->p50 * 1e6, 7) : "N/A";
      std::printf("  %7s", p50.c_str());
    }
  }
  if (options.report_timestamps) std::printf("%21s", time_of_day().c_str());
  std::printf("\n");
  std::fflush(stdout);
}

void print_overlaps(const std::vector<Row>& rows) {
  std::printf("#\n# Overlap with computing\n");
  std::printf("# %10s  %8s  %6s  %10s  %10s  %10s  %7s  %8s\n", "size", "type", "redop",
              "collective", "computing", "both", "hidden", "slowdown");
  std::printf("# %10s  %8s  %6s  %10s  %10s  %10s  %7s  %8s\n", "(B)", "", "", "(us)", "(us)",
              "(us)", "(%)", "(x)");
  for (const Row& row : rows) {
    if (!row.overlap) continue;
    const Overlap& o = *row.overlap;
    std::printf("# %10zu  %8s  %6s  %10s  %10s  %10s  %7.1f  %8.2f\n", row.work.bytes(),
                type_name(row.work.type), op_name(row.work.op),
                fit(o.collective_s * 1e6, 10).c_str(), fit(o.computing_s * 1e6, 10).c_str(),
                fit(o.both_s * 1e6, 10).c_str(), o.hidden() * 100, o.slowdown());
  }
}

void print_compression(const std::vector<Row>& rows) {
  std::printf(
      "#\n# Compression, out of place, rank 0: bytes sent, their ratio to plain ones, bus "
      "bandwidth of the plain bytes\n");
  constexpr const char* kHeads = "# %10s  %8s  %6s  %14s  %9s  %12s  %6s  %7s  %10s  %10s  %10s\n";
  std::printf(kHeads, "size", "type", "redop", "codec", "algorithm", "wire", "ratio", "busbw",
              "max error", "bound", "NMSE");
  for (const Row& row : rows) {
    const Half& half = row.halves[0];
    const gossErrorReport_t& report = half.compression.report;
    const std::string size = std::to_string(row.work.bytes());
    const std::string bandwidth = fit(half.bus_bw, 7);
    if (report.codec[0] == '\0') {  // went as it is
      std::printf(kHeads, size.c_str(), type_name(row.work.type), op_name(row.work.op),
                  half.wrong ? "none" : row.codec.c_str(), "-", "-", "-", bandwidth.c_str(), "-",
                  "-", "-");
      continue;
    }
    const double ratio = static_cast<double>(report.plainBytes) /
                         static_cast<double>(std::max<uint64_t>(1, report.sentBytes));
    std::printf("# %10s  %8s  %6s  %14s  %9s  %12llu  %6.2f  %7s  %10.3g  %10.3g  %10.3g\n",
                size.c_str(), type_name(row.work.type), op_name(row.work.op), report.codec,
                report.algorithm, static_cast<unsigned long long>(report.sentBytes), ratio,
                bandwidth.c_str(), half.compression.largest_error, report.bound,
                half.compression.nmse());
  }
}

void print_footer(const Footer& footer, const char* program) {
  std::printf("# %-20s : %d %s\n", "Out of bounds values", footer.failed_checks,
              footer.failed_checks > 0 ? "FAILED" : "OK");
  const char* verdict = footer.bandwidth_good() ? "OK" : "FAILED";
  std::printf("# %-20s : %g %s\n", "Avg bus bandwidth", footer.average_bus_bw,
              footer.minimum_bus_bw ? verdict : "");
  if (!footer.memory.empty()) {
    std::printf("# %-20s : %s\n", "Memory usage", footer.memory.c_str());
  }
  std::printf("#\n# Collective test concluded: %s\n#\n", program);
  std::fflush(stdout);
}

}  // namespace goss::perf
