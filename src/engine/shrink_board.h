// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// ShrinkBoard: who of a job wants to shrink which communicator to which ranks, so that ranks with
// different lists are told. What a rank chooses is flooded over the mesh; a choice is the topic of
// the communicator that is to be made, hence equal on ranks with the same list. A part of Job,
// guarded by its mutex.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace goss::engine {

class ShrinkBoard {
 public:
  struct Choice {
    uint64_t topic = 0;
    std::string text;  // for messages: which ranks are left out
  };
  // Another rank of the job, and what it chose.
  struct Other {
    int rank = -1;  // none
    std::string text;
  };

  // This rank's choice, and that of another one for communicator `parent`.
  void choose(uint64_t parent, const Choice& choice) { own_[parent].insert(choice.topic); }
  void hear(int rank, uint64_t parent, const Choice& choice) { heard_[parent][rank] = choice; }
  // Communicator `parent` has ended.
  void forget(uint64_t parent) {
    heard_.erase(parent);
    own_.erase(parent);
  }
  // One of `ranks` that has chosen what this rank neither chooses nor ever chose before.
  Other differing(uint64_t parent, const std::vector<int>& ranks) const;

 private:
  std::map<uint64_t, std::map<int, Choice>> heard_;  // by parent and rank: the latest
  std::map<uint64_t, std::set<uint64_t>> own_;       // by parent: topics, of all time
};

}  // namespace goss::engine
