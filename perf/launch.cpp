// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "launch.h"

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <thread>
#include <utility>

#include "affinity.h"
#include "mpi_start.h"
#include "processes.h"

namespace goss::perf {

namespace {

using Clock = std::chrono::steady_clock;

// Place of this process among those of this host, as launchers tell it.
int local_process(int fallback) {
  for (const char* name :
       {"OMPI_COMM_WORLD_LOCAL_RANK", "MPI_LOCALRANKID", "SLURM_LOCALID", "LOCAL_RANK"}) {
    if (const char* text = std::getenv(name)) return std::atoi(text);
  }
  return fallback;
}

// The processes of the job: how many there are, which one this is, and how they share an id.
class Processes {
 public:
  Processes(const Options& options, const Forked* forked) : options_(options), forked_(forked) {
    if (forked_ != nullptr) {
      nprocesses_ = forked_->nprocesses();
      process_ = forked_->process();
      local_process_ = process_;
    } else if (options_.procs == kFromLaunch) {
      meet_launched();
    }
  }
  ~Processes() {
    if (leader_ != nullptr) gossCommAbort(leader_);
  }
  Processes(const Processes&) = delete;
  Processes& operator=(const Processes&) = delete;

  int nprocesses() const { return nprocesses_; }
  int process() const { return process_; }
  int nranks() const { return nprocesses_ * options_.ranks_per_process(); }

  // The communicator of one rank per process, when there is one; the caller owns it.
  gossComm_t take_leader() { return std::exchange(leader_, nullptr); }

  gossUniqueId share_unique_id() {
    if (forked_ != nullptr) return forked_->share_unique_id();
    gossUniqueId id{};
    if (process_ == 0) check(gossGetUniqueId(&id), "gossGetUniqueId", 0, nullptr);
    if (leader_ != nullptr) {
      check(gossBcast(&id, sizeof(id), gossUint8, 0, leader_, nullptr), "sharing the unique id",
            process_ * options_.ranks_per_process(), leader_);
    }
    return id;
  }
  // All processes have joined the job's communicator.
  void dismiss_leader() {
    if (leader_ == nullptr) return;
    check(gossCommDestroy(std::exchange(leader_, nullptr)), "gossCommDestroy", process_, nullptr);
  }

  // The CPU for a thread of this process, or -1: not to be bound.
  int cpu_for(int thread) const {
    const std::vector<int>& cpus = cpus_;
    const bool ours = forked_ != nullptr || nprocesses_ == 1;  // a launcher binds its processes
    const bool room = static_cast<size_t>(nranks()) <= cpus.size();
    // The library's threads inherit the binding of the one that makes the communicator: with
    // streams they work beside it and need the other CPUs.
    const bool by_default = ours && room && !options_.stream && !options_.overlap;
    if (cpus.empty() || !options_.pin.value_or(by_default)) return -1;
    return cpus[static_cast<size_t>(local_process_ * options_.threads + thread) % cpus.size()];
  }

 private:
  void meet_launched() {
    gossConfig_t config = make_config(options_);
    if (started_by_own_mpi()) {
      leader_ = join_by_mpi(&config);
    } else {
      check(gossCommInitEnv(&leader_, &config), "gossCommInitEnv", 0, leader_);
    }
    check(gossCommCount(leader_, &nprocesses_), "gossCommCount", 0, leader_);
    check(gossCommUserRank(leader_, &process_), "gossCommUserRank", 0, leader_);
    local_process_ = local_process(process_);
  }

  const Options& options_;
  const Forked* forked_;
  int nprocesses_ = 1;
  int process_ = 0;
  int local_process_ = 0;
  gossComm_t leader_ = nullptr;
  std::vector<int> cpus_ = allowed_cpus();
};

enum class Outcome { kGood, kWrong, kFailed };

class Job {
 public:
  Job(const Options& options, const Forked* forked, Clock::time_point start)
      : options_(options), start_(start), processes_(options, forked) {
    const int per_thread = options.ranks_per_thread;
    for (int t = 0; t < options.threads; ++t) {
      const int first = (processes_.process() * options.threads + t) * per_thread;
      crews_.emplace_back(processes_.nranks(), first, per_thread);
    }
  }

  Outcome run(const std::function<bool(Crew&)>& body) {
    // Before joining, so that what the library allocates lies near; with several threads each is
    // bound as it starts.
    if (options_.threads == 1) pin(0);
    join();
    std::vector<std::thread> threads;
    for (int t = 1; t < options_.threads; ++t) {
      threads.emplace_back([this, t, &body] { run_thread(t, body); });
    }
    run_thread(0, body);
    for (std::thread& thread : threads) thread.join();
    if (failed_) return Outcome::kFailed;
    processes_.dismiss_leader();
    return good_ ? Outcome::kGood : Outcome::kWrong;
  }

 private:
  void pin(int t) {
    const int cpu = processes_.cpu_for(t);
    if (cpu >= 0 && !pin_to(cpu)) {
      std::fprintf(stderr, "thread %d cannot be bound to CPU %d; going on\n", t, cpu);
    }
  }

  void join() {
    if (options_.ranks_per_process() == 1) *crews_[0].comm_slot(0) = processes_.take_leader();
    if (crews_[0].comm(0) != nullptr) return;
    id_ = processes_.share_unique_id();
    if (options_.parallel_init) return;
    gossConfig_t config = make_config(options_);
    join_crews(crews_, &config);
    processes_.dismiss_leader();
  }

  void join_crews(std::span<Crew> crews, gossConfig_t* config) {
    const int first = crews.front().first_rank();
    check(gossGroupStart(), "gossGroupStart", first, nullptr);
    for (Crew& crew : crews) {
      for (int i = 0; i < crew.size(); ++i) {
        const int rank = crew.first_rank() + i;
        check(gossCommInitRankConfig(crew.comm_slot(i), crew.nranks(), id_, rank, config),
              "gossCommInitRankConfig", rank, nullptr);
      }
    }
    check(gossGroupEnd(), "gossCommInitRankConfig", first, nullptr);
  }

  void run_thread(int t, const std::function<bool(Crew&)>& body) {
    Crew& crew = crews_[t];
    try {
      pin(t);
      if (crew.comm(0) == nullptr) {
        gossConfig_t config = make_config(options_);
        join_crews({&crew, 1}, &config);
      }
      if (options_.split) crew.split(color(*options_.split, processes_.process()));
      crew.set_startup(std::chrono::duration<double>(Clock::now() - start_).count());
      if (!body(crew)) good_ = false;
      crew.destroy();
    } catch (const std::exception& failure) {
      std::fprintf(stderr, "%s\n", failure.what());
      failed_ = true;
      crew.abort();  // or the others would wait for us
    }
  }

  const Options& options_;
  const Clock::time_point start_;  // the same in all forked processes
  Processes processes_;
  std::vector<Crew> crews_;
  gossUniqueId id_{};
  std::atomic<bool> good_ = true;
  std::atomic<bool> failed_ = false;
};

Outcome run_job(const Options& options, const Forked* forked, Clock::time_point start,
                const std::function<bool(Crew&)>& body) {
  try {
    Job job(options, forked, start);
    return job.run(body);
  } catch (const std::exception& failure) {
    std::fprintf(stderr, "%s\n", failure.what());
    return Outcome::kFailed;
  }
}

}  // namespace

gossConfig_t make_config(const Options& options, const char* codec) {
  gossConfig_t config = GOSS_CONFIG_INITIALIZER;
  if (codec != nullptr) config.codec = codec;
  if (options.timeout_s > 0) config.timeoutMs = options.timeout_s * 1000;
  return config;
}

int launch(const Options& options, const std::function<bool(Crew&)>& body) {
  const Clock::time_point start = Clock::now();
  if (options.procs != kFromLaunch && started_by_own_mpi()) {
    std::fprintf(stderr, "--procs starts the processes itself: do not use it under mpirun\n");
    return 2;
  }
  std::optional<Forked> forked;
  if (options.procs > 1) {
    int exit_code = 1;
    try {
      std::optional<Forked> child = fork_processes(options, &exit_code);
      if (!child) return exit_code;
      forked.emplace(std::move(*child));
    } catch (const Failure& failure) {
      std::fprintf(stderr, "%s\n", failure.what());
      return exit_code;
    }
  }
  const Outcome outcome = run_job(options, forked ? &*forked : nullptr, start, body);
  std::fflush(nullptr);
  // MPI_Finalize may wait for ranks that have failed; mpirun ends those when one leaves without.
  if (outcome != Outcome::kFailed) leave_mpi();
  return outcome == Outcome::kGood ? 0 : 1;
}

}  // namespace goss::perf
