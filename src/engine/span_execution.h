// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// SpanExecution: a collective of a communicator across hosts, as phases one after the other: in
// the shared memory of each host, and over messages between hosts. A state machine that never
// blocks.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <vector>

#include "engine/communicator.h"
#include "engine/compressed_execution.h"
#include "engine/message_execution.h"
#include "engine/progress.h"

namespace goss::engine {

class Execution;
struct Hosts;

// What a collective across hosts does between them: alike on all ranks.
struct SpanChoice {
  enum class Way : uint8_t {
    kFlat,     // messages between all ranks
    kColumns,  // the ranks of a host share the work; each exchanges its share with its like
    kLeaders,  // one rank of each host
  };
  Way way = Way::kFlat;
  MessageChoice messages{};
  const char* reason = "";
};
SpanChoice choose_across_hosts(const Operation& operation, const Hosts& hosts, Forced forced);
// Whether part of the work is done in the shared memory of hosts. If not, a compressed operation
// is one of all ranks.
bool works_inside_hosts(const Operation& operation, const Hosts& hosts);
// Elements of an all-reduce, or of what else `operation` is, that one rank exchanges with others.
size_t share_between_hosts(const Operation& operation, const Hosts& hosts);
// The number of an algorithm between hosts in signatures, behind those of shared memory.
int signature_algorithm(collectives::MessageAlgorithm algorithm);

class SpanExecution {
 public:
  SpanExecution();
  ~SpanExecution();

  // `compression`: what goes between hosts is compressed like that.
  Progress start(Communicator& comm, const Operation& operation,
                 const CodecChoice* compression = nullptr);
  Progress advance(Communicator& comm);
  Progress check(Communicator& comm, std::chrono::milliseconds waited);
  // Peers and messages do not touch the caller's buffers any more on return.
  void give_up(Communicator& comm);
  uint64_t position() const;
  const Status& failure() const { return failure_; }
  // After kDone, of a compressed operation.
  const CompressedOutcome& outcome() const { return outcome_; }

 private:
  struct Phase {
    bool local = false;
    Operation operation;
    std::vector<size_t> blocks;  // counts, then places
    std::vector<int> group;      // messages
    int root = 0;                // in the group
    size_t offset = 0;           // of its elements in the vector of the call
    collectives::MessageAlgorithm algorithm{};
  };

  void plan(Communicator& comm, const SpanChoice& choice);
  void plan_columns(Communicator& comm, const SpanChoice& choice);
  void plan_leaders(Communicator& comm, const SpanChoice& choice);
  struct Leading {
    const std::vector<int>& leaders;  // of each host
    int root_host;
    int leader;  // of this host
  };
  void lead_broadcast(Communicator& comm, const SpanChoice& choice, const Leading& lead);
  void lead_reduce(Communicator& comm, const SpanChoice& choice, const Leading& lead);
  void lead_reduce_scatter(Communicator& comm, const SpanChoice& choice, const Leading& lead);
  void share_all_reduce(Communicator& comm, const SpanChoice& choice);
  void gather_columns(Communicator& comm, const SpanChoice& choice);
  void scatter_columns(Communicator& comm, const SpanChoice& choice);
  void add_local(Communicator& comm, const Operation& operation, std::vector<size_t> blocks = {});
  void add_messages(const SpanChoice& choice, const Operation& operation, std::vector<int> group,
                    int root, std::vector<size_t> blocks = {});
  Operation part_of(collectives::Kind kind, const std::byte* input, std::byte* output, size_t count,
                    RedOp op) const;
  std::vector<size_t> blocks_of(const Operation& operation, const std::vector<int>& ranks) const;
  void stage(Communicator& comm);
  void unstage(Communicator& comm);
  void share_errors(Communicator& comm, const SpanChoice& choice);
  void end_compressed(const CompressedOutcome& outcome);
  bool is_compressed(const Phase& phase) const { return compression_ && !phase.local; }
  Progress run(Communicator& comm);
  Progress begin(Communicator& comm, Phase* phase);
  Progress begin_compressed(Communicator& comm, const Phase& phase);

  Operation operation_;
  MessageFrame frame_;
  std::vector<Phase> phases_;
  size_t current_ = 0;
  bool begun_ = false;
  bool messages_begun_ = false;
  uint64_t moved_ = 0;
  MessageExecution messages_;
  std::optional<CodecChoice> compression_;
  const CallOptions* options_ = nullptr;       // for what goes between hosts
  CompressedExecution* compressed_ = nullptr;  // of the communicator, once begun
  CompressedOutcome outcome_;
  quant::Figures shared_;  // of the ranks of this host together
  bool shares_errors_ = false;
  double noise_share_ = 1;
  std::unique_ptr<Execution> local_;
  std::vector<std::byte> scratch_;
  struct {  // to be copied at the end
    const std::byte* from = nullptr;
    std::byte* to = nullptr;
    size_t bytes = 0;
  } result_;
  bool staged_ = false;
  Operation user_;  // as it was called, where it is staged
  std::vector<std::byte> staged_input_;
  std::vector<std::byte> staged_output_;
  Status failure_;
};

}  // namespace goss::engine
