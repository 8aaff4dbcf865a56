// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// The order of a run: options, ranks, header, one row per type, operation, root and size, footer.
#include <algorithm>
#include <bit>
#include <cstdio>
#include <optional>

#include "collective.h"
#include "json.h"
#include "launch.h"
#include "plot.h"
#include "table.h"
#include "verify.h"

namespace goss::perf {

namespace {

// One crew's way through the tables. The crew with rank 0 prints.
class Session {
 public:
  Session(const Options& options, const Collective& collective, Crew& crew)
      : options_(options), collective_(collective), crew_(crew) {}

  // False when a result was wrong or the bandwidth too low.
  bool run() {
    startup_s_ = crew_.combine(crew_.startup_s(), Combine::kMax);
    nroots_ = static_cast<int>(crew_.combine(crew_.group_nranks(), Combine::kMin));
    limit_memory();
    const std::vector<RankInfo> ranks = gather_rank_info(crew_);
    runner_.emplace(options_, collective_, crew_);
    if (crew_.speaks()) open_reports(ranks);
    try {
      check_ranks();
      for (int cycle = 0; options_.run_cycles == 0 || cycle < options_.run_cycles; ++cycle) {
        if (options_.codecs.empty()) run_tables();
        for (const std::string& codec : options_.codecs) run_codec(codec);
      }
    } catch (const std::exception& failure) {
      if (crew_.speaks()) std::printf("\n");  // a row was begun
      if (json_) json_->add_error(failure.what());
      throw;
    }
    return finish();
  }

 private:
  void limit_memory() {
    constexpr int kBuffers = 2;
    const size_t limit = memory_limit(crew_, kBuffers);
    if (options_.max_bytes <= limit || !collective_.moves_data) return;
    options_.max_bytes = limit;
    options_.min_bytes = std::min(options_.min_bytes, limit);
    options_.notes.push_back("Reducing maxBytes to " + std::to_string(limit) +
                             " due to memory limitation");
  }

  void open_reports(const std::vector<RankInfo>& ranks) {
    if (!options_.json_file.empty()) json_.emplace(options_.json_file, options_);
    print_header(options_, collective_.program);
    print_devices(ranks);
    std::printf("# start-up: %.3f s\n", startup_s_);
    print_column_heads(options_);
    if (json_) json_->add_config(options_, ranks);
  }

  void check_ranks() {
    const int nranks = crew_.group_nranks();
    const bool fits =
        !collective_.power_of_two || std::has_single_bit(static_cast<unsigned>(nranks));
    const double odd = crew_.combine(fits ? 0 : nranks, Combine::kMax);
    if (odd > 0) {
      throw Failure(std::string(collective_.program) + ": " +
                    std::to_string(static_cast<int>(odd)) + " ranks" +
                    (options_.split ? " in a group" : "") +
                    ": a hypercube has a power of two of them");
    }
    if (collective_.has_root && options_.root >= nroots_) {
      throw Failure("-r " + std::to_string(options_.root) + ": there are only " +
                    std::to_string(nroots_) + " ranks" + (options_.split ? " in a group" : ""));
    }
  }

  void run_codec(const std::string& codec) {
    if (crew_.speaks()) print_codec(codec);
    codec_ = codec;
    std::string rules = codec;
    std::replace(rules.begin(), rules.end(), ';', ',');
    gossConfig_t config = make_config(options_, rules.c_str());
    crew_.split(crew_.group(), &config);
    run_tables();
  }

  void run_tables() {
    const std::vector<int> ops = collective_.reduces ? options_.ops : std::vector<int>{kCopy};
    std::vector<int> roots = {collective_.has_root ? options_.root : -1};
    if (collective_.has_root && options_.root == kAllRoots) {
      roots.clear();
      for (int root = 0; root < nroots_; ++root) roots.push_back(root);
    }
    for (const gossDataType_t type : options_.types) {
      for (const int op : ops) {
        for (const int root : roots) run_table(runner_->make_work(type, op, root));
      }
    }
  }

  // Blocks are as large as their number allows, and begin at multiples of 16 bytes.
  size_t count_of(const Work& work, size_t bytes) const {
    if (!collective_.moves_data) return 0;
    const size_t count = bytes / type_size(work.type);
    if (collective_.send == Extent::kWhole) return count;
    constexpr size_t kBlockAlignment = 16;
    const size_t unit = kBlockAlignment / type_size(work.type);
    return count / static_cast<size_t>(crew_.group_nranks()) / unit * unit;
  }

  void run_table(Work work) {
    work.count = count_of(work, options_.max_bytes);
    if (options_.warmup_iters > 0) runner_->touch_everything(work);
    runner_->warm_up(work);
    work.count = count_of(work, options_.min_bytes);
    runner_->warm_up(work);
    std::optional<size_t> bytes = options_.min_bytes;
    for (; bytes; bytes = options_.next_size(*bytes)) {
      work.count = count_of(work, *bytes);
      run_row(work);
    }
  }

  void run_row(const Work& work) {
    Row row;
    row.work = work;
    row.codec = codec_;
    if (crew_.speaks()) print_row_start(work);
    for (int i = 0; i < 2; ++i) {
      Work half = work;
      half.in_place = i == 1;
      if (!half.in_place || collective_.has_in_place) row.halves[i] = run_half(half);
      if (crew_.speaks()) print_half(options_, row.halves[i]);
    }
    if (crew_.speaks()) print_row_end(options_, row);
    if (options_.overlap) row.overlap = measure_overlap(*runner_, work);
    if (json_) json_->add_row(options_, row, collective_.program);
    if (crew_.speaks() && keep_rows()) rows_.push_back(std::move(row));
  }

  Half run_half(const Work& work) {
    Half half;
    half.measured = true;
    half.timing = runner_->measure(work);
    const double seconds = options_.report_cputime ? half.timing.call_seconds : half.timing.seconds;
    half.time_us = seconds * 1e6;
    if (half.timing.seconds > 0) {  // bandwidth is about completion, also with -C
      half.alg_bw = static_cast<double>(work.bytes()) / half.timing.seconds / 1e9;
    }
    const int nranks = crew_.group_nranks();
    if (collective_.alg_factor != nullptr) half.alg_bw *= collective_.alg_factor(nranks);
    half.bus_bw = half.alg_bw * collective_.bus_factor(nranks);
    if (options_.check > 0) half.wrong = count_wrong(*runner_, work, &half.compression);
    compressed_ |= half.compression.report.codec[0] != '\0';
    if (half.wrong.value_or(0) > 0) ++failed_checks_;
    bus_bw_sum_ += half.bus_bw;
    ++halves_;
    return half;
  }

  bool keep_rows() const {
    return options_.overlap || shows_compression() || !options_.plot_file.empty();
  }
  bool shows_compression() const { return compressed_ || !options_.codecs.empty(); }

  bool finish() {
    Footer footer;
    footer.failed_checks = failed_checks_;
    footer.average_bus_bw = halves_ > 0 ? bus_bw_sum_ / halves_ : 0;
    footer.minimum_bus_bw = options_.min_bus_bw;
    if (options_.report_memory) footer.memory = memory_text();
    if (crew_.speaks()) {
      if (options_.overlap) print_overlaps(rows_);
      if (shows_compression()) print_compression(rows_);
      print_footer(footer, collective_.program);
      if (json_) json_->add_footer(footer);
      if (!options_.plot_file.empty()) draw();
    }
    return footer.failed_checks == 0 && footer.bandwidth_good();
  }

  // What the communicator of this rank holds; the largest of all ranks.
  std::string memory_text() {
    gossCommStats_t stats{};
    stats.size = sizeof stats;
    check(gossCommGetStats(crew_.comm(0), &stats), "gossCommGetStats", crew_.first_rank(),
          crew_.comm(0));
    constexpr double kMega = 1 << 20;
    const double shared =
        crew_.combine(static_cast<double>(stats.shared_bytes) / kMega, Combine::kMax);
    const double own =
        crew_.combine(static_cast<double>(stats.private_bytes) / kMega, Combine::kMax);
    char text[128];
    std::snprintf(text, sizeof text, "shared per host %.2f MB | private per rank %.2f MB", shared,
                  own);
    return text;
  }

  void draw() const {
    std::string ranks = std::to_string(crew_.nranks()) + " ranks on host memory";
    if (options_.split) ranks += ", " + describe(*options_.split);
    const std::string title = "Gossamer " + std::string(collective_.program);
    write_plot(options_.plot_file, make_figure(title, ranks, rows_));
    std::printf("# Plot written to %s\n", options_.plot_file.c_str());
  }

  Options options_;  // own copy: the memory may limit the sizes
  const Collective& collective_;
  Crew& crew_;
  std::optional<Runner> runner_;
  std::optional<JsonFile> json_;
  std::vector<Row> rows_;
  double startup_s_ = 0;     // until the last rank had its communicator
  int nroots_ = 1;           // roots that every group has
  std::string codec_;        // one of options_.codecs
  bool compressed_ = false;  // one of the rows so far
  int failed_checks_ = 0;
  double bus_bw_sum_ = 0;
  int halves_ = 0;
};

}  // namespace

int perf_main(int argc, char** argv, const Collective& collective) {
  int exit_code = 0;
  std::optional<Options> options = parse_options(argc, argv, collective.description, &exit_code);
  if (!options) return exit_code;
  if (!collective.moves_data) {
    if (!options->plot_file.empty()) {
      std::fprintf(stderr, "--plot: %s has no sizes to draw\n", collective.program);
      return 2;
    }
    options->min_bytes = options->max_bytes = 0;
    options->types = {gossInt8};
  }
  return launch(*options, [&](Crew& crew) { return Session(*options, collective, crew).run(); });
}

}  // namespace goss::perf
