// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// The messages of a compressed collective: which chunk is where. compressed_work.cpp has what is
// done to numbers.
#include "engine/compressed_execution.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "engine/encoded_message.h"

namespace goss::engine {

using Way = Transfer::Way;

namespace {

// Encoded bytes of one message: long enough for the wire, short enough for the caches.
constexpr size_t kMessageBytes = 128 * 1024;
// Below, a message costs more by itself than by its bytes.
constexpr size_t kShortMessageBytes = 16 * 1024;
// Of all slots together.
constexpr size_t kStagingBytes = size_t{8} * 1024 * 1024;
constexpr size_t kMostPrograms = 16;

// A buffer: the header, so that the payload is on a cache line, the payload, two figures.
constexpr size_t kPayloadOffset = kCacheLine;
constexpr size_t kHeaderOffset = kPayloadOffset - quant::kChunkHeaderBytes;

size_t divided_up(size_t a, size_t b) { return (a + b - 1) / b; }

}  // namespace

// ---- geometry -----------------------------------------------------------------------------------

void CompressedExecution::choose_program(const collectives::Shape& shape) {
  const auto matches = [&](size_t i) {
    const collectives::Shape& made = shapes_[i];
    return programs_[i]->algorithm == how_.algorithm && made.rank == shape.rank &&
           made.nranks == shape.nranks && made.root == shape.root;
  };
  size_t i = 0;
  while (i < programs_.size() && !matches(i)) ++i;
  if (i == programs_.size()) {
    if (programs_.size() == kMostPrograms) {  // a program for each root, perhaps
      programs_.clear();
      shapes_.clear();
      i = 0;
    }
    programs_.push_back(
        std::make_unique<ExchangeProgram>(lower_exchange(collectives::row(how_.algorithm), shape)));
    shapes_.push_back(shape);
  }
  program_ = programs_[i].get();
}

// Into parts by units of both codecs, and parts into stretches.
void CompressedExecution::divide(const Operation& operation) {
  unit_ = std::max(quant::partition_unit(how_.reduce), quant::partition_unit(how_.gather));
  partition_ = collectives::Partition(operation.count, program_->divisor(), unit_);
  const size_t longest = program_->vectors() ? partition_.size(0) : operation.count;
  const size_t nbuffers = std::max<size_t>(1, program_->buffers.size());
  const size_t unit_bytes =
      std::max(quant::encoded_bytes(how_.reduce, unit_), quant::encoded_bytes(how_.gather, unit_));
  const size_t most = std::min(kMessageBytes, kStagingBytes / (kSlots * nbuffers));
  // A few messages even of parts that are not long, so that something overlaps.
  const size_t part_bytes = divided_up(longest, unit_) * unit_bytes;
  const size_t wanted = std::clamp(part_bytes / 4, std::min(kShortMessageBytes, most), most);
  stretch_ = std::max<size_t>(1, wanted / unit_bytes) * unit_;
  chunks_ = std::max<size_t>(1, divided_up(longest, stretch_));
  const size_t count = std::min(stretch_, longest);
  const size_t payload =
      std::max(quant::encoded_bytes(how_.reduce, count), quant::encoded_bytes(how_.gather, count));
  buffer_stride_ = align_up(kPayloadOffset + payload + kFiguresBytes, kCacheLine);
  slot_stride_ = buffer_stride_ * nbuffers;
  const size_t bytes = slot_stride_ * std::min(kSlots, chunks_) + kCacheLine;
  if (staging_.size() < bytes) {
    staging_ = {};  // not both at once
    staging_.resize(bytes);
  }
  const auto address = reinterpret_cast<uintptr_t>(staging_.data());
  base_ = staging_.data() + (align_up(address, kCacheLine) - address);
}

size_t CompressedExecution::length(int region) const {
  if (program_->vectors()) return partition_.size(region);
  if (operation_.block_counts == nullptr) return operation_.count;
  return operation_.block_counts[region];
}

CompressedExecution::Stretch CompressedExecution::stretch(int region, size_t chunk) const {
  const size_t all = length(region);
  const size_t first = std::min(all, chunk * stretch_);
  return {first, std::min(stretch_, all - first)};
}

size_t CompressedExecution::input_place(int part) const {
  if (program_->vectors()) return partition_.begin(part);
  if (!program_->input_blocks) return 0;
  return operation_.block_places == nullptr ? static_cast<size_t>(part) * operation_.count
                                            : operation_.block_places[part];
}

size_t CompressedExecution::output_place(int part) const {
  if (program_->vectors()) return partition_.begin(part);
  if (!program_->output_blocks) return 0;
  return operation_.block_places == nullptr ? static_cast<size_t>(part) * operation_.count
                                            : operation_.block_places[part];
}

quant::Codec CompressedExecution::codec(int buffer) const {
  const bool reduced = program_->buffers[static_cast<size_t>(buffer)].reduced;
  return reduced ? how_.reduce : how_.gather;
}

uint8_t* CompressedExecution::payload(size_t chunk, int buffer) {
  return reinterpret_cast<uint8_t*>(base_) + slot_stride_ * (chunk % kSlots) +
         buffer_stride_ * static_cast<size_t>(buffer) + kPayloadOffset;
}

uint8_t* CompressedExecution::header(size_t chunk, int buffer) {
  return payload(chunk, buffer) - (kPayloadOffset - kHeaderOffset);
}

CompressedExecution::Slot* CompressedExecution::slot_of(size_t chunk) {
  Slot& slot = slots_[chunk % kSlots];
  return slot.chunk == chunk ? &slot : nullptr;
}

void CompressedExecution::open(Slot* slot, size_t chunk) {
  const size_t nbuffers = program_->buffers.size();
  slot->chunk = chunk;
  slot->next_work = 0;
  slot->filled.assign(nbuffers, 0);
  slot->errors.assign(nbuffers, {});
  // What is empty is complete, and no message.
  for (size_t b = 0; b < nbuffers; ++b) {
    slot->filled[b] = stretch(program_->buffers[b].region, chunk).count == 0;
  }
  slot->unsent = 0;
  for (const ExchangeChannel& channel : program_->channels) {
    if (channel.way != Way::kSend) continue;
    for (const ExchangeMessage& message : channel.messages) {
      slot->unsent += slot->filled[static_cast<size_t>(message.buffer)] == 0;
    }
  }
}

// ---- the operation ------------------------------------------------------------------------------

Progress CompressedExecution::start(Communicator& comm, const Operation& operation,
                                    const CodecChoice& compression, const MessageFrame& frame,
                                    const Members& members) {
  operation_ = operation;
  how_ = compression;
  frame_ = frame;
  number_ = comm.number_of(frame.signature);
  element_ = type_size(operation.type);
  failure_ = {};
  outcome_ = {};
  outcome_.operation = number_;
  chunks_done_ = 0;
  const bool average = collectives::facts(operation.kind).reduces && operation.op == gossAvg;
  result_factor_ = average ? 1.0f / static_cast<float>(comm.nranks()) : 1.0f;
  group_.assign(members.group.begin(), members.group.end());
  offset_ = members.offset;
  collectives::Shape shape{comm.rank(), comm.nranks(), operation.root};
  if (!group_.empty()) {
    const auto self = std::find(group_.begin(), group_.end(), comm.rank());
    shape.rank = static_cast<int>(self - group_.begin());
    shape.nranks = static_cast<int>(group_.size());
  }
  dither_ = dither(shape.rank);
  feedback_ = operation.options != nullptr ? operation.options->feedback.get() : nullptr;
  choose_program(shape);
  divide(operation);
  slots_.resize(std::min(kSlots, chunks_));
  for (size_t i = 0; i < slots_.size(); ++i) open(&slots_[i], i);
  channels_.resize(program_->channels.size());
  for (size_t i = 0; i < channels_.size(); ++i) {
    Channel& channel = channels_[i];
    channel.active = false;
    channel.group = channel.message = channel.in_group = 0;
    const bool remote = comm.remote(rank_of(program_->channels[i].peer));
    channel.greeting = remote ? Channel::Greeting::kDue : Channel::Greeting::kDone;
    skip(program_->channels[i], &channel);
  }
  comm.exchanging = frame.signature;
  comm.signature_in_progress = frame.signature;
  // For ranks that are in another operation; pairs with agrees().
  comm.mine().flags.signature.store(frame.signature, std::memory_order_release);
  return advance(comm);
}

Progress CompressedExecution::advance(Communicator& comm) {
  // While messages flow nobody asks check().
  if (comm.interrupted(&failure_)) return Progress::kFailed;
  for (size_t i = 0; i < channels_.size(); ++i) {
    if (!pump(comm, i)) return Progress::kFailed;
  }
  do_some_work(comm);
  if (chunks_done_ < chunks_) return Progress::kBlocked;
  comm.exchanging = 0;
  return Progress::kDone;
}

Progress CompressedExecution::check(Communicator& comm, std::chrono::milliseconds waited) {
  // Whoever one receives from is late, or has not taken what it was sent.
  const size_t none = channels_.size();
  size_t waiting = none;
  for (size_t i = 0; i < channels_.size(); ++i) {
    if (!channels_[i].active) continue;
    if (waiting == none || program_->channels[waiting].way == Way::kSend) waiting = i;
  }
  if (waiting == none) return Progress::kBlocked;
  failure_ = comm.check_wait(rank_of(program_->channels[waiting].peer), frame_.signature, waited);
  if (!failure_.ok()) return Progress::kFailed;
  for (Channel& channel : channels_) {
    if (!channel.active || channel.execution.check(comm, waited) != Progress::kFailed) continue;
    failure_ = channel.execution.failure();
    return Progress::kFailed;
  }
  return Progress::kBlocked;
}

void CompressedExecution::give_up(Communicator& comm) {
  for (Channel& channel : channels_) {
    if (channel.active) channel.execution.give_up(comm);
    channel.active = false;
  }
  comm.exchanging = 0;
}

uint64_t CompressedExecution::position() const {
  uint64_t position = work_done_;
  for (const Channel& channel : channels_) position += channel.execution.position();
  return position;
}

bool CompressedExecution::fail(Communicator& comm, Status failure) {
  comm.faults().raise(failure);
  failure_ = comm.faults().status();
  return false;
}

// ---- messages -----------------------------------------------------------------------------------

bool CompressedExecution::finished(const Channel& channel) const {
  return channel.group * kSlots >= chunks_;
}

// To the next message that is not empty, from the one that the channel stands at.
void CompressedExecution::skip(const ExchangeChannel& plan, Channel* channel) const {
  while (!finished(*channel)) {
    const size_t chunk = channel->group * kSlots + channel->in_group;
    if (channel->in_group < kSlots && chunk < chunks_) {
      const ExchangeMessage& message = plan.messages[channel->message];
      const int region = program_->buffers[static_cast<size_t>(message.buffer)].region;
      if (stretch(region, chunk).count > 0) return;
      ++channel->in_group;
      continue;
    }
    channel->in_group = 0;
    if (++channel->message < plan.messages.size()) continue;
    channel->message = 0;
    ++channel->group;
  }
}

// Moves what can be moved now. False: failed.
bool CompressedExecution::pump(Communicator& comm, size_t index) {
  Channel& channel = channels_[index];
  for (;;) {
    if (!channel.active) {
      if (!begin_message(comm, index)) return failure_.ok();
    } else if (const Progress progress = channel.execution.advance(comm);
               progress != Progress::kDone) {
      if (progress == Progress::kBlocked) return true;
      failure_ = channel.execution.failure();
      return false;
    }
    if (channel.greeting == Channel::Greeting::kOnTheWay) {
      if (!end_greeting(comm, index)) return false;
    } else if (!end_message(comm, index)) {
      return false;
    }
  }
}

// True when the next message has gone, or come, at once; else it may be on its way.
bool CompressedExecution::begin_message(Communicator& comm, size_t index) {
  const ExchangeChannel& plan = program_->channels[index];
  Channel& channel = channels_[index];
  if (finished(channel)) return false;
  const size_t chunk = channel.group * kSlots + channel.in_group;
  const ExchangeMessage& message = plan.messages[channel.message];
  const Slot* slot = slot_of(chunk);
  const bool sends = plan.way == Way::kSend;
  if (channel.greeting == Channel::Greeting::kDue) {
    channel.greeting = Channel::Greeting::kOnTheWay;
    channel.frame = sends ? frame_ : MessageFrame{};
    channel.transfer = {plan.way, gossUint8, rank_of(plan.peer), sizeof(MessageFrame),
                        reinterpret_cast<std::byte*>(&channel.frame)};
    return begin_transfer(comm, &channel);
  }
  if (slot == nullptr) return false;
  if (sends && slot->filled[static_cast<size_t>(message.buffer)] == 0) return false;
  const int region = program_->buffers[static_cast<size_t>(message.buffer)].region;
  const size_t count = stretch(region, chunk).count;
  if (sends) write_header(chunk, message.buffer);
  channel.transfer = {plan.way, gossUint8, rank_of(plan.peer),
                      encoded_message_bytes(codec(message.buffer), count),
                      reinterpret_cast<std::byte*>(header(chunk, message.buffer))};
  if (sends) outcome_.sent_bytes += channel.transfer.count;
  if (sends) outcome_.plain_bytes += count * element_;
  return begin_transfer(comm, &channel);
}

bool CompressedExecution::begin_transfer(Communicator& comm, Channel* channel) {
  Operation one;
  one.transfers = &channel->transfer;
  one.ntransfers = 1;
  channel->active = true;
  switch (channel->execution.start(comm, one)) {
    case Progress::kDone: return true;
    case Progress::kBlocked: return false;
    case Progress::kFailed: break;
  }
  failure_ = channel->execution.failure();
  return false;
}

// Both ends of a channel of ranks that do not see each other's memory: are they in the same
// operation?
bool CompressedExecution::end_greeting(Communicator& comm, size_t index) {
  Channel& channel = channels_[index];
  channel.active = false;
  channel.greeting = Channel::Greeting::kDone;
  const MessageFrame& theirs = channel.frame;
  if (theirs.signature == frame_.signature) return true;
  const int peer = rank_of(program_->channels[index].peer);
  comm.told_operation(peer, theirs.signature, theirs.what, theirs.count);
  if (comm.differs(peer, frame_.signature) || comm.disagrees(peer, frame_.signature)) {
    failure_ = comm.mismatch(peer, frame_.signature);
    return false;
  }
  return fail(comm, goss::fail(gossInvalidUsage,
                               "%s is in operation #%llu of communicator '%s' and %s in #%llu. All "
                               "ranks must make the same calls",
                               comm.name_of(peer).c_str(),
                               static_cast<unsigned long long>(comm.number_of(theirs.signature)),
                               comm.settings().name.c_str(), comm.name_of(comm.rank()).c_str(),
                               static_cast<unsigned long long>(number_)));
}

bool CompressedExecution::end_message(Communicator& comm, size_t index) {
  const ExchangeChannel& plan = program_->channels[index];
  Channel& channel = channels_[index];
  const size_t chunk = channel.group * kSlots + channel.in_group;
  const int buffer = plan.messages[channel.message].buffer;
  Slot* slot = slot_of(chunk);
  channel.active = false;
  if (plan.way == Way::kSend) {
    --slot->unsent;
  } else {
    if (!check_header(comm, rank_of(plan.peer), chunk, buffer)) return false;
    const size_t count =
        stretch(program_->buffers[static_cast<size_t>(buffer)].region, chunk).count;
    slot->errors[static_cast<size_t>(buffer)] =
        read_figures(payload(chunk, buffer) + quant::encoded_bytes(codec(buffer), count));
    slot->filled[static_cast<size_t>(buffer)] = 1;
  }
  ++channel.in_group;
  skip(plan, &channel);
  return true;
}

void CompressedExecution::write_header(size_t chunk, int buffer) {
  const quant::Figures& errors = slot_of(chunk)->errors[static_cast<size_t>(buffer)];
  const size_t count = stretch(program_->buffers[static_cast<size_t>(buffer)].region, chunk).count;
  quant::ChunkHeader head{.codec = codec(buffer)};
  head.stochastic = how_.rounding == quant::Rounding::kStochastic;
  head.special_seen = std::isinf(errors.bound);
  head.count = count;
  head.sequence = number_;
  head.seed_id = static_cast<uint32_t>(dither_.seed);
  quant::write_chunk_header(head, header(chunk, buffer));
  write_figures(errors, payload(chunk, buffer) + quant::encoded_bytes(head.codec, count));
}

bool CompressedExecution::check_header(Communicator& comm, int peer, size_t chunk, int buffer) {
  const size_t count = stretch(program_->buffers[static_cast<size_t>(buffer)].region, chunk).count;
  const Result<quant::ChunkHeader> head =
      quant::read_chunk_header({header(chunk, buffer), quant::kChunkHeaderBytes});
  const quant::Codec wanted = codec(buffer);
  if (head.ok() && head.value().codec == wanted && head.value().count == count &&
      head.value().sequence == number_) {
    return true;
  }
  if (comm.differs(peer, frame_.signature)) {
    failure_ = comm.mismatch(peer, frame_.signature);
    return false;
  }
  const std::string what = head.ok()
                               ? format("%llu elements in %s of operation #%llu",
                                        static_cast<unsigned long long>(head.value().count),
                                        quant::codec_info(head.value().codec).name,
                                        static_cast<unsigned long long>(head.value().sequence))
                               : head.status().message();
  return fail(
      comm, goss::fail(gossInvalidUsage,
                       "%s sent %s, but %s expects %zu elements in %s of operation #%llu "
                       "of communicator '%s'. All ranks must make the same calls, and "
                       "receive messages before the compressed collectives that follow them",
                       comm.name_of(peer).c_str(), what.c_str(), comm.name_of(comm.rank()).c_str(),
                       count, quant::codec_info(wanted).name,
                       static_cast<unsigned long long>(number_), comm.settings().name.c_str()));
}

}  // namespace goss::engine
