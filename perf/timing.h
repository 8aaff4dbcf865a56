// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Runs operations and takes the time. One Runner per thread; all functions are collective over the
// crews, which call them in the same order with the same arguments.
#pragma once

#include <algorithm>
#include <optional>
#include <vector>

#include "buffers.h"
#include "collective.h"
#include "gossamer/compression.h"
#include "statistics.h"
#include "types_data.h"

namespace goss::perf {

// What one half of a row of the table is about.
struct Work {
  gossDataType_t type = gossInt8;
  int op = kCopy;
  int root = -1;
  size_t count = 0;  // of a block where there are blocks
  bool in_place = false;
  size_t send_blocks = 1;
  size_t recv_blocks = 1;

  size_t send_count() const { return count * send_blocks; }
  size_t recv_count() const { return count * recv_blocks; }
  // Of the larger buffer, which in place is the only one and in the order of ranks holds the other.
  size_t bytes() const { return std::max(send_count(), recv_count()) * type_size(type); }
};

// Times are per operation, combined over the ranks as -a says.
struct Timing {
  double seconds = 0;
  double call_seconds = 0;          // until the calls had returned
  size_t operations = 0;            // that were timed
  std::vector<double> blocks;       // seconds per operation of every block
  std::vector<double> per_iter;     // -I: maximum over the ranks of each operation's time
  std::optional<Statistics> stats;  // of per_iter
};

class Runner {
 public:
  Runner(const Options& options, const Collective& collective, Crew& crew);

  Timing measure(const Work& work);
  void warm_up(const Work& work);
  void touch_everything(const Work& work);

  // For the checks and for --overlap.
  // `count` elements on either side; or as many blocks of them as the collective has.
  Work make_work(gossDataType_t type, int op, int root) const;
  void start(const Work& work, size_t slot, bool on_stream);
  void synchronize() { crew_.synchronize(); }
  void fill_inputs(const Work& work, size_t slots, uint32_t round);
  // Of slot 0: where rank i of the crew sends from and receives to, and the memory of the latter.
  std::byte* input(const Work& work, int i) const;
  std::byte* output(const Work& work, int i) const;
  std::byte* memory(const Work& work, int i) const { return buffers_[i].recv(work.type); }
  Problem problem(const Work& work, uint32_t round) const;
  // Of the last collective of rank i of the crew; "none": it was not compressed.
  gossErrorReport_t compression(int i);
  Crew& crew() { return crew_; }
  const Options& options() const { return options_; }
  const Collective& collective() const { return collective_; }

 private:
  struct Block {
    double seconds;
    double call_seconds;
  };
  void issue(const Work& work, int i, size_t slot, bool on_stream, int step);
  void start_step(const Work& work, size_t slot, bool on_stream, int step);
  void start_group(const Work& work, int operations);
  size_t take_slot();
  Work next_work(const Work& work);
  void start_next(const Work& work);
  Block run_block(const Work& work, size_t iters);
  void run_single(const Work& work, std::vector<double>* times);
  void measure_blocks(const Work& work, Timing* timing);
  void measure_single(const Work& work, Timing* timing);
  void prepare_timed_data(const Work& work);

  const Options& options_;
  const Collective& collective_;
  Crew& crew_;
  int nsteps_ = 1;  // calls that make one operation
  std::vector<Buffers> buffers_;
  size_t next_slot_ = 0;
  size_t nslots_ = 1;
  size_t ncalls_ = 0;  // of the row, for --vary-count
};

}  // namespace goss::perf
