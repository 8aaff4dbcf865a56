// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "engine/span_execution.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "engine/execution.h"
#include "engine/span.h"

namespace goss::engine {

using collectives::Kind;
using collectives::Layout;
using Way = SpanChoice::Way;

SpanExecution::SpanExecution() : local_(std::make_unique<Execution>()) {}
SpanExecution::~SpanExecution() = default;

Progress SpanExecution::start(Communicator& comm, const Operation& operation,
                              const CodecChoice* compression) {
  operation_ = operation;
  options_ = std::exchange(operation_.options, nullptr);  // nothing inside hosts
  compression_.reset();
  if (compression != nullptr) compression_ = *compression;
  compressed_ = nullptr;
  outcome_ = {};
  shares_errors_ = false;
  failure_ = {};
  phases_.clear();
  current_ = 0;
  begun_ = false;
  messages_begun_ = false;
  result_ = {};
  const SpanChoice choice =
      choose_across_hosts(operation, comm.span()->hosts(), comm.settings().forced);
  const int algorithm = compression_ ? static_cast<int>(compression_->algorithm)
                                     : signature_algorithm(choice.messages.algorithm);
  const uint32_t codecs = compression_ ? compression_->packed() : 0;
  frame_.signature = comm.begin_operation(operation, algorithm, {}, codecs);
  comm.signature_in_progress = frame_.signature;
  const Signature signature = Signature::of(operation, algorithm, codecs);
  frame_.what = signature.what;
  frame_.count = signature.count;
  if (operation.count == 0 && operation.kind != Kind::kBarrier) return Progress::kDone;
  stage(comm);
  plan(comm, choice);
  if (compression_) share_errors(comm, choice);
  return run(comm);
}

namespace {

// Elements from the beginning of a buffer to the end of its last block.
size_t extent_of(const Operation& operation, Layout layout, int nranks) {
  if (layout == Layout::kVector) return operation.count;
  if (operation.block_counts == nullptr) return operation.count * static_cast<size_t>(nranks);
  size_t end = 0;
  for (int r = 0; r < nranks; ++r) {
    end = std::max(end, operation.block_places[r] + operation.block_counts[r]);
  }
  return end;
}

}  // namespace

// Aggregated calls, and memory that the host must not touch, go through copies.
void SpanExecution::stage(Communicator& comm) {
  staged_ = operation_.nextents > 1 || !comm.compute().host_memory();
  if (!staged_) return;
  const collectives::KindFacts& kind = collectives::facts(operation_.kind);
  const size_t element = type_size(operation_.type);
  user_ = operation_;
  staged_input_.resize(extent_of(operation_, kind.input, comm.nranks()) * element);
  staged_output_.resize(extent_of(operation_, kind.output, comm.nranks()) * element);
  const bool from_root = operation_.kind == Kind::kBroadcast || operation_.kind == Kind::kScatter;
  if (!from_root || comm.rank() == operation_.root) {
    if (operation_.nextents > 1) {
      comm.compute().pack(staged_input_.data(), operation_.extents, false, 0, operation_.count,
                          element);
    } else if (!staged_input_.empty()) {
      // `count` is the largest of the counts; the caller's block may be shorter.
      const bool varied = operation_.block_counts != nullptr && kind.input == Layout::kVector;
      const size_t bytes =
          varied ? operation_.block_counts[comm.rank()] * element : staged_input_.size();
      comm.compute().copy(staged_input_.data(), operation_.buffer.input, bytes,
                          reduce::Store::kCached);
    }
  }
  operation_.buffer = {staged_input_.data(), staged_output_.data(), operation_.count};
  operation_.extents = nullptr;
  operation_.nextents = 0;
}

void SpanExecution::unstage(Communicator& comm) {
  if (!std::exchange(staged_, false)) return;
  const bool to_root = user_.kind == Kind::kReduce || user_.kind == Kind::kGather;
  if (to_root && comm.rank() != user_.root) return;
  const size_t element = type_size(user_.type);
  if (user_.nextents > 1) {
    return comm.compute().unpack(user_.extents, 0, user_.count, staged_output_.data(), element);
  }
  const auto put = [&](size_t first, size_t count) {
    if (count == 0) return;
    comm.compute().copy(user_.buffer.output + first * element,
                        staged_output_.data() + first * element, count * element,
                        reduce::Store::kCached);
  };
  if (user_.block_counts == nullptr) return put(0, staged_output_.size() / element);
  if (collectives::facts(user_.kind).output == Layout::kVector) {
    return put(0, user_.block_counts[comm.rank()]);
  }
  for (int r = 0; r < comm.nranks(); ++r) put(user_.block_places[r], user_.block_counts[r]);
}

void SpanExecution::plan(Communicator& comm, const SpanChoice& choice) {
  switch (choice.way) {
    case Way::kColumns: return plan_columns(comm, choice);
    case Way::kLeaders: return plan_leaders(comm, choice);
    case Way::kFlat: break;
  }
  // A ring through the ranks of one host after the other crosses between hosts as seldom as it can.
  std::vector<int> everyone = comm.span()->hosts().in_turn();
  if (!std::is_sorted(everyone.begin(), everyone.end())) {
    if (operation_.kind == Kind::kAllGather) {
      return add_messages(choice, operation_, everyone, 0, blocks_of(operation_, everyone));
    }
    std::sort(everyone.begin(), everyone.end());
  }
  add_messages(choice, operation_, everyone, operation_.root);
}

// Of this operation's type, on contiguous memory.
Operation SpanExecution::part_of(Kind kind, const std::byte* input, std::byte* output, size_t count,
                                 RedOp op) const {
  Operation part;
  part.kind = kind;
  part.type = operation_.type;
  part.op = op;
  part.count = count;
  part.buffer = {input, output, count};
  return part;
}

void SpanExecution::add_local(Communicator& comm, const Operation& operation,
                              std::vector<size_t> blocks) {
  if (comm.span()->local() == nullptr) return;
  Phase& phase = phases_.emplace_back();
  phase.local = true;
  phase.operation = operation;
  phase.blocks = std::move(blocks);
}

void SpanExecution::add_messages(const SpanChoice& choice, const Operation& operation,
                                 std::vector<int> group, int root, std::vector<size_t> blocks) {
  Phase& phase = phases_.emplace_back();
  phase.operation = operation;
  phase.blocks = std::move(blocks);
  phase.group = std::move(group);
  phase.root = root;
  phase.algorithm = choice.messages.algorithm;
}

// Counts and places of the blocks of `ranks`.
std::vector<size_t> SpanExecution::blocks_of(const Operation& operation,
                                             const std::vector<int>& ranks) const {
  std::vector<size_t> blocks;
  for (int r : ranks) {
    blocks.push_back(operation.block_counts != nullptr ? operation.block_counts[r]
                                                       : operation.count);
  }
  for (int r : ranks) {
    blocks.push_back(operation.block_places != nullptr ? operation.block_places[r]
                                                       : static_cast<size_t>(r) * operation.count);
  }
  return blocks;
}

void SpanExecution::plan_columns(Communicator& comm, const SpanChoice& choice) {
  switch (operation_.kind) {
    case Kind::kAllGather: return gather_columns(comm, choice);
    case Kind::kReduceScatter: return scatter_columns(comm, choice);
    case Kind::kAllReduce:
    case Kind::kBroadcast:
    case Kind::kBarrier:
    case Kind::kReduce:
    case Kind::kAllToAll:
    case Kind::kGather:
    case Kind::kScatter: return share_all_reduce(comm, choice);
  }
}

namespace {

RedOp without_division(RedOp op) { return op == gossAvg ? gossSum : op; }

}  // namespace

void SpanExecution::share_all_reduce(Communicator& comm, const SpanChoice& choice) {
  const Hosts& hosts = comm.span()->hosts();
  const std::vector<int> column = hosts.column(comm.rank());
  const std::byte* input = operation_.buffer.input;
  std::byte* output = operation_.buffer.output;
  const RedOp sum = without_division(operation_.op);
  const size_t count = operation_.count;
  if (share_between_hosts(operation_, hosts) == count) {
    add_local(comm, part_of(Kind::kAllReduce, input, output, count, sum));
    return add_messages(choice, part_of(Kind::kAllReduce, output, output, count, operation_.op),
                        column, 0);
  }
  const int ranks = hosts.per_host();
  const size_t element = type_size(operation_.type);
  size_t unit = std::max<size_t>(1, kCacheLine / element);
  if (compression_) {
    unit = std::max({unit, quant::partition_unit(compression_->reduce),
                     quant::partition_unit(compression_->gather)});
  }
  const collectives::Partition parts(count, ranks, unit);
  const int own = hosts.index(comm.rank());
  std::vector<size_t> blocks;
  for (int p = 0; p < ranks; ++p) blocks.push_back(parts.size(p));
  for (int p = 0; p < ranks; ++p) blocks.push_back(parts.begin(p));
  if (parts.size(ranks - 1) == parts.size(0)) blocks.clear();  // equal blocks may lie in place
  std::byte* share = output + parts.begin(own) * element;
  add_local(comm, part_of(Kind::kReduceScatter, input, share, parts.size(0), sum), blocks);
  if (parts.size(own) > 0) {
    add_messages(choice, part_of(Kind::kAllReduce, share, share, parts.size(own), operation_.op),
                 column, 0);
    phases_.back().offset = parts.begin(own);
  }
  add_local(comm, part_of(Kind::kAllGather, share, output, parts.size(0), gossSum), blocks);
}

namespace {

// Equal blocks one after the other need no list, and may be used in place: clears it and returns
// where they begin.
size_t take_if_plain(const Operation& operation, std::vector<size_t>* blocks) {
  if (operation.block_counts != nullptr) return 0;
  const size_t ranks = blocks->size() / 2;
  const size_t begin = (*blocks)[ranks];
  for (size_t i = 0; i < ranks; ++i) {
    if ((*blocks)[ranks + i] != begin + i * operation.count) return 0;
  }
  blocks->clear();
  return begin;
}

}  // namespace

void SpanExecution::gather_columns(Communicator& comm, const SpanChoice& choice) {
  const Hosts& hosts = comm.span()->hosts();
  const std::vector<int> column = hosts.column(comm.rank());
  std::byte* output = operation_.buffer.output;
  const size_t count = operation_.count;
  add_messages(choice, part_of(Kind::kAllGather, operation_.buffer.input, output, count, gossSum),
               column, 0, blocks_of(operation_, column));
  for (const std::vector<int>& ranks : hosts.members) {
    // What this rank has of that host: the block of its like.
    std::vector<size_t> blocks = blocks_of(operation_, ranks);
    const size_t place = blocks[ranks.size() + static_cast<size_t>(hosts.index(comm.rank()))];
    const std::byte* own = output + place * type_size(operation_.type);
    const size_t begin = take_if_plain(operation_, &blocks) * type_size(operation_.type);
    add_local(comm, part_of(Kind::kAllGather, own, output + begin, count, gossSum),
              std::move(blocks));
  }
}

void SpanExecution::scatter_columns(Communicator& comm, const SpanChoice& choice) {
  const Hosts& hosts = comm.span()->hosts();
  const std::vector<int> column = hosts.column(comm.rank());
  const size_t element = type_size(operation_.type);
  const size_t count = operation_.count;
  scratch_.resize(column.size() * count * element);
  const RedOp sum = without_division(operation_.op);
  for (size_t h = 0; h < hosts.members.size(); ++h) {
    std::vector<size_t> blocks = blocks_of(operation_, hosts.members[h]);
    const std::byte* input = operation_.buffer.input + take_if_plain(operation_, &blocks) * element;
    add_local(
        comm,
        part_of(Kind::kReduceScatter, input, scratch_.data() + h * count * element, count, sum),
        std::move(blocks));
  }
  // Its like on every host gets from each the sum over that host.
  std::vector<size_t> blocks = blocks_of(operation_, column);
  for (size_t h = 0; h < column.size(); ++h) blocks[column.size() + h] = h * count;
  add_messages(choice,
               part_of(Kind::kReduceScatter, scratch_.data(), operation_.buffer.output, count,
                       operation_.op),
               column, 0, std::move(blocks));
}

void SpanExecution::plan_leaders(Communicator& comm, const SpanChoice& choice) {
  const Hosts& hosts = comm.span()->hosts();
  const int root = collectives::facts(operation_.kind).rooted ? operation_.root : 0;
  const std::vector<int> leaders = hosts.leaders(root);
  const Leading lead{leaders, hosts.host_of[static_cast<size_t>(root)],
                     leaders[static_cast<size_t>(hosts.host_of[static_cast<size_t>(comm.rank())])]};
  switch (operation_.kind) {
    case Kind::kBroadcast: return lead_broadcast(comm, choice, lead);
    case Kind::kReduce:
    case Kind::kAllReduce: return lead_reduce(comm, choice, lead);
    case Kind::kReduceScatter: return lead_reduce_scatter(comm, choice, lead);
    case Kind::kBarrier:
    case Kind::kAllGather:
    case Kind::kAllToAll:
    case Kind::kGather:
    case Kind::kScatter: break;
  }
  add_local(comm, operation_);
  if (lead.leader == comm.rank()) add_messages(choice, operation_, leaders, lead.root_host);
  add_local(comm, operation_);
}

void SpanExecution::lead_broadcast(Communicator& comm, const SpanChoice& choice,
                                   const Leading& lead) {
  const bool alone = comm.span()->local() == nullptr;
  const bool is_root = comm.rank() == operation_.root;
  Operation inside = operation_;
  inside.root = comm.span()->hosts().index(lead.leader);
  if (lead.leader == comm.rank()) {
    // What others of the host are to get lies in the root's input if it is what other hosts get.
    const bool unchanged = is_root && !alone && !compression_;
    std::byte* held = unchanged ? const_cast<std::byte*>(operation_.buffer.input)  // only read
                                : operation_.buffer.output;
    Operation between = operation_;
    between.buffer = {is_root ? operation_.buffer.input : held, held, operation_.count};
    add_messages(choice, between, lead.leaders, lead.root_host);
    inside.buffer.input = held;
  }
  add_local(comm, inside);
}

void SpanExecution::lead_reduce(Communicator& comm, const SpanChoice& choice, const Leading& lead) {
  const bool alone = comm.span()->local() == nullptr;
  const bool leads = lead.leader == comm.rank();
  const bool to_all = operation_.kind == Kind::kAllReduce;
  const bool wanted = to_all || comm.rank() == operation_.root;  // the result, here
  const std::byte* sums = operation_.buffer.input;               // of this host
  if (!alone) {
    Operation inside = operation_;
    inside.kind = Kind::kReduce;
    inside.root = comm.span()->hosts().index(lead.leader);
    inside.op = without_division(operation_.op);
    if (leads && !wanted) {
      scratch_.resize(operation_.bytes());
      inside.buffer.output = scratch_.data();
    }
    sums = inside.buffer.output;
    add_local(comm, inside);
  }
  if (leads) {
    Operation between = operation_;
    between.buffer.input = sums;
    add_messages(choice, between, lead.leaders, lead.root_host);
  }
  if (!to_all) return;
  Operation spread = operation_;
  spread.kind = Kind::kBroadcast;
  spread.root = comm.span()->hosts().index(lead.leader);
  spread.buffer.input = operation_.buffer.output;
  add_local(comm, spread);
}

// An all-reduce of all blocks, of which each rank takes its own: a host sends less than with every
// rank's blocks on their own, and the bits are those of gossAllReduce.
void SpanExecution::lead_reduce_scatter(Communicator& comm, const SpanChoice& choice,
                                        const Leading& lead) {
  const Operation scatter = operation_;
  const size_t element = type_size(operation_.type);
  const size_t own = blocks_of(operation_, {comm.rank()})[1];
  const size_t length = blocks_of(operation_, {comm.rank()})[0];
  const size_t all = extent_of(operation_, Layout::kBlocks, comm.nranks());
  scratch_.resize(all * element);
  operation_ = part_of(Kind::kAllReduce, scatter.buffer.input, scratch_.data(), all, scatter.op);
  lead_reduce(comm, choice, lead);
  operation_ = scatter;
  result_ = {scratch_.data() + own * element, scatter.buffer.output, length * element};
}

Progress SpanExecution::run(Communicator& comm) {
  while (current_ < phases_.size()) {
    Phase& phase = phases_[current_];
    Progress progress = Progress::kBlocked;
    if (!std::exchange(begun_, true)) {
      progress = begin(comm, &phase);
    } else if (phase.local) {
      progress = local_->advance(*comm.span()->local());
    } else if (is_compressed(phase)) {
      progress = compressed_->advance(comm);
    } else {
      progress = messages_.advance(comm);
    }
    if (progress == Progress::kFailed) {
      failure_ = phase.local            ? local_->failure()
                 : is_compressed(phase) ? compressed_->failure()
                                        : messages_.failure();
    }
    if (progress != Progress::kDone) return progress;
    if (is_compressed(phase)) end_compressed(compressed_->outcome());
    ++current_;
    ++moved_;
    begun_ = false;
  }
  if (result_.bytes > 0) std::memcpy(result_.to, result_.from, result_.bytes);
  if (shares_errors_) {
    outcome_.figures = shared_;
    outcome_.figures.noise *= noise_share_;
  }
  unstage(comm);
  return Progress::kDone;
}

Progress SpanExecution::begin(Communicator& comm, Phase* phase) {
  Operation& operation = phase->operation;
  if (!phase->blocks.empty()) {
    operation.block_counts = phase->blocks.data();
    operation.block_places = phase->blocks.data() + phase->blocks.size() / 2;
    const size_t ranks = phase->blocks.size() / 2;
    operation.count = *std::max_element(operation.block_counts, operation.block_counts + ranks);
  }
  if (phase->local) return local_->start(*comm.span()->local(), operation);
  if (compression_) return begin_compressed(comm, *phase);
  const auto self = std::find(phase->group.begin(), phase->group.end(), comm.rank());
  const collectives::Shape shape{static_cast<int>(self - phase->group.begin()),
                                 static_cast<int>(phase->group.size()), phase->root};
  const bool in_place = operation.buffer.input == operation.buffer.output;
  const MessageProgram& program = comm.span()->plans().get(phase->algorithm, shape, in_place);
  messages_begun_ = true;
  return messages_.start(comm, operation, program, phase->group, frame_);
}

Progress SpanExecution::advance(Communicator& comm) { return run(comm); }

Progress SpanExecution::check(Communicator& comm, std::chrono::milliseconds waited) {
  if (current_ >= phases_.size() || !begun_) return Progress::kBlocked;
  if (phases_[current_].local) {
    const Progress progress = local_->check(*comm.span()->local(), waited);
    if (progress == Progress::kFailed) failure_ = local_->failure();
    return progress;
  }
  if (compression_) {
    const Progress progress = compressed_->check(comm, waited);
    if (progress == Progress::kFailed) failure_ = compressed_->failure();
    return progress;
  }
  failure_ = messages_.trouble(comm);
  if (failure_.ok()) failure_ = comm.check_wait(messages_.waiting_for(), frame_.signature, waited);
  return failure_.ok() ? Progress::kBlocked : Progress::kFailed;
}

void SpanExecution::give_up(Communicator& comm) {
  if (comm.span()->local() != nullptr) local_->give_up(*comm.span()->local());
  if (messages_begun_) messages_.give_up();
  if (compressed_ != nullptr) compressed_->give_up(comm);
}

uint64_t SpanExecution::position() const {
  const uint64_t compressed = compressed_ != nullptr ? compressed_->position() : 0;
  return moved_ + messages_.position() + local_->position() + compressed;
}

}  // namespace goss::engine
