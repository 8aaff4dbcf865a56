// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Gather: the state of one all-gather by dissemination (Bruck). In round k a rank sends the blocks
// of itself and the next 2^k - 1 ranks to rank - 2^k: all have all after ceil(log2 n) rounds.
// Blocks travel as (gather, origin, length, bytes), several to a frame. A rank that has finished
// may run at most one gather ahead of its neighbours, whose early blocks are kept. Values only;
// used by Bootstrap.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace goss::bootstrap {

constexpr size_t kMaxBlockBytes = 64 * 1024;

class Gather {
 public:
  Gather(int rank, int nranks);

  bool running() const { return running_; }
  void start(const std::string& mine);
  // Takes the blocks of a frame; false when they make no sense.
  bool accept(const std::string& payload);

  struct Send {
    int peer;
    std::vector<std::string> payloads;
  };
  std::optional<Send> next_send();
  bool complete() const;  // all blocks are here and all sends were handed out
  std::vector<std::string> finish();
  std::vector<int> missing() const;

 private:
  using Blocks = std::vector<std::optional<std::string>>;

  int rank_;
  int nranks_;
  bool running_ = false;
  uint32_t number_ = 0;  // of the gather that runs or comes next
  int step_ = 1;         // 2^k of the next send
  int contiguous_ = 0;   // blocks held of rank, rank + 1, ...
  Blocks blocks_;        // by rank
  Blocks early_;         // of the gather after this one
};

}  // namespace goss::bootstrap
