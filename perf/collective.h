// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// What distinguishes one perf tool from another: how the collective is called, how large its
// buffers are, what must be in them afterwards and what its bandwidth means. Each *_perf.cpp makes
// one description and hands it to perf_main.
#pragma once

#include <cstddef>
#include <vector>

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
  int rank;  // of the communicator, as nranks
  int nranks;
  int step;  // of Collective::steps
  gossComm_t comm;
  gossStream_t stream;
};

// What the result of one rank depends on.
struct Shape {
  size_t count;
  int rank;
  int nranks;
  int root;
};

// The next `count` elements of a result: those from element `from` of the input of rank `source`.
struct Piece {
  static constexpr int kReduced = -1;    // of the reduction of all inputs
  static constexpr int kUntouched = -2;  // what was there before; then the only piece
  size_t count;
  int source;
  size_t from;
};

// How much a rank gives or gets: the whole data, or one or all of its blocks, one for each rank.
enum class Extent { kWhole, kBlock, kBlocks };

struct Collective {
  const char* program;       // name of the tool
  const char* description;   // one line for --help
  const char* function;      // of the API, for messages
  bool moves_data = true;    // false: no sizes, types and buffers
  bool reduces = false;      // -o applies
  bool has_root = false;     // -r applies
  bool has_in_place = true;  // false: that half of the table is N/A
  // Is made of gossSend and gossRecv: operations of a group must not share buffers.
  bool messages = false;
  bool power_of_two = false;  // of ranks, or it does not run
  // Both kWhole or neither. `count` is that of a block where there are blocks.
  Extent send = Extent::kWhole;
  Extent recv = Extent::kWhole;
  // Calls that make one operation, each a group of its own. nullptr: one.
  int (*steps)(int nranks) = nullptr;
  gossResult_t (*issue)(const Call& call);
  // The result of one rank. Everything with moves_data has it.
  std::vector<Piece> (*expected)(const Shape& shape) = nullptr;
  // Bytes of the algorithm bandwidth divided by those of the column of sizes. nullptr: 1.
  double (*alg_factor)(int nranks) = nullptr;
  // Bus bandwidth divided by algorithm bandwidth.
  double (*bus_factor)(int nranks);
  // Checks a collective without data: the number of ranks on which it did wrong. Else nullptr.
  int (*count_wrong_ranks)(Crew& crew, const Options& options, unsigned round) = nullptr;
};

// ---- what several tools need ----

inline double one(int) { return 1; }
// Every rank has one of n blocks itself; the others must come through its connection.
inline double all_but_own_block(int nranks) { return static_cast<double>(nranks - 1) / nranks; }

// A block of every rank, in their order: that from element `from` of its input.
inline std::vector<Piece> block_of_each(const Shape& shape, size_t from) {
  std::vector<Piece> pieces;
  for (int rank = 0; rank < shape.nranks; ++rank) pieces.push_back({shape.count, rank, from});
  return pieces;
}

// Runs post(), which calls gossSend and gossRecv, in a group.
template <class Post>  // gossResult_t()
gossResult_t in_group(Post post) {
  const gossResult_t start = gossGroupStart();
  if (start != gossSuccess) return start;
  const gossResult_t posted = post();
  const gossResult_t end = gossGroupEnd();
  return posted != gossSuccess ? posted : end;
}

// Everything from argv to the exit code: 0; 1 for failures and wrong results; 2 for bad usage.
int perf_main(int argc, char** argv, const Collective& collective);

}  // namespace goss::perf
