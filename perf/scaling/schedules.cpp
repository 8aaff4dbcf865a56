// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Runs the schedules of src/collectives on the clocks: every rank goes through its steps until it
// waits for a message; the earliest message under way arrives next.
#include <map>
#include <queue>
#include <tuple>

#include "collectives/all_reduce.h"
#include "scaling/algorithms.h"

namespace goss::scaling {

namespace {

using collectives::kEverybody;
using collectives::Place;
using collectives::Schedule;
using collectives::Source;
using collectives::Step;
using collectives::Verb;

// A publish of some phase from one rank to another, of parts beginning with `part`.
using Key = std::tuple<int, int, int, int>;  // from, to, phase, part

struct Flying {
  double first_byte_us;
  Key key;
  double bytes;
  bool operator>(const Flying& other) const {
    return std::tie(first_byte_us, key) > std::tie(other.first_byte_us, other.key);
  }
};

class ScheduleRun {
 public:
  ScheduleRun(const Network& network, std::vector<Schedule> schedules, double bytes)
      : clocks_(network, static_cast<int>(schedules.size())),
        schedules_(std::move(schedules)),
        next_(schedules_.size(), 0),
        part_bytes_(bytes / schedules_.front().parts) {}

  Cost run() {
    for (size_t r = 0; r < schedules_.size(); ++r) go_on(r);
    while (!flying_.empty()) {
      const Flying message = flying_.top();
      flying_.pop();
      const auto [from, to, phase, part] = message.key;
      there_[message.key] = clocks_.arrive(from, to, message.bytes, message.first_byte_us);
      go_on(static_cast<size_t>(to));
    }
    return clocks_.cost();
  }

 private:
  void go_on(size_t rank) {
    const std::vector<Step>& steps = schedules_[rank].steps;
    while (next_[rank] < steps.size() && try_step(static_cast<int>(rank), steps[next_[rank]])) {
      ++next_[rank];
    }
  }

  bool try_step(int rank, const Step& step) {
    if (step.verb == Verb::kPublish) {
      publish(rank, step);
      return true;
    }
    double until = 0;
    for (const Source& source : step.sources) {
      if (source.rank == rank) continue;
      const auto found = there_.find({source.rank, rank, source.phase, step.parts.first});
      if (found == there_.end()) return false;
      until = std::max(until, found->second);
    }
    const double touched =
        step.verb == Verb::kReduce ? static_cast<double>(step.sources.size()) : 0;
    clocks_.wait(rank, until, touched * step.parts.size() * part_bytes_);
    return true;
  }

  void publish(int rank, const Step& step) {
    const double bytes = step.parts.size() * part_bytes_;
    const int n = clocks_.nranks();
    for (int distance = 1; distance < n; ++distance) {
      const int to = (rank + distance) % n;
      if (step.to != kEverybody && step.to != to) continue;
      flying_.push(
          {clocks_.send(rank, to, bytes), {rank, to, step.phase, step.parts.first}, bytes});
    }
  }

  Clocks clocks_;
  std::vector<Schedule> schedules_;
  std::vector<size_t> next_;
  double part_bytes_;
  std::priority_queue<Flying, std::vector<Flying>, std::greater<>> flying_;
  std::map<Key, double> there_;  // messages that have arrived: when
};

Cost run(const Network& network, int nranks, double bytes,
         Schedule (*make)(const collectives::Shape&)) {
  std::vector<Schedule> schedules;
  for (int r = 0; r < nranks; ++r) schedules.push_back(make({r, nranks, 0}));
  return ScheduleRun(network, std::move(schedules), bytes).run();
}

}  // namespace

Cost run_one_shot_schedule(const Network& network, int nranks, double bytes) {
  return run(network, nranks, bytes, collectives::all_reduce_one_shot);
}

Cost run_two_shot_schedule(const Network& network, int nranks, double bytes) {
  return run(network, nranks, bytes, collectives::all_reduce_two_shot);
}

}  // namespace goss::scaling
