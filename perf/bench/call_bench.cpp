// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// The fixed costs of a call: the signature with its entry in the flight recorder, and flags: a
// store and a load that meet nobody, and the way of a flag from one CPU to another and back.
#include <benchmark/benchmark.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <thread>
#include <vector>

#include "affinity.h"
#include "engine/communicator.h"
#include "engine/job.h"

namespace {

using goss::engine::Communicator;
using goss::engine::Job;
using goss::engine::Member;
using goss::engine::Operation;
using goss::engine::OwnBuffers;
using goss::shm::Segment;

constexpr int kRanks = 2;

template <class T>
T must(goss::Result<T> result) {
  if (!result.ok()) {
    std::fprintf(stderr, "call_bench: %s\n", result.status().message().c_str());
    std::exit(1);
  }
  return std::move(result.value());
}

goss::shm::SegmentPtr make_segment() {
  return must(Segment::create(kRanks, Segment::Nonce(16, 'b')));
}

// Rank 0 of two in this process; nobody else drives the other.
Communicator::Parts lone_rank() {
  auto mailbox = must(goss::shm::Mailbox::create("bench"));
  const Member self = must(Member::self(mailbox));
  Communicator::Parts parts;
  parts.nranks = kRanks;
  parts.segment = make_segment();
  parts.job = std::make_shared<Job>(0, std::vector<Member>(kRanks, self), std::move(mailbox), "");
  parts.job_ranks = {0, 1};
  return parts;
}

// What every operation does besides its work, beyond choosing the path (plan_bench).
void signature_and_record(benchmark::State& state) {
  Communicator comm(lone_rank());
  Operation operation;
  operation.kind = goss::collectives::Kind::kAllReduce;
  operation.type = gossFloat32;
  operation.count = static_cast<size_t>(state.range(0));
  const auto choice = goss::engine::choose(operation, kRanks, goss::engine::Forced::kAuto);
  const OwnBuffers none;
  for (auto _ : state) {
    benchmark::DoNotOptimize(operation);
    benchmark::DoNotOptimize(comm.begin_operation(operation, static_cast<int>(choice.algorithm), none));
    comm.end_operation(operation);
  }
}
BENCHMARK(signature_and_record)->Arg(2)->Arg(1 << 20)->ArgName("count");

// Both lines stay in this CPU's cache.
void flag_store_and_load(benchmark::State& state) {
  const auto segment = make_segment();
  auto& mine = segment->area(0).flags.signature;
  const auto& theirs = segment->area(1).flags.signature;
  uint64_t turn = 0;
  for (auto _ : state) {
    mine.store(++turn, std::memory_order_release);  // as in an operation; here nobody reads it
    benchmark::DoNotOptimize(theirs.load(std::memory_order_acquire));  // nobody writes it either
  }
}
BENCHMARK(flag_store_and_load);

void wait_for_change(const std::atomic<uint64_t>& flag, uint64_t from) {
  // Pairs with the release stores of both sides of flag_ping_pong.
  while (flag.load(std::memory_order_acquire) == from) goss::engine::cpu_relax();
}

// There and back: twice the distance of the two CPUs, and what polling adds.
void flag_ping_pong(benchmark::State& state) {
  const std::vector<int> cpus = goss::perf::allowed_cpus();
  if (cpus.size() < 2) {
    state.SkipWithError("needs two CPUs");
    return;
  }
  constexpr uint64_t kStop = UINT64_MAX;
  const auto segment = make_segment();
  auto& ping = segment->area(0).flags.signature;
  auto& pong = segment->area(1).flags.signature;
  std::thread peer([&] {
    goss::perf::pin_to(cpus[1]);
    for (uint64_t seen = 0; seen != kStop;) {
      wait_for_change(ping, seen);
      seen = ping.load(std::memory_order_relaxed);  // wait_for_change has acquired it
      pong.store(seen, std::memory_order_release);  // pairs with wait_for_change
    }
  });
  std::thread timed([&] {
    goss::perf::pin_to(cpus[0]);
    uint64_t turn = 0;
    for (auto _ : state) {
      ping.store(++turn, std::memory_order_release);  // pairs with wait_for_change
      wait_for_change(pong, turn - 1);
    }
    ping.store(kStop, std::memory_order_release);  // pairs with wait_for_change
  });
  timed.join();
  peer.join();
}
BENCHMARK(flag_ping_pong)->UseRealTime();

}  // namespace

BENCHMARK_MAIN();
