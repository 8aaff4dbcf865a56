// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// What distinguishes one perf tool from another: how the collective is called and what its
// bandwidth means. Each *_perf.cpp makes one and hands it to perf_main.
#pragma once

#include <cstddef>

#include "crew.h"
#include "gossamer/gossamer.h"
#include "options.h"

namespace goss::perf {

// Arguments of one call on one rank.
struct Call {
  const void* send;
  void* recv;
  size_t count;
  gossDataType_t type;
  int op;    // gossRedOp_t or kCopy
  int root;  // -1 when the collective has none
  gossComm_t comm;
  gossStream_t stream;
};

struct Collective {
  const char* program;      // name of the tool
  const char* description;  // one line for --help
  const char* function;     // of the API, for messages
  bool moves_data;          // false: no sizes, types and buffers
  bool reduces;             // -o applies
  bool has_root;            // -r applies
  gossResult_t (*issue)(const Call& call);
  // Bus bandwidth divided by algorithm bandwidth.
  double (*bus_factor)(int nranks);
  // Checks a collective without data: the number of ranks on which it did wrong. Else nullptr.
  int (*count_wrong_ranks)(Crew& crew, const Options& options, unsigned round);
};

// Everything from argv to the exit code: 0; 1 for failures and wrong results; 2 for bad usage.
int perf_main(int argc, char** argv, const Collective& collective);

}  // namespace goss::perf
