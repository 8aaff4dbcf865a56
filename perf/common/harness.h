// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// The measurement itself, the same for all programs that Gossamer is compared with, and for
// Gossamer's own tools with --block-ms and -a 3. A point is: results verified on changing inputs,
// distance, warm-up, `reps` timed blocks, distance. A block has as many operations as
// common/blocks.h says, back to back as in a training step; its time is that of the slowest rank,
// and the row has the median of the blocks.
//
// A Backend has rank(), nranks(), send(), recv() (floats of the largest size), name(), variant(),
// allreduce(count), broadcast(count) (rank 0's recv to all others'), barrier(), and
// set_distance(ns), called when the distance has been measured. With other(collective, count) it
// has all collectives; rank 0 is the root.
#pragma once

#include <sched.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <stdexcept>
#include <string>
#include <vector>

#include "common/blocks.h"
#include "common/data.h"
#include "common/options.h"
#include "common/shared_page.h"

namespace goss::perf {

// The CPUs that this process may use, when constructed.
class Cpus {
 public:
  Cpus() {
    if (sched_getaffinity(0, sizeof(all_), &all_) != 0) throw std::runtime_error("affinity?");
    for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
      if (CPU_ISSET(cpu, &all_)) list_.push_back(cpu);
    }
  }
  int count() const { return static_cast<int>(list_.size()); }
  int of_rank(int rank) const { return list_[static_cast<size_t>(rank) % list_.size()]; }
  void pin(int rank) const {
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(of_rank(rank), &one);
    sched_setaffinity(0, sizeof(one), &one);
  }
  void unpin() const { sched_setaffinity(0, sizeof(all_), &all_); }

 private:
  cpu_set_t all_;
  std::vector<int> list_;
};

template <class Backend>
class Harness {
 public:
  Harness(Backend* backend, SharedPage* page, const Cpus& cpus, const PeerOptions& options)
      : backend_(*backend), page_(*page), cpus_(cpus), options_(options) {}

  // Runs all points; returns the number of wrong elements on all ranks.
  long run() {
    if (backend_.rank() == 0) print_header();
    long wrong = 0;
    for (size_t bytes : options_.sizes) wrong += run_point(bytes);
    return wrong;
  }

 private:
  using Clock = std::chrono::steady_clock;

  struct Row {
    size_t bytes;
    double time_us, fastest_us, slowest_us;
    long ops;  // in a block
    double before_ns, after_ns;
    long wrong;
  };

  long run_point(size_t bytes) {
    const Data data(options_.collective, bytes, backend_.rank(), backend_.nranks());
    const size_t count = data.count();
    const double before = distance();
    backend_.set_distance(before);
    const long wrong = verify(data);
    const long ops = warm_up(count);
    // The warm-up of a slow operation takes so long that the first distance may be out of date.
    const double start = distance();
    std::vector<double> us;
    for (int rep = 0; rep < options_.reps; ++rep) us.push_back(time_block(count, ops));
    const double end = distance();
    std::sort(us.begin(), us.end());
    if (backend_.rank() == 0) {
      print_row({data.total() * sizeof(float), us[us.size() / 2], us.front(), us.back(), ops, start,
                 end, wrong});
    }
    return wrong;
  }

  double distance() {
    if (cpus_.count() < 2 || backend_.nranks() < 2) return 0;
    if (!options_.pin) cpus_.pin(backend_.rank());
    const double ns = page_.distance();
    if (!options_.pin) cpus_.unpin();
    return ns;
  }

  void operate(size_t count) {
    switch (options_.collective) {
      case Collective::kAllReduce: backend_.allreduce(count); break;
      case Collective::kBroadcast: backend_.broadcast(count); break;
      case Collective::kBarrier: backend_.barrier(); break;
      case Collective::kReduce:
      case Collective::kAllGather:
      case Collective::kReduceScatter:
      case Collective::kAlltoAll:
      case Collective::kGather:
      case Collective::kScatter:
      case Collective::kSendRecv:
        if constexpr (requires { backend_.other(options_.collective, count); }) {
          backend_.other(options_.collective, count);
        }
        break;  // parse_peer_options has refused what the backend does not have
    }
  }

  // New inputs in each pass, so that what an earlier pass left in a slot is recognised as wrong,
  // and no barrier between the passes, so that a slot reused too early is too.
  long verify(const Data& data) {
    long wrong = 0;
    const size_t count = data.total();
    const int passes = count <= 16384 ? 100 : count <= (1 << 20) ? 5 : 2;
    page_.barrier();
    for (int salt = 0; salt < passes; ++salt) {
      if (options_.collective != Collective::kBroadcast || backend_.rank() != 0) {
        std::fill(backend_.recv(), backend_.recv() + count, -1.0F);
      }
      float* in = options_.collective == Collective::kBroadcast ? backend_.recv() : backend_.send();
      if (options_.collective != Collective::kBroadcast || backend_.rank() == 0) {
        for (size_t i = 0; i < count; ++i) in[i] = Data::input(backend_.rank(), i, salt);
      }
      operate(data.count());
      const float* out = backend_.recv();
      for (size_t i = 0; i < data.received(); ++i) wrong += out[i] != data.expected(i, salt);
    }
    backend_.barrier();
    return static_cast<long>(page_.sum(static_cast<double>(wrong)));
  }

  // Returns the number of operations in a block, the same on all ranks.
  long warm_up(size_t count) {
    return operations_per_block(options_.block_ms, [&](long n) { return time_block(count, n); });
  }

  double time_block(size_t count, long ops) {
    page_.barrier();
    const auto start = Clock::now();
    for (long i = 0; i < ops; ++i) operate(count);
    const std::chrono::duration<double, std::micro> took = Clock::now() - start;
    backend_.barrier();  // a library may need all ranks inside it for its last message
    return page_.max(took.count()) / static_cast<double>(ops);
  }

  void print_header() const {
    if (options_.csv) {
      std::printf(
          "program,variant,collective,ranks,cpus,bytes,time_us,fastest_us,slowest_us,ops,"
          "reps,algbw,busbw,before_ns,after_ns,state,wrong\n");
    } else {
      std::printf("# %s, %s, %d ranks on %d CPUs; distance one way, before and after the point\n",
                  backend_.name(), to_string(options_.collective), backend_.nranks(),
                  cpus_.count());
      std::printf("#%11s %-10s %12s %12s %8s %8s %7s %7s %7s %6s\n", "bytes", "variant", "time us",
                  "fastest", "algbw", "busbw", "before", "after", "state", "wrong");
    }
    std::fflush(stdout);
  }

  void print_row(const Row& row) const {
    const double n = backend_.nranks();
    const double algbw = static_cast<double>(row.bytes) / (row.time_us * 1e3);
    const double factor = options_.collective == Collective::kAllReduce ? 2 * (n - 1) / n
                          : is_in_blocks(options_.collective)           ? (n - 1) / n
                                                                        : 1;
    const double busbw = algbw * factor;
    const char* state = to_string(state_of(row.before_ns, row.after_ns));
    const char* variant = backend_.variant(options_.collective, row.bytes);
    if (options_.csv) {
      std::printf("%s,%s,%s,%d,%d,%zu,%.4f,%.4f,%.4f,%ld,%d,%.4f,%.4f,%.1f,%.1f,%s,%ld\n",
                  backend_.name(), variant, to_string(options_.collective), backend_.nranks(),
                  cpus_.count(), row.bytes, row.time_us, row.fastest_us, row.slowest_us, row.ops,
                  options_.reps, algbw, busbw, row.before_ns, row.after_ns, state, row.wrong);
    } else {
      std::printf("%12zu %-10s %12.3f %12.3f %8.3f %8.3f %7.0f %7.0f %7s %6ld\n", row.bytes,
                  variant, row.time_us, row.fastest_us, algbw, busbw, row.before_ns, row.after_ns,
                  state, row.wrong);
    }
    std::fflush(stdout);
  }

  Backend& backend_;
  SharedPage& page_;
  const Cpus& cpus_;
  const PeerOptions& options_;
};

}  // namespace goss::perf
