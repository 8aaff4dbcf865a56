// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// gossip_perf: a step of gossip beside an all-reduce of the same size, on the same ranks in turn:
// time, bytes, and how many steps and how much time it takes until the models agree. With one
// straggling rank on request. Ranks are processes started here (--procs) or by a launcher.
#include <gossamer/gossip.h>
#include <sys/mman.h>
#include <time.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <new>
#include <nlohmann/json.hpp>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include "common/children.h"

namespace {

struct Options {
  int procs = 0;
  size_t least = size_t{1} << 10;
  size_t most = size_t{1} << 22;
  int factor = 4;
  int steps = 200;
  int rounds = 5;
  std::string topology = "hypercube";
  std::string compression = "none";
  int bits = 8;
  double straggler_ms = 0;
  double straggle_chance = 0;  // of every rank in every step; 0: the last rank in every step
  double agreement = 1e-3;
  std::string json;
};

// Where the processes of --procs meet.
struct Meeting {
  std::atomic<int> made{0};
  gossUniqueId id;
};

struct Row {
  size_t bytes = 0;
  double all_reduce_us = 0;  // medians of the rounds, of the slowest rank
  double gossip_us = 0;
  double gossip_p50_us = 0;  // of single calls on rank 0
  double gossip_p99_us = 0;
  double all_reduce_p50_us = 0;
  double all_reduce_p99_us = 0;
  double all_reduce_bytes = 0;  // per rank and step
  double gossip_bytes = 0;
  int steps_to_agree = 0;
  double skipped = 0;  // per rank and step
};

double now_us() {
  timespec time{};
  clock_gettime(CLOCK_MONOTONIC, &time);
  return static_cast<double>(time.tv_sec) * 1e6 + static_cast<double>(time.tv_nsec) / 1e3;
}

void must(gossResult_t code, const char* call) {
  if (code == gossSuccess) return;
  throw std::runtime_error(std::string(call) + ": " + gossGetLastError(nullptr));
}

double median(std::vector<double> values, double at = 0.5) {
  std::sort(values.begin(), values.end());
  const auto index = static_cast<size_t>(at * static_cast<double>(values.size() - 1) + 0.5);
  return values[index];
}

class Bench {
 public:
  Bench(gossComm_t comm, const Options& options) : comm_(comm), options_(options) {
    must(gossCommUserRank(comm, &rank_), "gossCommUserRank");
    must(gossCommCount(comm, &n_), "gossCommCount");
    random_.seed(static_cast<unsigned>(rank_) + 1);
  }

  int rank() const { return rank_; }
  int nranks() const { return n_; }

  Row measure(size_t bytes, const gossGossipConfig_t& config) {
    const size_t count = bytes / sizeof(float);
    std::vector<float> x(count, 1.0f);
    Row row;
    row.bytes = count * sizeof(float);
    gossGossip_t gossip = nullptr;
    must(gossGossipCreate(&gossip, comm_, &config), "gossGossipCreate");
    uint64_t step = 0;
    const auto mix = [&] {
      must(gossGossipMix(x.data(), x.data(), count, gossFloat, step++, gossip, nullptr),
           "gossGossipMix");
    };
    const auto reduce = [&] {
      must(gossAllReduce(x.data(), x.data(), count, gossFloat, gossAvg, comm_, nullptr),
           "gossAllReduce");
    };
    std::vector<double> gossips;
    std::vector<double> reduces;
    std::vector<double> gossip_calls;
    std::vector<double> reduce_calls;
    for (int i = 0; i < 20; ++i) mix();
    for (int i = 0; i < 20; ++i) reduce();
    for (int r = 0; r < options_.rounds; ++r) {
      const uint64_t before = sent();
      reduces.push_back(time_steps(reduce, &reduce_calls));
      row.all_reduce_bytes = static_cast<double>(sent() - before) / options_.steps;
      const gossGossipStats_t first = stats(gossip);
      gossips.push_back(time_steps(mix, &gossip_calls));
      const gossGossipStats_t last = stats(gossip);
      row.gossip_bytes = static_cast<double>(last.bytes - first.bytes) / options_.steps;
      row.skipped = static_cast<double>(last.skipped - first.skipped) / options_.steps;
    }
    row.all_reduce_us = most(median(reduces));
    row.gossip_us = most(median(gossips));
    row.gossip_p50_us = median(gossip_calls);
    row.gossip_p99_us = median(gossip_calls, 0.99);
    row.all_reduce_p50_us = median(reduce_calls);
    row.all_reduce_p99_us = median(reduce_calls, 0.99);
    row.steps_to_agree = agree(&x, mix);
    must(gossBarrier(comm_, nullptr), "gossBarrier");
    must(gossGossipDestroy(gossip), "gossGossipDestroy");
    return row;
  }

 private:
  uint64_t sent() {
    gossCommStats_t stats{};
    stats.size = sizeof(stats);
    must(gossCommGetStats(comm_, &stats), "gossCommGetStats");
    return stats.sent_bytes;
  }

  static gossGossipStats_t stats(gossGossip_t gossip) {
    gossGossipStats_t stats{};
    stats.size = sizeof(stats);
    must(gossGossipGetStats(gossip, &stats), "gossGossipGetStats");
    return stats;
  }

  void straggle() {
    const bool chance = options_.straggle_chance > 0;
    const bool mine =
        chance ? std::uniform_real_distribution<>(0, 1)(random_) < options_.straggle_chance
               : rank_ == n_ - 1;
    if (options_.straggler_ms <= 0 || !mine) return;
    const auto ns = static_cast<long>(options_.straggler_ms * 1e6);
    const timespec nap{ns / 1'000'000'000, ns % 1'000'000'000};
    nanosleep(&nap, nullptr);
  }

  // Time of one step in microseconds.
  template <class Step>
  double time_steps(const Step& step, std::vector<double>* calls) {
    must(gossBarrier(comm_, nullptr), "gossBarrier");
    const double begin = now_us();
    double last = begin;
    for (int i = 0; i < options_.steps; ++i) {
      straggle();
      step();
      const double now = now_us();
      calls->push_back(now - last);
      last = now;
    }
    return (now_us() - begin) / options_.steps;
  }

  double most(double value) {
    must(gossAllReduce(&value, &value, 1, gossDouble, gossMax, comm_, nullptr), "gossAllReduce");
    return value;
  }

  // Root mean square of model - mean, over all ranks.
  double disagreement(const std::vector<float>& x) {
    std::vector<double> mean(x.begin(), x.end());
    must(gossAllReduce(mean.data(), mean.data(), mean.size(), gossDouble, gossAvg, comm_, nullptr),
         "gossAllReduce");
    double squares = 0;
    for (size_t i = 0; i < x.size(); ++i) squares += std::pow(x[i] - mean[i], 2);
    must(gossAllReduce(&squares, &squares, 1, gossDouble, gossSum, comm_, nullptr),
         "gossAllReduce");
    return std::sqrt(squares);
  }

  // Steps until models that differ agree up to the wanted factor.
  template <class Step>
  int agree(std::vector<float>* x, const Step& step) {
    std::normal_distribution<float> deviation(0, 1);
    for (float& value : *x) value = deviation(random_);
    const double first = disagreement(*x);
    int steps = 0;
    for (; steps < 1000 && disagreement(*x) > options_.agreement * first; ++steps) step();
    return steps;
  }

  gossComm_t comm_;
  const Options& options_;
  int rank_ = 0;
  int n_ = 1;
  std::mt19937 random_;
};

gossGossipConfig_t config_of(const Options& options) {
  static const char* const kTopologies[] = {"hypercube", "dissemination", "random",
                                            "ring",      "mixed_radix",   "fold"};
  gossGossipConfig_t config = GOSS_GOSSIP_CONFIG_INITIALIZER;
  const auto* found = std::find(std::begin(kTopologies), std::end(kTopologies), options.topology);
  config.topology = static_cast<gossGossipTopology_t>(found - std::begin(kTopologies));
  config.compression = options.compression == "modulo" ? gossGossipModulo
                       : options.compression == "edge" ? gossGossipEdgeDifference
                                                       : gossGossipFull;
  config.bits = options.bits;
  return config;
}

void print(const Row& row) {
  std::printf(
      "%10zu %12.1f %12.1f %7.2f %12.0f %12.0f %10.1f %10.1f %10.1f %10.1f %6d %12.1f %8.3f\n",
      row.bytes, row.all_reduce_us, row.gossip_us, row.gossip_us / row.all_reduce_us,
      row.all_reduce_bytes, row.gossip_bytes, row.all_reduce_p50_us, row.all_reduce_p99_us,
      row.gossip_p50_us, row.gossip_p99_us, row.steps_to_agree, row.steps_to_agree * row.gossip_us,
      row.skipped);
  std::fflush(stdout);
}

nlohmann::json to_json(const Row& row) {
  return {{"bytes", row.bytes},
          {"all_reduce_us", row.all_reduce_us},
          {"gossip_us", row.gossip_us},
          {"all_reduce_bytes", row.all_reduce_bytes},
          {"gossip_bytes", row.gossip_bytes},
          {"all_reduce_p50_us", row.all_reduce_p50_us},
          {"all_reduce_p99_us", row.all_reduce_p99_us},
          {"gossip_p50_us", row.gossip_p50_us},
          {"gossip_p99_us", row.gossip_p99_us},
          {"steps_to_agree", row.steps_to_agree},
          {"skipped", row.skipped}};
}

int run(gossComm_t comm, const Options& options) {
  Bench bench(comm, options);
  nlohmann::json rows = nlohmann::json::array();
  if (bench.rank() == 0) {
    std::printf(
        "# %d ranks, gossip: %s, compression %s; bytes are sent per rank and step\n"
        "# p50 and p99 of single calls on rank 0; steps until models differ by %g of what "
        "they did at first\n"
        "%10s %12s %12s %7s %12s %12s %10s %10s %10s %10s %6s %12s %8s\n",
        bench.nranks(), options.topology.c_str(), options.compression.c_str(), options.agreement,
        "bytes", "allreduce us", "gossip us", "ratio", "ar bytes", "gossip bytes", "ar p50",
        "ar p99", "gos p50", "gos p99", "steps", "to agree us", "skipped");
  }
  for (size_t bytes = options.least; bytes <= options.most;
       bytes *= static_cast<size_t>(options.factor)) {
    const Row row = bench.measure(bytes, config_of(options));
    if (bench.rank() != 0) continue;
    print(row);
    rows.push_back(to_json(row));
  }
  must(gossCommFinalize(comm), "gossCommFinalize");
  must(gossCommDestroy(comm), "gossCommDestroy");
  if (bench.rank() == 0 && !options.json.empty()) {
    FILE* file = std::fopen(options.json.c_str(), "w");
    if (file == nullptr) throw std::runtime_error("cannot write " + options.json);
    std::fputs(rows.dump(2).c_str(), file);
    std::fclose(file);
  }
  return 0;
}

int run_forked(const Options& options) {
  void* page =
      mmap(nullptr, sizeof(Meeting), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (page == MAP_FAILED) throw std::runtime_error("no memory");
  auto* meeting = new (page) Meeting;
  return goss::perf::run_children(options.procs, [&](int rank) {
    if (rank == 0) {
      must(gossGetUniqueId(&meeting->id), "gossGetUniqueId");
      meeting->made.store(1, std::memory_order_release);  // pairs with the load below
    }
    while (meeting->made.load(std::memory_order_acquire) == 0) usleep(1000);
    gossComm_t comm = nullptr;
    must(gossCommInitRank(&comm, options.procs, meeting->id, rank), "gossCommInitRank");
    return run(comm, options);
  });
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app(
      "Measures a step of gossip beside an all-reduce of the same size. Under Open MPI start it "
      "with mpirun --enable-recovery if ranks may die: without, mpirun ends all ranks when one "
      "does.");
  app.add_option("--procs", options.procs, "start so many processes; 0: a launcher has (default)");
  app.add_option("-b,--minbytes", options.least)->transform(CLI::AsSizeValue(false));
  app.add_option("-e,--maxbytes", options.most)->transform(CLI::AsSizeValue(false));
  app.add_option("-f,--stepfactor", options.factor)->check(CLI::Range(2, 1024));
  app.add_option("-n,--steps", options.steps, "steps of one measurement")
      ->check(CLI::PositiveNumber);
  app.add_option("-r,--rounds", options.rounds, "measurements in turn; the median counts")
      ->check(CLI::PositiveNumber);
  app.add_option("--topology", options.topology)
      ->check(
          CLI::IsMember({"hypercube", "dissemination", "random", "ring", "mixed_radix", "fold"}));
  app.add_option("--compression", options.compression)
      ->check(CLI::IsMember({"none", "modulo", "edge"}));
  app.add_option("--bits", options.bits)->check(CLI::Range(3, 8));
  app.add_option("--straggler-ms", options.straggler_ms,
                 "the last rank sleeps so long before every step");
  app.add_option("--straggle-chance", options.straggle_chance,
                 "instead: each rank, with this chance, in each step")
      ->check(CLI::Range(0.0, 1.0));
  app.add_option("--agreement", options.agreement, "factor by which models shall differ less");
  app.add_option("-J,--json", options.json, "write the table there as well");
  CLI11_PARSE(app, argc, argv);
  try {
    if (options.least == 0) throw std::runtime_error("-b 0: a step with nothing has no time");
    if (options.procs > 0) return run_forked(options);
    gossComm_t comm = nullptr;
    must(gossCommInitEnv(&comm, nullptr), "gossCommInitEnv");
    return run(comm, options);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "gossip_perf: %s\n", error.what());
    return 1;
  }
}
