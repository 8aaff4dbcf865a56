// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Groups of small all-reduces between two ranks (threads on two CPUs) through the public API, with
// nothing in the loop but the calls: one call of 8 B, 64 of them in a group on buffers that follow
// one another or lie apart, and one call of as many bytes.
#include <benchmark/benchmark.h>
#include <gossamer/gossamer.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <thread>
#include <vector>

#include "affinity.h"

namespace {

struct Pattern {
  int calls;      // in a group; 1: no group
  size_t count;   // floats of a call
  size_t stride;  // floats from one call's buffer to the next
};

void must(gossResult_t result, gossComm_t comm) {
  if (result == gossSuccess) return;
  std::fprintf(stderr, "group_bench: %s\n", gossGetLastError(comm));
  std::exit(1);
}

class Rank {
 public:
  Rank(gossUniqueId id, int rank, const Pattern& pattern)
      : pattern_(pattern), input_(size()), output_(size()) {
    goss::perf::pin_to(goss::perf::allowed_cpus()[static_cast<size_t>(rank)]);
    must(gossCommInitRank(&comm_, 2, id, rank), nullptr);
  }
  ~Rank() { gossCommDestroy(comm_); }

  void step() {
    if (pattern_.calls > 1) must(gossGroupStart(), comm_);
    for (int k = 0; k < pattern_.calls; ++k) {
      const size_t at = static_cast<size_t>(k) * pattern_.stride;
      must(gossAllReduce(&input_[at], &output_[at], pattern_.count, gossFloat, gossSum, comm_,
                         nullptr),
           comm_);
    }
    if (pattern_.calls > 1) must(gossGroupEnd(), comm_);
  }
  // Whether all ranks go on; told by one of them.
  bool agree(bool go_on) {
    float all[1] = {go_on ? 1.0F : 0.0F};
    must(gossAllReduce(all, all, 1, gossFloat, gossSum, comm_, nullptr), comm_);
    return all[0] > 0;
  }

 private:
  size_t size() const { return static_cast<size_t>(pattern_.calls) * pattern_.stride + 512; }

  Pattern pattern_;
  std::vector<float> input_;
  std::vector<float> output_;
  gossComm_t comm_ = nullptr;
};

void all_reduce(benchmark::State& state, Pattern pattern) {
  if (goss::perf::allowed_cpus().size() < 2) {
    state.SkipWithError("needs two CPUs");
    return;
  }
  constexpr int kSteps = 1000;  // between two agreements
  gossUniqueId id;
  must(gossGetUniqueId(&id), nullptr);
  std::thread peer([&] {
    Rank rank(id, 1, pattern);
    while (rank.agree(false)) {
      for (int i = 0; i < kSteps; ++i) rank.step();
    }
  });
  std::thread timed([&] {
    Rank rank(id, 0, pattern);
    for (auto _ : state) {
      rank.agree(true);
      for (int i = 0; i < kSteps; ++i) rank.step();
    }
    rank.agree(false);
  });
  timed.join();
  peer.join();
  state.counters["step"] =
      benchmark::Counter(static_cast<double>(state.iterations()) * kSteps,
                         benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

BENCHMARK_CAPTURE(all_reduce, one_of_8_bytes, Pattern{1, 2, 2})->UseRealTime();
BENCHMARK_CAPTURE(all_reduce, group_of_64_in_a_row, Pattern{64, 2, 2})->UseRealTime();
BENCHMARK_CAPTURE(all_reduce, group_of_64_apart, Pattern{64, 2, 16})->UseRealTime();
BENCHMARK_CAPTURE(all_reduce, one_of_512_bytes, Pattern{1, 128, 128})->UseRealTime();

}  // namespace

BENCHMARK_MAIN();
