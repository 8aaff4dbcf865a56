// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// MessageSchedule: what one rank sends, receives and makes of it where ranks share no memory. A
// pure value, as Schedule (schedule.h), whose parts, places and layouts it shares; the ranks are
// those of a group, not always of the whole communicator.
//
// The vocabulary:
//   send     these parts to a rank
//   receive  these parts from a rank
//   reduce   dst = source 0 op source 1 op ...
//   copy     dst = one source
// All sources are local. Messages from one rank to another are received in the order in which they
// were sent. Steps are listed in an order in which they may run; the executor runs ahead where no
// step reads or writes what an earlier one still needs.
#pragma once

#include <string>
#include <vector>

#include "collectives/schedule.h"

namespace goss::collectives {

enum class MessageVerb : uint8_t { kSend, kReceive, kReduce, kCopy };

// Where parts begin: in the input or output a part (0 for a vector beside blocks), in the scratch
// memory a slot; each slot has room for one part, and neighbouring parts lie in neighbouring slots.
struct Spot {
  Place place;
  int index;
};

struct MessageStep {
  MessageVerb verb;
  int peer = -1;              // send, receive
  Spot at{Place::kInput, 0};  // send: what; else where to
  // Which parts, for their lengths. Several only where they are contiguous: of vectors, and in
  // scratch memory. None: an empty message.
  Parts parts;
  std::vector<Spot> sources;  // reduce, copy
  bool final = true;          // reduce: nothing more is added, so an average divides here
};

struct MessageSchedule {
  Shape shape;
  int parts = 1;  // of a vector; with blocks one for each rank
  Layout input = Layout::kVector;
  Layout output = Layout::kVector;
  int scratch = 0;  // slots
  std::vector<MessageStep> steps;

  bool vectors() const { return input == Layout::kVector && output == Layout::kVector; }
};

class MessageBuilder {
 public:
  MessageBuilder(const Shape& shape, int parts, Layout input = Layout::kVector,
                 Layout output = Layout::kVector) {
    schedule_ = {shape, parts, input, output, 0, {}};
  }

  void send(int peer, Spot at, Parts parts);
  void receive(int peer, Spot at, Parts parts);
  void reduce(Spot at, Parts parts, std::vector<Spot> sources, bool final = true);
  void copy(Spot at, Parts parts, Spot source);
  // `slots` of scratch memory that nothing else uses.
  Spot scratch(int slots = 1);

  static constexpr Spot input(int part) { return {Place::kInput, part}; }
  static constexpr Spot output(int part) { return {Place::kOutput, part}; }
  // The rank at a distance, which may be negative down to -n.
  int peer(int distance) const {
    return (schedule_.shape.rank + distance + schedule_.shape.nranks) % schedule_.shape.nranks;
  }
  MessageSchedule finish() { return std::move(schedule_); }

 private:
  MessageSchedule schedule_;
};

// A schedule for shared memory as messages: what is published to a rank is sent to it, what is
// published to everybody to every other rank, and a remote source is received first. So every
// source of another rank must be read once, which holds for direct exchanges.
MessageSchedule as_messages(const Schedule& schedule);

}  // namespace goss::collectives
