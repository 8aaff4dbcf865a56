// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Plan: which algorithm an operation uses, and that algorithm's schedule lowered to a flat program
// for mapped memory. A program does not depend on the count: it speaks of parts and is applied to
// one chunk after the other. Choice and program are pure functions of (n, rank, operation, forced
// algorithm), so all ranks agree without talking.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/counter.h"
#include "base/result.h"
#include "collectives/registry.h"
#include "engine/operation.h"

namespace goss::engine {

// One instruction of a lowered schedule. `peer` is a rank, or for kCopyLocal unused.
struct Instruction {
  enum class Code : uint8_t {
    kPublish,    // copy parts of input or output to the own cell, unless peers read it in place
    kFlag,       // raise the flag of `phase`
    kWait,       // until `peer` has raised `phase`
    kReduce,     // parts of the output (or of the cell) = all sources of the source list
    kCopyPeer,   // parts of the output = `peer`'s published parts
    kCopyLocal,  // parts of the output = parts of the own input
  };
  Code code;
  uint8_t phase = 0;
  bool from_output = false;  // kPublish: source; kReduce: also store the result in the own cell
  bool to_output = true;     // kReduce: false: in the own cell only
  int peer = -1;
  int first =
      0;  // parts [first, last) where they are written (kPublish: in the buffer and the cell)
  int last = 0;
  int source_part = 0;   // the first where they are read; kReduce: in the own input
  int source_begin = 0;  // kReduce: range in Program::sources
  int source_end = 0;
};

struct Program {
  // A rank and phase whose publication is read, or this rank's own input (phase -1).
  struct SourceRef {
    int rank;
    int phase;
    int part;  // the first
  };

  collectives::Algorithm algorithm;
  int parts = 1;              // places in a cell
  bool input_blocks = false;  // see collectives::Layout
  bool output_blocks = false;
  bool publishes = false;
  bool publishes_results = false;  // from the output, as soon as they are made
  bool publishes_scratch = false;
  // The output is written where the input has been published, before anybody says that it was read:
  // in place, peers must read a staged copy.
  bool overwrites_input = false;
  // Instructions of stage s are [stages[s], stages[s+1]). Stage s of a chunk may run while earlier
  // stages of later chunks have run already; waits stand at the beginning of a stage.
  std::vector<int> stages;
  std::vector<Instruction> instructions;
  std::vector<SourceRef> sources;
  collectives::Place phase_place[collectives::kMaxPhases] = {};  // where it is published from

  bool vectors() const { return !input_blocks && !output_blocks; }
  // Into how many parts the elements of a chunk are divided.
  int divisor() const { return vectors() ? parts : 1; }
  int nstages() const { return static_cast<int>(stages.size()) - 1; }
};

// The lowering for mapped memory.
Program lower(const collectives::Row& row, const collectives::Shape& shape);

enum class Path : uint8_t { kNothing, kInline, kMapped, kPairs, kHosts, kCompressed };

struct Choice {
  Path path = Path::kNothing;
  collectives::Algorithm algorithm = collectives::Algorithm::kBarrierFlat;
  const char* reason = "";
};

// Those beyond two-shot exist over messages only. A name that a collective has no algorithm of
// leaves it as it is.
enum class Forced : uint8_t {
  kAuto,
  kInline,
  kOneShot,
  kTwoShot,
  kFlat,
  kRing,
  kDoubling,
  kHalving,
  kBinomial,
  kBruck,
  kPairwise,
};
// As in GOSS_ALGO.
const char* forced_name(Forced forced);
// From GOSS_ALGO; gossInvalidUsage for an unknown name.
Result<Forced> forced_algorithm();

Choice choose(const Operation& operation, int nranks, Forced forced);

// How long it takes, by a model with two constants: a cost of each operation, and one of each byte
// that a rank moves. To compare calls with.
double estimated_us(const Operation& operation, int nranks);
double estimated_us(const Transfer& transfer);

// Programs in use, bounded; the least recently used goes.
class PlanCache {
 public:
  PlanCache(int rank, int nranks) : rank_(rank), nranks_(nranks) {}
  // Valid until the next call.
  const Program& get(collectives::Algorithm algorithm, int root);
  // From any thread.
  uint64_t made() const { return made_.value(); }
  size_t bytes() const { return bytes_.value(); }

 private:
  static constexpr size_t kCapacity = 32;
  struct Entry {
    collectives::Algorithm algorithm;
    int root;
    uint64_t used;
    std::unique_ptr<Program> program;
  };
  int rank_;
  int nranks_;
  uint64_t clock_ = 0;
  Counter made_;
  Counter bytes_;
  size_t last_ = 0;
  std::vector<Entry> entries_;
};

}  // namespace goss::engine
