// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// What differs in a collective across hosts whose messages between hosts are compressed: the phases
// are the same.
#include "engine/error_report.h"
#include "engine/span.h"
#include "engine/span_execution.h"

namespace goss::engine {

using collectives::Kind;
using Way = SpanChoice::Way;

// Each rank knows the errors of what it has received from other hosts; its result may have parts
// that others of its host received.
void SpanExecution::share_errors(Communicator& comm, const SpanChoice& choice) {
  const Kind kind = operation_.kind;
  outcome_.elements = result_elements(operation_, comm.rank(), comm.nranks());
  outcome_.operation = comm.number_of(frame_.signature);
  shared_ = {};
  const bool scatters = kind == Kind::kReduceScatter && choice.way == Way::kColumns;
  if (scatters || kind == Kind::kReduce) return;
  shares_errors_ = true;
  noise_share_ = 1;
  const Hosts& hosts = comm.span()->hosts();
  if (kind == Kind::kReduceScatter) {  // the errors are those of all blocks
    Operation blocks = operation_;
    blocks.kind = Kind::kAllGather;
    const size_t all = result_elements(blocks, comm.rank(), comm.nranks());
    noise_share_ = static_cast<double>(outcome_.elements) / static_cast<double>(all);
  } else if (kind == Kind::kAllReduce && choice.way == Way::kColumns &&
             share_between_hosts(operation_, hosts) == operation_.count) {
    noise_share_ = 1.0 / hosts.per_host();  // each rank of the host counts all elements
  }
  const auto add = [&](double* value, RedOp op) {
    auto* at = reinterpret_cast<std::byte*>(value);
    Operation one = part_of(Kind::kAllReduce, at, at, 1, op);
    one.type = gossFloat64;
    add_local(comm, one);
  };
  add(&shared_.bound, gossMax);
  add(&shared_.noise, gossSum);
}

void SpanExecution::end_compressed(const CompressedOutcome& outcome) {
  outcome_.figures = shared_ = outcome.figures;
  outcome_.sent_bytes = outcome.sent_bytes;
  outcome_.plain_bytes = outcome.plain_bytes;
}

Progress SpanExecution::begin_compressed(Communicator& comm, const Phase& phase) {
  Operation operation = phase.operation;
  operation.options = options_;
  operation.root = phase.root;
  CodecChoice how = *compression_;
  how.algorithm = compressed_algorithm(operation, static_cast<int>(phase.group.size()), how);
  compressed_ = &comm.compressed();
  return compressed_->start(comm, operation, how, frame_, {phase.group, phase.offset});
}

}  // namespace goss::engine
