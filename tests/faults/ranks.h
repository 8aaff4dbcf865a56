// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// A job whose ranks are real processes and report over shared memory: what the fault tests are made
// of. The test itself never calls the library, so it has no threads when it forks.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cstring>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "gossamer/gossamer.h"
#include "support/processes.h"
#include "support/test_scale.h"

namespace goss::faults {

using support::milliseconds;
using support::ms_between;
using support::now_ns;

constexpr int kMaxRanks = 8;
// What is promised: a killed process is reported within a second, and leaving is bounded.
constexpr milliseconds kPromise{1000 * support::sanitizer_factor()};
// Far more than anything takes that is not measured.
constexpr milliseconds kPatience{10'000 * support::sanitizer_factor()};

// What a rank tells the test.
struct Report {
  std::atomic<uint64_t> rounds{0};    // operations completed
  std::atomic<int> stage{0};          // of the test's own counting
  std::atomic<int64_t> failed_at{0};  // when a call returned the error
  int code = gossSuccess;             // that error
  char text[2048] = {};               // its sentence
  int second_code = gossSuccess;      // of a later call, where a test looks at one
  char second_text[2048] = {};
  std::atomic<int> wrong{0};   // results that were not right
  std::atomic<int> helper{0};  // pid of a process that the rank has forked
};

struct Board {
  std::atomic<int> id_made{0};
  gossUniqueId id{};
  std::atomic<int> go{0};                        // steps that the test has released
  std::atomic<uint64_t> last_round{UINT64_MAX};  // where the ranks stop on their own
  Report reports[kMaxRanks];
};

inline void keep_text(char (&to)[2048], const char* text) {
  std::strncpy(to, text, sizeof(to) - 1);
}

// One rank, inside its process.
class Rank {
 public:
  Rank(int index, int count, Board* the_board)
      : rank(index), n(count), board(*the_board), report(the_board->reports[index]) {}

  gossResult_t join(gossConfig_t* config = nullptr) {
    if (rank == 0) {
      const gossResult_t made = gossGetUniqueId(&board.id);
      if (made != gossSuccess) return made;
      board.id_made = 1;
    } else if (!support::eventually(kPatience, [&] { return board.id_made == 1; })) {
      return gossInternalError;
    }
    return gossCommInitRankConfig(&comm, n, board.id, rank, config);
  }
  // Keep what a call returned, with the time and the sentence.
  bool failed(gossResult_t code) { return failed(code, comm); }
  bool failed(gossResult_t code, gossComm_t of) {
    if (code == gossSuccess) return false;
    const int64_t at = now_ns();
    report.code = code;
    keep_text(report.text, gossGetLastError(of));
    report.failed_at = at;
    return true;
  }
  bool second(gossResult_t code) {
    report.second_code = code;
    keep_text(report.second_text, gossGetLastError(comm));
    return code != gossSuccess;
  }
  void expect(bool right) {
    if (!right) ++report.wrong;
  }
  void reach(int stage) { report.stage = stage; }
  bool wait_for_go(int step) {
    return support::eventually(2 * kPatience, [&] { return board.go >= step; });
  }

  const int rank;
  const int n;
  Board& board;
  Report& report;
  gossComm_t comm = nullptr;
};

// Starts n processes that each run `body`; those still running end with this object.
class Ranks {
 public:
  using Body = std::function<void(Rank&)>;

  Ranks(int n, const Body& body) : n_(n) {
    for (int r = 0; r < n; ++r) {
      processes_.push_back(std::make_unique<support::Process>([&, r] {
        Rank rank(r, n, &*board_);
        body(rank);
      }));
    }
  }

  int size() const { return n_; }
  Board& board() { return *board_; }
  Report& report(int rank) { return board_->reports[rank]; }
  support::Process& process(int rank) { return *processes_[static_cast<size_t>(rank)]; }

  bool all_reach(int stage) {
    return support::eventually(kPatience, [&] {
      for (int r = 0; r < n_; ++r) {
        if (report(r).stage < stage) return false;
      }
      return true;
    });
  }
  bool all_complete(uint64_t rounds) {
    return support::eventually(kPatience, [&] {
      for (int r = 0; r < n_; ++r) {
        if (report(r).rounds < rounds) return false;
      }
      return true;
    });
  }
  // Kill and return when.
  int64_t kill(int rank) {
    const int64_t at = now_ns();
    process(rank).send(SIGKILL);
    return at;
  }
  // Every process but `except` has ended with code 0 within `limit`.
  void expect_clean_end(milliseconds limit, const std::vector<int>& except = {}) {
    const int64_t deadline = now_ns() + limit.count() * 1'000'000;
    for (int r = 0; r < n_; ++r) {
      if (is_in(r, except)) continue;
      const milliseconds left{std::max<int64_t>(0, (deadline - now_ns()) / 1'000'000)};
      if (process(r).ended_within(left)) {
        EXPECT_EQ(process(r).code(), 0) << "exit code of rank " << r;
      } else {
        ADD_FAILURE() << "rank " << r << " (pid " << process(r).pid() << ") still runs";
      }
    }
  }
  // All but `dead` have reported `code` within the promise after `since`, with equal sentences.
  void expect_same_report(int code, int64_t since, const std::vector<int>& dead) {
    const Report* first = nullptr;
    for (int r = 0; r < n_; ++r) {
      if (is_in(r, dead)) continue;
      const Report& got = report(r);
      ASSERT_TRUE(support::eventually(kPromise * 3, [&] { return got.failed_at != 0; }))
          << "rank " << r << " reports nothing (" << got.rounds << " rounds)";
      EXPECT_EQ(got.code, code) << "rank " << r << ": " << got.text;
      EXPECT_LE(ms_between(since, got.failed_at), kPromise.count()) << "rank " << r;
      EXPECT_EQ(got.wrong, 0) << "results of rank " << r;
      if (first == nullptr) first = &got;
      EXPECT_STREQ(got.text, first->text) << "rank " << r;
    }
  }
  // "rank 2 (host h, pid 123) died".
  std::string death_of(int rank) {
    char host[256] = {};
    ::gethostname(host, sizeof(host) - 1);
    return "rank " + std::to_string(rank) + " (host " + host + ", pid " +
           std::to_string(process(rank).pid()) + ") died";
  }

 private:
  static bool is_in(int rank, const std::vector<int>& ranks) {
    for (int r : ranks) {
      if (r == rank) return true;
    }
    return false;
  }

  int n_;
  support::Shared<Board> board_;
  std::vector<std::unique_ptr<support::Process>> processes_;
};

// A rank whose start-up has failed stays a little: the others may still have to be told, and a root
// that ends is a reason of its own.
inline void linger_and_exit() {
  support::sleep_for(milliseconds(300));
  std::exit(0);
}

// Give the communicator up and end as a program does.
inline void abort_and_exit(Rank& rank) {
  if (gossCommAbort(rank.comm) != gossSuccess) ++rank.report.wrong;
  std::exit(0);
}

// A sequence of collectives of all kinds from 8 bytes to 4 MiB, on private and on shared buffers,
// the same on all ranks, with every result checked.
class MixedWork {
 public:
  static constexpr size_t kMost = size_t{4} * 1024 * 1024 / sizeof(int32_t);

  MixedWork(Rank* rank, bool small_only = false)
      : rank_(rank), small_only_(small_only), private_(2 * kMost) {
    void* memory = nullptr;
    if (gossMemAlloc(&memory, 2 * kMost * sizeof(int32_t)) != gossSuccess) std::abort();
    shared_ = static_cast<int32_t*>(memory);
  }
  ~MixedWork() { gossMemFree(shared_); }
  MixedWork(const MixedWork&) = delete;
  MixedWork& operator=(const MixedWork&) = delete;

  // Until the round that the test has named, or a failure.
  gossResult_t run() {
    for (uint64_t i = 0; i < rank_->board.last_round; ++i) {
      const gossResult_t result = round(rank_->comm, i);
      if (result != gossSuccess) return result;
      rank_->report.rounds = i + 1;
    }
    return gossSuccess;
  }

  gossResult_t round(gossComm_t comm, uint64_t i) {
    static constexpr size_t kCounts[] = {2, 12, 256, 16384, kMost / 4, kMost};
    const size_t count = kCounts[i / 5 % (small_only_ ? 3 : std::size(kCounts))];
    const unsigned kind = static_cast<unsigned>(i % 5);
    if (kind == 4) return gossBarrier(comm, nullptr);
    int32_t* in = kind % 2 == 0 ? private_.data() : shared_;
    int32_t* out = in + kMost;
    const int root = static_cast<int>(i / 5) % rank_->n;
    const bool sum = kind < 2;
    const auto value = [i](int r, size_t j) {
      return (r + 1) * static_cast<int32_t>((j % 97) + i % 13 + 1);
    };
    for (size_t j = 0; j < count; ++j) in[j] = value(rank_->rank, j);
    const gossResult_t result =
        sum ? gossAllReduce(in, out, count, gossInt32, gossSum, comm, nullptr)
            : gossBroadcast(in, out, count, gossInt32, root, comm, nullptr);
    if (result != gossSuccess) return result;
    const int factor = sum ? rank_->n * (rank_->n + 1) / 2 : root + 1;
    bool right = true;
    for (size_t j = 0; j < count; ++j) right &= out[j] == factor * value(0, j);
    rank_->expect(right);
    return gossSuccess;
  }

 private:
  Rank* rank_;
  bool small_only_;
  std::vector<int32_t> private_;
  int32_t* shared_ = nullptr;
};

// All of a well-behaved rank's life; the exit code says what failed.
inline void work_and_leave(Rank& rank) {
  if (rank.failed(rank.join())) std::exit(3);
  MixedWork work(&rank);
  if (rank.failed(work.run())) std::exit(4);
  if (rank.failed(gossCommFinalize(rank.comm))) std::exit(5);
  if (rank.failed(gossCommDestroy(rank.comm))) std::exit(6);
  std::exit(0);
}

// Random moments differ from run to run; the seed is in the failure message.
class Moment {
 public:
  Moment() : seed_(static_cast<unsigned>(now_ns())), engine_(seed_) {}
  void sleep_up_to(milliseconds most) {
    const auto ns = std::uniform_int_distribution<long>(0, most.count() * 1'000'000 - 1)(engine_);
    const timespec nap{ns / 1'000'000'000, ns % 1'000'000'000};
    ::nanosleep(&nap, nullptr);
  }
  unsigned seed() const { return seed_; }

 private:
  unsigned seed_;
  std::mt19937 engine_;
};

}  // namespace goss::faults
