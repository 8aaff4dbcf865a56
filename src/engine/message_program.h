// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// MessageProgram: a message schedule with what its steps wait for, so that an executor may run
// ahead. And the choice of algorithm between hosts, a pure function that all ranks compute alike.
#pragma once

#include <map>
#include <span>
#include <tuple>
#include <vector>

#include "collectives/registry.h"
#include "engine/plan.h"

namespace goss::engine {

struct MessageProgram {
  collectives::MessageSchedule schedule;
  // Receives are posted in their order, as early as they may; all other steps run in theirs.
  std::vector<int> receives;
  std::vector<int> others;
  // Step i waits for the ends of steps needs[first_need[i]] .. needs[first_need[i + 1] - 1].
  std::vector<int> first_need;
  std::vector<int> needs;

  std::span<const int> needs_of(int step) const {
    const auto at = [&](int i) { return static_cast<size_t>(first_need[static_cast<size_t>(i)]); };
    return std::span(needs).subspan(at(step), at(step + 1) - at(step));
  }
};

// `in_place`: the input and the output of vectors are the same memory.
MessageProgram lower(collectives::MessageSchedule schedule, bool in_place);

// Programs in use; few, because roots and groups are few.
class MessagePlans {
 public:
  // Valid until the next call. `root` is of the group.
  const MessageProgram& get(collectives::MessageAlgorithm algorithm,
                            const collectives::Shape& shape, bool in_place);
  uint64_t made() const { return made_.value(); }  // from any thread

 private:
  static constexpr size_t kCapacity = 32;
  using Key = std::tuple<collectives::MessageAlgorithm, int, int, int, bool>;
  std::map<Key, MessageProgram> programs_;
  Counter made_;
};

// A collective among `nranks` ranks that share no memory.
struct MessageCall {
  collectives::Kind kind;
  int nranks;
  size_t bytes;         // of the vector, or of a block
  bool varied = false;  // blocks have different counts
  bool narrow = false;  // floats whose sums lose less if they are rounded once
};
struct MessageChoice {
  collectives::MessageAlgorithm algorithm;
  const char* reason;
};
// Calls up to here may be aggregated with others.
constexpr size_t kMostAggregated = size_t{256} * 1024;
// The best algorithm for it.
MessageChoice choose_messages(const MessageCall& call, Forced forced);

}  // namespace goss::engine
