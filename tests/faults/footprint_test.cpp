// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// How much memory a communicator costs: the growth of the proportional set size of real processes,
// as the kernel counts it in /proc/self/smaps_rollup, or of the blocks of their shared memory where
// those are more: pages that were allocated and that nobody has touched are in no set. The time of
// a split is printed only.
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>
#include <vector>

#include "faults/ranks.h"

namespace goss::faults {
namespace {

constexpr int kRanks = 8;
constexpr int kSplits = 100;
constexpr long kSharedKiB = 32 * 1024;  // per host, after every size
constexpr long kPrivateKiB = 8 * 1024;  // per rank
constexpr long kSplitsKiB = 64 * 1024;  // per host, for all splits together
constexpr size_t kMost = size_t{64} * 1024 * 1024;

// Proportional: a page that k processes map counts 1/k in each, so the ranks' sum is the host's.
struct Footprint {
  long shared_kib = 0;
  long private_kib = 0;
  long allocated_kib = 0;  // of all that ranks share, the same seen from each of them
};

long allocated_now() {
  long kib = 0;
  std::set<ino_t> counted;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    std::error_code gone;  // the descriptor that lists the folder
    const bool memory = read_symlink(entry.path(), gone).string().starts_with("/memfd:");
    struct stat file {};
    if (!memory || ::stat(entry.path().c_str(), &file) != 0) continue;
    if (counted.insert(file.st_ino).second) kib += file.st_blocks / 2;  // blocks of 512 bytes
  }
  return kib;
}

Footprint footprint_now() {
  std::ifstream rollup("/proc/self/smaps_rollup");
  long all = 0;
  long shared = 0;
  for (std::string word; rollup >> word;) {
    if (word == "Pss:") rollup >> all;
    if (word == "Pss_Shmem:") rollup >> shared;
  }
  return {shared, all - shared, allocated_now()};
}

struct Seen {
  Footprint before, after_sweep, after_splits, after_use;
  double split_ms = 0;
};
using Board8 = std::array<Seen, kRanks>;

// All ranks measure while all of them have everything mapped.
Footprint measure_together(Rank& rank) {
  rank.expect(gossBarrier(rank.comm, nullptr) == gossSuccess);
  const Footprint now = footprint_now();
  rank.expect(gossBarrier(rank.comm, nullptr) == gossSuccess);
  return now;
}

void sweep(Rank& rank, std::vector<char>* buffer) {
  char* data = buffer->data();
  for (size_t bytes = 8; bytes <= kMost; bytes *= 2) {
    for (int i = 0; i < 3; ++i) {
      rank.expect(gossAllReduce(data, data, bytes / sizeof(float), gossFloat32, gossSum, rank.comm,
                                nullptr) == gossSuccess);
      rank.expect(gossBroadcast(data, data, bytes, gossInt8, i, rank.comm, nullptr) == gossSuccess);
    }
    // Messages between all pairs, from one half of the buffer to the other.
    const size_t each = bytes / 2 / kRanks;
    rank.expect(gossGroupStart() == gossSuccess);
    for (int peer = 0; peer < kRanks; ++peer) {
      const size_t place = static_cast<size_t>(peer) * each;
      gossSend(data + place, each, gossInt8, peer, rank.comm, nullptr);
      gossRecv(data + bytes / 2 + place, each, gossInt8, peer, rank.comm, nullptr);
    }
    rank.expect(gossGroupEnd() == gossSuccess);
  }
}

void use(Rank& rank, gossComm_t comm, size_t count) {
  std::vector<float> x(count, 1.0f);
  rank.expect(gossAllReduce(x.data(), x.data(), count, gossFloat32, gossSum, comm, nullptr) ==
              gossSuccess);
  rank.expect(x.back() == kRanks);
}

void live(Rank& rank, Seen* seen) {
  std::vector<char> buffer(kMost, 0);
  seen->before = footprint_now();
  if (rank.failed(rank.join())) std::exit(3);
  sweep(rank, &buffer);
  seen->after_sweep = measure_together(rank);

  std::vector<gossComm_t> splits(kSplits);
  const int64_t begin = now_ns();
  for (gossComm_t& split : splits) {
    if (rank.failed(gossCommSplit(rank.comm, 0, rank.rank, &split, nullptr))) std::exit(3);
  }
  seen->split_ms = ms_between(begin, now_ns()) / kSplits;
  seen->after_splits = measure_together(rank);
  for (gossComm_t split : splits) use(rank, split, 2);
  for (gossComm_t split : splits) use(rank, split, 1024);
  seen->after_use = measure_together(rank);

  for (gossComm_t split : splits) rank.expect(gossCommDestroy(split) == gossSuccess);
  rank.expect(gossCommDestroy(rank.comm) == gossSuccess);
}

long shared_growth(const Board8& board, Footprint Seen::*from, Footprint Seen::*to) {
  long mapped = 0;
  long allocated = 0;
  for (const Seen& seen : board) {
    mapped += (seen.*to).shared_kib - (seen.*from).shared_kib;
    allocated = std::max(allocated, (seen.*to).allocated_kib - (seen.*from).allocated_kib);
  }
  return std::max(mapped, allocated);
}

TEST(FootprintTest, CommunicatorAndItsSplitsStayWithinTheirMemory) {
  if (support::under_sanitizer()) GTEST_SKIP() << "a sanitizer needs memory of its own";
  if (!std::ifstream("/proc/self/smaps_rollup")) GTEST_SKIP() << "no /proc/self/smaps_rollup";
  const support::Shared<Board8> board;
  Ranks ranks(kRanks, [&](Rank& rank) { live(rank, &(*board)[static_cast<size_t>(rank.rank)]); });
  ranks.expect_clean_end(10 * kPatience);

  const long shared = shared_growth(*board, &Seen::before, &Seen::after_sweep);
  EXPECT_LE(shared, kSharedKiB) << "shared KiB of the communicator";
  EXPECT_GT(shared, 0) << "nothing was measured";
  long most_private = 0;
  double split_ms = 0;
  for (int r = 0; r < kRanks; ++r) {
    const Seen& seen = (*board)[static_cast<size_t>(r)];
    EXPECT_EQ(ranks.report(r).wrong, 0) << "rank " << r << ": " << ranks.report(r).text;
    const long grown = seen.after_sweep.private_kib - seen.before.private_kib;
    EXPECT_LE(grown, kPrivateKiB) << "private KiB of rank " << r;
    most_private = std::max(most_private, grown);
    split_ms = std::max(split_ms, seen.split_ms);
  }
  const long made = shared_growth(*board, &Seen::after_sweep, &Seen::after_splits);
  const long used = shared_growth(*board, &Seen::after_sweep, &Seen::after_use);
  EXPECT_LE(used, kSplitsKiB) << "shared KiB of all splits";
  std::printf("a communicator of %d ranks: %ld KiB shared, %ld KiB private per rank\n", kRanks,
              shared, most_private);
  std::printf("%d splits of it: %ld KiB shared, %ld after an all-reduce of 8 B and of 4 KiB each\n",
              kSplits, made, used);
  std::printf("a split: %.2f ms\n", split_ms);
}

}  // namespace
}  // namespace goss::faults
