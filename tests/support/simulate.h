// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// A simulator of schedules: all ranks at once, values instead of bytes. A rank runs its steps in
// order; a step runs when its sources have been published. Values are strings and the reduction is
// concatenation, which is not commutative, so an order that differs from rank order shows.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "collectives/registry.h"

namespace goss::test {

struct Simulation {
  bool deadlock = false;
  std::string problem;  // the first thing that was read before it existed, or ""
  // output[rank][part]; nothing where it was never written.
  std::vector<std::vector<std::optional<std::string>>> output;
};

// The input of `rank` in `part`.
inline std::string contribution(int rank, int part) {
  return "r" + std::to_string(rank) + "p" + std::to_string(part) + ";";
}

class Simulator {
 public:
  explicit Simulator(std::vector<collectives::Schedule> schedules)
      : schedules_(std::move(schedules)), pc_(schedules_.size(), 0) {
    for (const collectives::Schedule& schedule : schedules_) {
      result_.output.emplace_back(
          static_cast<size_t>(schedule.parts_at(collectives::Place::kOutput)));
      scratch_.emplace_back(static_cast<size_t>(schedule.parts));
    }
  }

  Simulation run() {
    for (bool moved = true; moved;) {
      moved = false;
      for (size_t rank = 0; rank < schedules_.size(); ++rank) {
        while (pc_[rank] < schedules_[rank].steps.size() && try_step(static_cast<int>(rank))) {
          moved = true;
        }
      }
    }
    for (size_t rank = 0; rank < schedules_.size(); ++rank) {
      result_.deadlock |= pc_[rank] != schedules_[rank].steps.size();
    }
    return std::move(result_);
  }

 private:
  using Step = collectives::Step;
  using Verb = collectives::Verb;

  // The flag of a phase is up when the last publish of that phase has been passed.
  bool flag_is_up(int rank, int phase) const {
    const std::vector<Step>& steps = schedules_[static_cast<size_t>(rank)].steps;
    bool any = false;
    for (size_t i = 0; i < steps.size(); ++i) {
      if (steps[i].verb != Verb::kPublish || steps[i].phase != phase) continue;
      if (i >= pc_[static_cast<size_t>(rank)]) return false;
      any = true;
    }
    return any;
  }

  bool try_step(int rank) {
    const Step& step = schedules_[static_cast<size_t>(rank)].steps[pc_[static_cast<size_t>(rank)]];
    for (const collectives::Source& source : step.sources) {
      if (source.rank != rank && !flag_is_up(source.rank, source.phase)) return false;
    }
    switch (step.verb) {
      case Verb::kPublish: publish(rank, step); break;
      case Verb::kReduce:
      case Verb::kCopy: combine(rank, step); break;
      case Verb::kAwait: break;
    }
    ++pc_[static_cast<size_t>(rank)];
    return true;
  }

  std::string local(int rank, collectives::Place place, int part) {
    if (place == collectives::Place::kInput) return contribution(rank, part);
    const auto& value = made(rank, place, part);
    if (!value) complain(rank, "its own result before it was made", part);
    return value.value_or("?");
  }

  std::optional<std::string>& made(int rank, collectives::Place place, int part) {
    auto& all = place == collectives::Place::kScratch ? scratch_ : result_.output;
    return all[static_cast<size_t>(rank)].at(static_cast<size_t>(part));
  }

  void publish(int rank, const Step& step) {
    for (int part = step.parts.first; part < step.parts.last; ++part) {
      published_[{rank, step.phase, part}] = local(rank, step.place, part);
    }
  }

  void combine(int rank, const Step& step) {
    for (int part = step.parts.first; part < step.parts.last; ++part) {
      std::string value;
      for (const collectives::Source& source : step.sources) {
        const int from = source.part + part - step.parts.first;
        if (source.rank == rank) {
          value += local(rank, source.place, from);
          continue;
        }
        const auto there = published_.find({source.rank, source.phase, from});
        if (there == published_.end()) {
          complain(rank, "what rank " + std::to_string(source.rank) + " never published", from);
        } else {
          value += there->second;
        }
      }
      made(rank, step.place, part) = value;
    }
  }

  void complain(int rank, const std::string& what, int part) {
    if (!result_.problem.empty()) return;
    result_.problem =
        "rank " + std::to_string(rank) + " read " + what + ", part " + std::to_string(part);
  }

  struct Key {
    int rank;
    int phase;
    int part;
    auto operator<=>(const Key&) const = default;
  };

  std::vector<collectives::Schedule> schedules_;
  std::vector<size_t> pc_;
  std::map<Key, std::string> published_;
  std::vector<std::vector<std::optional<std::string>>> scratch_;
  Simulation result_;
};

}  // namespace goss::test
