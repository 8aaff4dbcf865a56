// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Schedule: who gives what to whom, and what is made of it, for one rank. A pure value: no sizes,
// clocks, threads or memory. Buffers consist of parts, and steps speak of parts, so one schedule
// serves every count; long buffers are cut into chunks to which the schedule is applied one after
// the other (the executor overlaps them). What a part is depends on the buffer's layout:
//
//   vector   `count` elements; each chunk of it is divided into parts of nearly equal length
//   blocks   one block of `count` elements per rank, and part i is block i; a chunk is the same
//            stretch of every block. A vector beside blocks has one part.
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

// kScratch: what is made only to be published, not for the caller.
enum class Place : uint8_t { kInput, kOutput, kScratch };
enum class Layout : uint8_t { kVector, kBlocks };
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
constexpr Parts one(int part) { return {part, part + 1}; }

struct Source {
  int rank;      // whose
  int phase;     // of that rank's publish; unused when local
  Place place;   // of a local source
  int part = 0;  // there, that becomes the step's first part here
};

struct Step {
  Verb verb;
  int phase = 0;                // publish: flag raised when all publishes of the phase are done
  int to = kEverybody;          // publish
  Place place = Place::kInput;  // publish: where from; reduce, copy: where to
  Parts parts;                  // publish: what; reduce, copy: where to
  std::vector<Source> sources;
};

struct Schedule {
  Shape shape;
  int parts = 1;  // of a vector, and at most so many are published
  Layout input = Layout::kVector;
  Layout output = Layout::kVector;
  std::vector<Step> steps;

  // How many parts the buffer at `place` has.
  int parts_at(Place place) const;
};

// Reads like the paper: plan.publish(...), plan.reduce(...).
class ScheduleBuilder {
 public:
  ScheduleBuilder(const Shape& shape, int parts, Layout input = Layout::kVector,
                  Layout output = Layout::kVector) {
    schedule_ = {shape, parts, input, output, {}};
  }

  void publish(int phase, Place place, Parts parts, int to = kEverybody);
  void reduce(Place place, Parts parts, std::vector<Source> sources);
  void copy(Place place, Parts parts, Source source);
  void await(std::vector<Source> sources);

  // Without a part: the parts that the step is about, at the source as here.
  static constexpr int kSamePart = -1;
  Source mine(Place place, int part = kSamePart) const {
    return {schedule_.shape.rank, 0, place, part};
  }
  Source theirs(int rank, int phase, int part = kSamePart) const {
    return {rank, phase, Place::kInput, part};
  }
  // Phase 0 of every rank in rank order, this rank's own input read in place. The order makes the
  // lower rank the left operand, so all ranks compute the same bits.
  std::vector<Source> inputs_in_rank_order(int part = kSamePart) const;
  // The rank at a distance. Peers are taken by distance, so that not all ranks go to rank 0 first.
  int peer(int distance) const {
    return (schedule_.shape.rank + distance) % schedule_.shape.nranks;
  }
  Schedule finish() { return std::move(schedule_); }

 private:
  Schedule schedule_;
};

// One line per step, for explain and for people who debug an algorithm.
std::string describe(const Schedule& schedule);

}  // namespace goss::collectives
