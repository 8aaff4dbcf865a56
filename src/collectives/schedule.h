// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Schedule: who gives what to whom, and what is made of it, for one rank. A pure value: no buffers,
// sizes, clocks or threads. A buffer is divided into `parts` of nearly equal length, and steps
// speak of parts, so one schedule serves every count; long buffers are cut into chunks to which the
// schedule is applied one after the other (the executor overlaps them).
//
// The vocabulary:
//   publish  from now on rank `to` (or everybody) may read these parts of mine
//   reduce   dst = source 0 op source 1 op ..., sources in rank order, each local or published
//   copy     dst = one source
//   await    nothing is moved; the sources have been published (a barrier)
// A source of another rank is a pair with a publish step of that rank: over mapped memory it is
// read in place, over messages publish is a send and the source a receive.
//
// Steps are listed in an order in which they may run. A rank publishes each part at most once.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace goss::collectives {

// The whole input of an algorithm.
struct Shape {
  int rank = 0;
  int nranks = 1;
  int root = 0;  // of rooted collectives
};

enum class Place : uint8_t { kInput, kOutput };
enum class Verb : uint8_t { kPublish, kReduce, kCopy, kAwait };

constexpr int kEverybody = -1;
// A rank raises one flag per phase, so the number of phases is bounded.
constexpr int kMaxPhases = 4;

// Parts [first, last) of a buffer.
struct Parts {
  int first = 0;
  int last = 0;
  int size() const { return last - first; }
  bool operator==(const Parts&) const = default;
};

struct Source {
  int rank;     // whose
  int phase;    // of that rank's publish; unused when local
  Place place;  // of a local source
};

struct Step {
  Verb verb;
  int phase = 0;                // publish: flag raised when all publishes of the phase are done
  int to = kEverybody;          // publish
  Place place = Place::kInput;  // publish: where from; reduce, copy: where to
  Parts parts;                  // the same parts on both sides
  std::vector<Source> sources;
};

struct Schedule {
  Shape shape;
  int parts = 1;
  std::vector<Step> steps;
};

// Reads like the paper: plan.publish(...), plan.reduce(...).
class ScheduleBuilder {
 public:
  ScheduleBuilder(const Shape& shape, int parts) { schedule_ = {shape, parts, {}}; }

  void publish(int phase, Place place, Parts parts, int to = kEverybody);
  void reduce(Place place, Parts parts, std::vector<Source> sources);
  void copy(Place place, Parts parts, Source source);
  void await(std::vector<Source> sources);

  Source mine(Place place) const { return {schedule_.shape.rank, 0, place}; }
  Source theirs(int rank, int phase) const { return {rank, phase, Place::kInput}; }
  Schedule finish() { return std::move(schedule_); }

 private:
  Schedule schedule_;
};

// One line per step, for explain and for people who debug an algorithm.
std::string describe(const Schedule& schedule);

}  // namespace goss::collectives
