// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "engine/calls.h"

#include <optional>
#include <utility>

#include "engine/group.h"
#include "engine/reactor.h"
#include "engine/span.h"

namespace goss::engine {

namespace {

Status validate_buffers(const gossComm* handle, const Operation& operation) {
  const collectives::KindFacts& facts = collectives::facts(operation.kind);
  const bool is_root = handle->rank == operation.root;
  // Of a rooted collective only the root has what there is one of: broadcast and scatter begin
  // there, reduce and gather end there.
  const bool begins_at_root = facts.rooted && (operation.kind == collectives::Kind::kBroadcast ||
                                               operation.kind == collectives::Kind::kScatter);
  const bool reads = !begins_at_root || is_root;
  const bool writes = !facts.rooted || begins_at_root || is_root;
  if (reads && operation.buffer.input == nullptr) {
    return fail(gossInvalidArgument, "%s : send buffer is NULL but count is %zu", facts.name,
                operation.count);
  }
  if (writes && operation.buffer.output == nullptr) {
    return fail(gossInvalidArgument, "%s : receive buffer is NULL but count is %zu", facts.name,
                operation.count);
  }
  if (operation.kind == collectives::Kind::kAllToAll &&
      operation.buffer.input == operation.buffer.output) {
    return fail(gossInvalidArgument,
                "%s : does not work in place (send and receive buffer are both %p)", facts.name,
                static_cast<const void*>(operation.buffer.input));
  }
  return {};
}

// Elements that this rank encodes at the most: what its feedback is about.
size_t own_elements(const gossComm* handle, const Operation& operation) {
  const bool blocks = collectives::facts(operation.kind).input == collectives::Layout::kBlocks;
  return operation.count * (blocks ? static_cast<size_t>(handle->nranks) : 1);
}

Status validate_feedback(const gossComm* handle, const Operation& operation) {
  const Feedback* feedback = operation.options->feedback.get();
  if (feedback == nullptr) return {};
  const char* name = kind_name(operation.kind);
  if (feedback->count() != own_elements(handle, operation)) {
    return fail(gossInvalidArgument, "%s : feedback of %zu elements, but the call encodes %zu",
                name, feedback->count(), own_elements(handle, operation));
  }
  const bool blocks = collectives::facts(operation.kind).input == collectives::Layout::kBlocks;
  if (feedback->storage() == Feedback::Storage::kInt8 && blocks &&
      operation.count % Feedback::kUnit != 0) {
    return fail(gossInvalidArgument,
                "%s : feedback in int8 needs blocks of a multiple of %zu elements, not of %zu; use "
                "gossFeedbackFloat32",
                name, Feedback::kUnit, operation.count);
  }
  return {};
}

Status validate_options(const gossComm* handle, const Operation& operation) {
  const CallOptions* options = operation.options;
  if (options == nullptr && handle->settings.codecs.empty()) return {};
  GOSS_TRY_ASSIGN(const CompressionChoice choice,
                  choose_compression(operation, handle->nranks, handle->settings.codecs));
  if (options == nullptr) return {};
  if (options->measure && !find_compute(handle->settings.device)->host_memory()) {
    return fail(gossInvalidArgument, "%s : errors are measured in host memory only",
                kind_name(operation.kind));
  }
  return choice.use ? validate_feedback(handle, operation) : Status();
}

Status validate(const gossComm* handle, const Operation& operation) {
  const collectives::KindFacts& facts = collectives::facts(operation.kind);
  if (!valid_type(operation.type)) {
    return fail(gossInvalidArgument, "%s : invalid type %d (types are 0..%d)", facts.name,
                static_cast<int>(operation.type), gossNumTypes - 1);
  }
  if (facts.reduces && !valid_op(operation.op)) {
    return fail(gossInvalidArgument, "%s : invalid reduction operation %d (operations are 0..%d)",
                facts.name, static_cast<int>(operation.op), gossNumOps - 1);
  }
  if (operation.root < 0 || operation.root >= handle->nranks) {
    return fail(gossInvalidArgument, "%s : invalid root %d (root should be in the 0..%d range)",
                facts.name, operation.root, handle->nranks - 1);
  }
  const bool blocks =
      facts.input == collectives::Layout::kBlocks || facts.output == collectives::Layout::kBlocks;
  size_t bytes = blocks ? static_cast<size_t>(handle->nranks) : 1;
  if (!checked_multiply(operation.count, bytes * type_size(operation.type), &bytes) ||
      bytes > PTRDIFF_MAX) {
    return fail(gossInvalidArgument, "%s : count %zu of %s%s is larger than the address space",
                facts.name, operation.count, type_name(operation.type),
                blocks ? " for each rank" : "");
  }
  GOSS_TRY(validate_options(handle, operation));
  // Buffers that are not used may be NULL; with varied counts that has been checked before.
  if (operation.count == 0 || operation.block_counts != nullptr) return {};
  return validate_buffers(handle, operation);
}

Status validate_transfer(const gossComm* handle, const Transfer& transfer) {
  const char* name = way_name(transfer.way);
  if (!valid_type(transfer.type)) {
    return fail(gossInvalidArgument, "%s : invalid type %d (types are 0..%d)", name,
                static_cast<int>(transfer.type), gossNumTypes - 1);
  }
  if (transfer.peer < 0 || transfer.peer >= handle->nranks) {
    return fail(gossInvalidArgument, "%s : invalid peer %d (peer should be in the 0..%d range)",
                name, transfer.peer, handle->nranks - 1);
  }
  size_t bytes = 0;
  if (!checked_multiply(transfer.count, type_size(transfer.type), &bytes) || bytes > PTRDIFF_MAX) {
    return fail(gossInvalidArgument, "%s : count %zu of %s is larger than the address space", name,
                transfer.count, type_name(transfer.type));
  }
  if (transfer.count != 0 && transfer.buffer == nullptr) {
    return fail(gossInvalidArgument, "%s : buffer is NULL but count is %zu", name, transfer.count);
  }
  return {};
}

}  // namespace

namespace {

Status run_or_keep(gossComm* handle, std::unique_ptr<Making> making, gossComm* parent,
                   gossComm** out) {
  if (!handle->settings.blocking) {
    WorkBatch batch;
    const uint64_t number = parent != nullptr ? parent->queued : 0;
    batch.add(handle->own_stream, make_making_work(handle, std::move(making), parent, number));
    handle->queued = 1;
    if (parent != nullptr) ++parent->queued;
    batch.queue();
    return fail(gossInProgress, "the communicator is being made");
  }
  if (in_group()) {
    group_add_making(handle, std::move(making), parent, out);
    return {};
  }
  std::vector<PendingMaking> one;
  // The caller is inside the parent already.
  one.push_back({HandlePin(handle), std::move(making), std::nullopt, out});
  return drive_makings(&one);
}

// Make it here and now, at the end of the group, or on the library's thread.
Status start_making(gossComm* handle, std::unique_ptr<Making> making, gossComm* parent,
                    gossComm** out) {
  hand_out(out, handle);
  try {
    return run_or_keep(handle, std::move(making), parent, out);
  } catch (...) {
    discard(handle);
    hand_out(out, nullptr);
    throw;
  }
}

// The caller must not get a handle that another thread has aborted and freed meanwhile.
Status unless_aborted(gossComm* handle, gossComm** out, Status status) {
  const bool given = status.ok() || status.code() == gossInProgress;
  if (!given || !handle->aborting.load(std::memory_order_acquire)) return status;
  hand_out(out, nullptr);
  return aborted();
}

}  // namespace

Status check_place(int nranks, const Settings& settings) {
  // A cell must hold a cache line for every rank.
  constexpr int kMostRanks = shm::kCellBytes / kCacheLine;
  if (nranks > kMostRanks) {
    return fail(gossInvalidUsage, "%d ranks: this version connects at most %d, of one host", nranks,
                kMostRanks);
  }
  if (find_compute(settings.device) != nullptr) return {};
  return fail(gossInvalidArgument, "there is no device %d: use GOSS_DEVICE_HOST", settings.device);
}

Status make_from(gossComm* parent, std::unique_ptr<Making> making, const Settings& settings,
                 gossComm** out) {
  gossComm* handle = make_handle(0, 0, settings);
  const HandlePin pin(handle);  // another thread may abort what is being made
  Status status = start_making(handle, std::move(making), parent, out);
  const bool failed = !status.ok() && status.code() != gossInProgress;
  if (failed && !in_group()) {
    discard(handle);
    hand_out(out, nullptr);
  }
  return unless_aborted(handle, out, std::move(status));
}

Status init_rank(gossComm** out, const JoinOptions& options) {
  GOSS_TRY(check_place(options.nranks, options.settings));
  Result<std::unique_ptr<Making>> making = make_join(options);
  if (!making.ok()) return making.take_status();
  // A rank alone meets nobody.
  if (options.nranks == 1) Reactor::end_serving(options.id.job);
  gossComm* handle = make_handle(options.rank, options.nranks, options.settings);
  const HandlePin pin(handle);  // another thread may abort what is being made
  Status status = start_making(handle, making.take(), nullptr, out);
  if (!status.ok() && status.code() != gossInProgress) {
    discard(handle);
    hand_out(out, nullptr);
  }
  return unless_aborted(handle, out, std::move(status));
}

namespace {

Status split_checked(gossComm* parent, int color, int key, gossComm** out,
                     const Settings& settings) {
  const Inside inside(parent);
  if (!inside.entered()) return inside.refusal();
  if (parent->finalized)
    return fail(gossInvalidUsage, "refused: the communicator has been finalized");
  if (settings.blocking || in_group()) GOSS_TRY(wait_queued(parent));
  Status status =
      make_from(parent, make_split(parent->comm.get(), color, key, settings), settings, out);
  const bool failed = !status.ok() && status.code() != gossInProgress;
  if (failed && !in_group()) parent->set_failure(status);
  return status;
}

}  // namespace

Status split(gossComm* parent, int color, int key, gossComm** out, const Settings& settings) {
  if (color < 0 && color != GOSS_SPLIT_NOCOLOR) {
    return fail(gossInvalidArgument, "split : invalid color %d (0.. or GOSS_SPLIT_NOCOLOR)", color);
  }
  GOSS_TRY(check_place(1, settings));
  return or_lose(parent, [&] { return split_checked(parent, color, key, out, settings); });
}

Status wait_queued(gossComm* handle) {
  for (int round = 0; handle->finished.load(std::memory_order_acquire) != handle->queued; ++round) {
    if (handle->aborting.load(std::memory_order_acquire)) {
      return fail(gossInvalidUsage, "the communicator was aborted during this call");
    }
    nap(round);
  }
  return {};
}

void queue(gossComm* handle, Prepared prepared) {
  WorkBatch batch;
  add_call(&batch, handle, std::move(prepared), handle->queued);
  ++handle->queued;
  batch.queue();
}

void add_call(WorkBatch* batch, gossComm* handle, Prepared prepared, uint64_t number) {
  const auto queue_of = [&](gossStream* s) {
    return s != nullptr ? s->stream : handle->own_stream;
  };
  const StreamPtr stream = queue_of(prepared.stream);
  const std::vector<gossStream*> joined = std::move(prepared.joined);
  for (gossStream* other : joined) {
    Event before;
    batch->add(queue_of(other), make_record_work(&before));
    batch->add(stream, make_wait_event_work(before));
  }
  OutcomePtr outcome;
  if (!joined.empty()) prepared.outcome = outcome = std::make_shared<Outcome>();  // see OutcomePtr
  batch->add(stream, make_collective_work(handle, std::move(prepared), number));
  for (gossStream* other : joined) batch->add(queue_of(other), make_joined_work(outcome));
}

void skip(gossComm* handle, const std::vector<uint64_t>& numbers) {
  if (numbers.empty()) return;
  WorkBatch batch;
  auto stream = std::make_shared<Stream>();  // shared: see StreamPtr
  for (uint64_t number : numbers) batch.add(stream, make_skip_work(handle, number));
  batch.queue();
}

Status lose(gossComm* handle, const std::exception& why) {
  const Status failure = fail(gossSystemError, "%s", why.what());
  group_lost();
  lose(handle, failure);
  return failure;
}

void lose(gossComm* handle, const Status& failure) {
  while_living(handle, [&] {
    // Pairs with adopt(): the communicator is complete, or null.
    const bool ready = handle->state.load(std::memory_order_acquire) == gossComm::State::kReady;
    if (!ready || handle->comm == nullptr || !handle->made_here()) return;
    handle->set_failure(handle->comm->lost(failure));
  });
}

namespace {

Status check_call(gossComm* handle, const Operation& operation, gossStream* stream) {
  GOSS_TRY(check_ready(handle));
  if (stream != nullptr) GOSS_TRY(check_stream(stream));
  if (handle->finalized)
    return fail(gossInvalidUsage, "refused: the communicator has been finalized");
  if (handle->suspended) {
    return fail(gossInvalidUsage, "refused: the communicator is suspended: gossCommResume");
  }
  if (operation.transfers == nullptr) return validate(handle, operation);
  for (size_t i = 0; i < operation.ntransfers; ++i) {
    GOSS_TRY(validate_transfer(handle, operation.transfers[i]));
  }
  return {};
}

Status run_or_queue(gossComm* handle, const Operation& operation, gossStream* stream, bool last) {
  if (in_group()) {
    Status status = check_call(handle, operation, stream);
    if (!status.ok()) {
      handle->note_refusal(status);
      return status;
    }
    group_add(handle, operation, stream, last);
    if (last) handle->finalized = true;
    return {};
  }
  const Inside inside(handle);
  if (!inside.entered()) return inside.refusal();
  Status status = check_call(handle, operation, stream);
  if (!status.ok()) {
    handle->note_refusal(status);
    return status;
  }
  if (stream != nullptr || !handle->settings.blocking) {
    Prepared prepared;
    prepared.operation = operation;
    prepared.transfers.assign(operation.transfers, operation.transfers + operation.ntransfers);
    prepared.blocks = copy_blocks(*handle, operation);
    prepared.options = copy_options(operation);
    prepared.stream = stream;
    queue(handle, std::move(prepared));
    if (last) handle->finalized = true;
    if (stream != nullptr && handle->settings.blocking) return {};
    return fail(gossInProgress, "the operation was queued");
  }
  if (handle->finished.load(std::memory_order_acquire) != handle->queued) {
    GOSS_TRY(wait_queued(handle));
  }
  status = run_synchronously(*handle->comm, handle->execution, operation);
  if (!status.ok()) handle->set_failure(status);
  if (last && status.ok()) handle->finalized = true;
  return status;
}

}  // namespace

Status submit(gossComm* handle, const Operation& operation, gossStream* stream, bool last) {
  GOSS_TRY(check_handle(handle));
  if (operation.op >= gossNumOps) {
    Operation summed = operation;
    Status status = resolve_user_op(handle, &summed);
    if (status.ok()) return submit(handle, summed, stream, last);
    handle->note_refusal(status);
    return status;
  }
  return or_lose(handle, [&] { return run_or_queue(handle, operation, stream, last); });
}

Status finalize(gossComm* handle) {
  if (handle->finalized) {
    return fail(gossInvalidArgument, "the communicator has been finalized before");
  }
  Operation barrier;
  barrier.kind = collectives::Kind::kBarrier;
  return submit(handle, barrier, nullptr, true);
}

namespace {

Status state_of(gossComm* handle) {
  switch (handle->state.load(std::memory_order_acquire)) {
    case gossComm::State::kMaking: return fail(gossInProgress, "the communicator is being made");
    case gossComm::State::kFailed: return handle->get_failure();
    case gossComm::State::kReady: break;
  }
  if (handle->comm != nullptr && handle->comm->faults().any()) {
    Status failure = handle->comm->faults().status();
    if (!failure.ok()) return failure;
  }
  Status first;
  if (handle->own_stream != nullptr && !handle->own_stream->idle(&first)) {
    return fail(gossInProgress, "an operation is in progress");
  }
  return first;
}

}  // namespace

Status async_error(gossComm* handle, Status* state) {
  Status usable = fail(gossInvalidArgument, "%p is not a communicator, or was destroyed",
                       static_cast<void*>(handle));
  while_living(handle, [&] {
    usable = check_handle(handle);
    if (usable.ok()) *state = state_of(handle);
  });
  return usable;
}

Status first_failure(gossComm* handle) {
  Status failure;
  while_living(handle, [&] {
    if (!handle->made_here()) return;  // its memory is not in this process
    failure = state_of(handle);
    if (failure.ok() || failure.code() == gossInProgress) failure = handle->get_refusal();
  });
  return failure;
}

gossCommStats_t statistics(gossComm* handle) {
  gossCommStats_t out{};
  out.size = sizeof(out);
  if (handle->comm == nullptr) return out;
  Communicator& comm = *handle->comm;
  out.operations = comm.stats.operations.value();
  out.payload_bytes = comm.stats.payload_bytes.value();
  out.sent_bytes = comm.stats.sent_bytes.value();
  out.waits = comm.stats.waits.value();
  out.plans = comm.plans().made() + (comm.span() != nullptr ? comm.span()->plans().made() : 0);
  out.shared_bytes = comm.segment().bytes();
  out.private_bytes =
      sizeof(gossComm) + sizeof(Communicator) + comm.plans().bytes() + comm.compressed_bytes();
  return out;
}

Result<size_t> encoded_size(const std::string& codec, size_t count) {
  GOSS_TRY_ASSIGN(const quant::Codec known, quant::codec_by_name(codec));
  if (count > PTRDIFF_MAX / sizeof(double)) {
    return fail(gossInvalidArgument, "encoded size : count %zu is larger than the address space",
                count);
  }
  return quant::encoded_bytes(known, count);
}

Result<void*> allocate_memory(size_t bytes) { return device::allocate_shared(bytes); }

Status free_memory(void* base) { return device::free_shared(base); }

Status stream_create(gossStream** out) {
  auto* stream = new gossStream;
  stream->generation = Reactor::generation();
  stream->stream = std::make_shared<Stream>();  // shared: see gossStream
  *out = stream;
  return {};
}

Status stream_push(gossStream* stream, std::unique_ptr<Work> work) {
  GOSS_TRY(check_stream(stream));
  WorkBatch batch;
  batch.add(stream->stream, std::move(work));
  batch.queue();
  return {};
}

}  // namespace goss::engine
