// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// The benchmark loop of the programs that Gossamer is compared with: all do the same work, verify
// it once and print the same JSON lines. Nothing of the library is used.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>
#include <stdexcept>
#include <string>
#include <vector>

namespace goss::perf {

struct Options {
  std::string collective = "all_reduce";  // or broadcast, barrier
  int ranks = 2;
  std::vector<size_t> sizes = {8, 8 << 10, 1 << 20, 64 << 20};
  int rounds = 5;         // blocks of iterations; the median block counts
  double min_time = 0.2;  // seconds of all blocks of a size
  bool direct = false;    // of limit only
};

struct Times {
  double median_us, min_us;  // of the blocks' times per iteration
};

// "8,64K,1M": binary multiples, rounded down to whole floats.
inline std::vector<size_t> parse_sizes(const std::string& text) {
  std::vector<size_t> sizes;
  for (const char* at = text.c_str(); *at != 0;) {
    char* end = nullptr;
    size_t size = std::strtoull(at, &end, 10);
    const char* units = "KMG";
    const char* unit = *end != 0 ? std::strchr(units, *end) : nullptr;
    if (unit) {
      size <<= 10 * (unit - units + 1);
      ++end;
    }
    if (end == at || (*end != ',' && *end != 0)) {
      throw std::invalid_argument("--sizes " + text + ": expected such as 8,64K,1M");
    }
    sizes.push_back(size & ~size_t{3});
    at = *end == ',' ? end + 1 : end;
  }
  return sizes;
}

inline void set_option(Options& options, const std::string& flag, const std::string& value) {
  if (flag == "--ranks") {
    options.ranks = std::stoi(value);
  } else if (flag == "--sizes") {
    options.sizes = parse_sizes(value);
  } else if (flag == "--rounds") {
    options.rounds = std::stoi(value);
  } else if (flag == "--min-time") {
    options.min_time = std::stod(value);
  } else if (flag == "--collective") {
    options.collective = value;
  } else {
    throw std::invalid_argument(flag + ": unknown");
  }
}

inline Options parse_options(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string flag = argv[i];
    if (flag == "--direct") {
      options.direct = true;
      continue;
    }
    if (i + 1 == argc) throw std::invalid_argument(flag + ": unknown, or its value is missing");
    set_option(options, flag, argv[++i]);
  }
  const std::string& name = options.collective;
  const bool known = name == "all_reduce" || name == "broadcast" || name == "barrier";
  if (!known) throw std::invalid_argument(name + ": expected all_reduce, broadcast or barrier");
  if (options.ranks < 1 || options.ranks > 64 || options.rounds < 1 || options.min_time <= 0) {
    throw std::invalid_argument("expected 1 to 64 ranks, rounds and time above 0");
  }
  if (name == "barrier") options.sizes = {0};
  return options;
}

inline const char* kUsage =
    "[--ranks N] [--sizes 8,8K,1M] [--rounds N] [--min-time SECONDS]\n"
    "       [--collective all_reduce|broadcast|barrier]";

// Memory of this process alone, like what malloc gives for large sizes.
inline float* private_buffer(size_t bytes) {
  constexpr size_t kPage = 4096;
  void* at = std::aligned_alloc(kPage, (bytes / kPage + 1) * kPage);
  if (!at) throw std::bad_alloc();
  std::memset(at, 0, (bytes / kPage + 1) * kPage);
  return static_cast<float*>(at);
}

// One rank of one size. Subject has rank(), ranks(), all_reduce(in, out, count),
// broadcast(in, out, count) from rank 0, barrier(), and agree(value), which gives everybody the
// value of rank 0.
template <class Subject>
class Bench {
 public:
  Bench(Subject& subject, const Options& options, float* in, float* out, size_t bytes)
      : subject_(subject), o_(options), in_(in), out_(out), count_(bytes / sizeof(float)) {
    for (size_t i = 0; i < count_; ++i) {
      in_[i] = static_cast<float>(subject_.rank() + 1) * static_cast<float>(i % 1021);
    }
  }

  // Checks one operation, then measures; throws on a wrong result. The times are rank 0's.
  Times run() {
    subject_.barrier();
    operation();
    verify();
    const double slice = o_.min_time / o_.rounds;
    size_t iterations = 1;
    double took = block(iterations);
    for (; subject_.agree(took < slice / 4); took = block(iterations)) iterations *= 2;
    const double wanted = slice / took * static_cast<double>(iterations);
    iterations = subject_.agree(std::max<size_t>(1, static_cast<size_t>(wanted)));
    std::vector<double> times;
    for (int i = 0; i < o_.rounds; ++i) {
      times.push_back(block(iterations) / static_cast<double>(iterations) * 1e6);
    }
    std::sort(times.begin(), times.end());
    return {times[times.size() / 2], times[0]};
  }

 private:
  void operation() {
    if (o_.collective == "all_reduce") return subject_.all_reduce(in_, out_, count_);
    if (o_.collective == "broadcast") return subject_.broadcast(in_, out_, count_);
    subject_.barrier();
  }

  void verify() const {
    const int n = subject_.ranks();
    const bool root = subject_.rank() == 0 && o_.collective == "broadcast";
    if (o_.collective == "barrier" || root) return;
    const float factor = o_.collective == "broadcast" ? 1.F : static_cast<float>(n * (n + 1) / 2);
    for (size_t i = 0; i < count_; ++i) {
      if (out_[i] == factor * static_cast<float>(i % 1021)) continue;
      throw std::runtime_error("wrong result at element " + std::to_string(i) + " of " +
                               std::to_string(count_) + ": " + std::to_string(out_[i]));
    }
  }

  double block(size_t iterations) {
    using Clock = std::chrono::steady_clock;
    subject_.barrier();
    const Clock::time_point start = Clock::now();
    if (o_.collective == "all_reduce") {  // no other decision within the loop
      for (size_t i = 0; i < iterations; ++i) subject_.all_reduce(in_, out_, count_);
    } else {
      for (size_t i = 0; i < iterations; ++i) operation();
    }
    subject_.barrier();
    return std::chrono::duration<double>(Clock::now() - start).count();
  }

  Subject& subject_;
  const Options& o_;
  float* const in_;
  float* const out_;
  const size_t count_;
};

// One result as a line of JSON; `more` are further members, each with a comma before it.
inline void print_point(const char* program, const Options& options, size_t bytes, Times times,
                        const std::string& more = "") {
  std::printf("{\"program\":\"%s\",\"collective\":\"%s\",\"ranks\":%d,\"bytes\":%zu,"
              "\"us\":%.4f,\"min_us\":%.4f%s}\n",
              program, options.collective.c_str(), options.ranks, bytes, times.median_us,
              times.min_us, more.c_str());
  (void)std::fflush(stdout);
}

}  // namespace goss::perf
