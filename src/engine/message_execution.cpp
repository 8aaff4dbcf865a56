// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "engine/message_execution.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "engine/span.h"

namespace goss::engine {

using collectives::Layout;
using collectives::MessageVerb;
using collectives::Place;
using collectives::Spot;

namespace {

// Operations up to here send frame and content as one message, through a copy.
constexpr size_t kShortBytes = 4096;
// A message of this length is well above the cost of one, and several are under way at once.
constexpr size_t kLongestMessage = size_t{512} * 1024;
constexpr size_t kShortestMessage = size_t{32} * 1024;
// What a chunk may take of scratch memory, roughly: a message from each rank.
constexpr size_t kChunkBytes = size_t{2} * 1024 * 1024;
// Measured between 2 and 4 hosts at 10 Gbit/s: three lose nothing, four and eight are slower.
constexpr uint64_t kMostLanes = 3;
constexpr uint64_t kGreeting = UINT64_MAX;  // number of the messages that precede long ones
// By then the library knows whether a rank has died, or what it is doing.
constexpr std::chrono::milliseconds kTroublePatience{1500};

}  // namespace

MessageExecution::~MessageExecution() { give_up(); }

Progress MessageExecution::start(Communicator& comm, const Operation& operation,
                                 const MessageProgram& program, std::span<const int> group,
                                 const MessageFrame& frame) {
  operation_ = operation;
  program_ = &program;
  group_.assign(group.begin(), group.end());
  frame_ = frame;
  communicator_ = comm.parts().id;
  messenger_ = comm.span()->messenger();
  element_ = type_size(operation.type);
  divisor_ = comm.nranks();
  failure_ = {};
  trouble_ = {};
  troubled_ = -1;
  waiting_for_ = -1;
  plan_chunks();
  input_ = operation.buffer.input;
  output_ = operation.buffer.output;
  contacts_.clear();
  contacts_.resize(group_.size());
  completed_ = 0;
  lanes_.resize(std::min(chunks_, kMostLanes));
  for (size_t i = 0; i < lanes_.size(); ++i) enter(&lanes_[i], i);
  return advance(comm);
}

// A function of the number of ranks, the kind and the count: all ranks cut alike.
void MessageExecution::plan_chunks() {
  const collectives::MessageSchedule& schedule = program_->schedule;
  const bool vectors = schedule.vectors();
  const auto n = static_cast<size_t>(schedule.shape.nranks);
  const auto parts = static_cast<size_t>(vectors ? schedule.parts : 1);
  const size_t total = operation_.bytes() * (vectors ? 1 : n);
  short_ = total <= kShortBytes;
  longest_ = total;
  // At least as many chunks as lanes, if messages do not get too short for that.
  const size_t message =
      std::clamp(std::min(kChunkBytes / n, operation_.bytes() / parts / kMostLanes),
                 kShortestMessage, kLongestMessage);
  const size_t line = std::max<size_t>(1, kCacheLine / element_);
  chunk_count_ = align_up(std::max<size_t>(1, message * parts / element_), line * parts);
  chunks_ = std::max<uint64_t>(1, (operation_.count + chunk_count_ - 1) / chunk_count_);
}

void MessageExecution::enter(Lane* lane, uint64_t index) {
  const collectives::MessageSchedule& schedule = program_->schedule;
  lane->index = index;
  lane->active = true;
  lane->chunk.first = static_cast<size_t>(index) * chunk_count_;
  lane->chunk.count = std::min(chunk_count_, operation_.count - lane->chunk.first);
  const size_t unit = std::max<size_t>(1, kCacheLine / element_);
  lane->chunk.parts =
      collectives::Partition(lane->chunk.count, schedule.vectors() ? schedule.parts : 1, unit);
  lane->chunk.slot_bytes = lane->chunk.parts.size(0) * element_;
  lane->next_receive = 0;
  lane->next_other = 0;
  lane->ended = 0;
  lane->done.assign(schedule.steps.size(), 0);
  lane->requests.resize(schedule.steps.size());
  lane->posted.clear();
  lane->scratch.resize(static_cast<size_t>(schedule.scratch) * lane->chunk.slot_bytes);
  if (short_) lane->framed.resize(schedule.steps.size() * (sizeof(MessageFrame) + longest_));
}

Progress MessageExecution::advance(Communicator& comm) {
  // While messages flow nobody asks for faults.
  if (comm.interrupted(&failure_)) return Progress::kFailed;
  for (bool moved = true; moved;) {
    moved = messenger_->progress();
    for (Lane& lane : lanes_) {
      if (!lane.active) continue;
      moved |= run(comm, &lane);
      if (!failure_.ok()) return Progress::kFailed;
      if (lane.ended < program_->schedule.steps.size()) continue;
      lane.active = false;
      ++completed_;
      ++moved_;
      moved = true;
      // Messages of a lane are in the order of its chunks on all ranks.
      const uint64_t next = lane.index + lanes_.size();
      if (next < chunks_) enter(&lane, next);
    }
    if (completed_ == chunks_) break;
    if (comm.interrupted(&failure_)) return Progress::kFailed;
  }
  if (completed_ < chunks_) return Progress::kBlocked;
  if (!greetings_ended(comm)) return failure_.ok() ? Progress::kBlocked : Progress::kFailed;
  return Progress::kDone;
}

// Whether anything moved.
bool MessageExecution::run(Communicator& comm, Lane* lane) {
  const uint64_t before = moved_;
  for (;;) {
    const uint64_t begun = moved_;
    if (!collect(comm, lane)) return true;
    while (lane->next_receive < program_->receives.size()) {
      const int step = program_->receives[lane->next_receive];
      if (!may_run(*lane, step)) break;
      post(comm, lane, step);
      ++lane->next_receive;
      ++moved_;
    }
    while (lane->next_other < program_->others.size()) {
      const int index = program_->others[lane->next_other];
      if (!may_run(*lane, index)) break;
      const Step& step = step_at(index);
      if (step.verb == MessageVerb::kSend) {
        post(comm, lane, index);
      } else {
        compute(comm, lane, step);
        lane->done[static_cast<size_t>(index)] = 1;
        ++lane->ended;
      }
      ++lane->next_other;
      ++moved_;
    }
    if (moved_ == begun) return moved_ != before;
  }
}

bool MessageExecution::may_run(const Lane& lane, int step) const {
  const auto needs = program_->needs_of(step);
  return std::all_of(needs.begin(), needs.end(),
                     [&](int need) { return lane.done[static_cast<size_t>(need)] != 0; });
}

// Ends what has arrived or has been taken. False: the operation has failed.
bool MessageExecution::collect(Communicator& comm, Lane* lane) {
  bool blocked = false;
  for (size_t i = 0; i < lane->posted.size();) {
    const int index = lane->posted[i];
    const Request& request = lane->requests[static_cast<size_t>(index)];
    if (request.state == Request::State::kPosted) {
      if (!std::exchange(blocked, true)) waiting_for_ = rank_of(step_at(index).peer);
      ++i;
      continue;
    }
    if (request.state == Request::State::kFailed) {
      failed_message(step_at(index).peer, request);
      ++i;
      continue;
    }
    if (!end_message(comm, lane, index)) return false;
    lane->posted[i] = lane->posted.back();
    lane->posted.pop_back();
    ++moved_;
  }
  return true;
}

void MessageExecution::failed_message(int peer, const Request& request) {
  if (troubled_ < 0) {
    troubled_ = rank_of(peer);
    trouble_ = request.failure;
    troubled_since_ = std::chrono::steady_clock::now();
  }
  waiting_for_ = troubled_;
}

// False: the operation has failed.
bool MessageExecution::end_message(Communicator& comm, Lane* lane, int index) {
  const Step& step = step_at(index);
  const size_t bytes = bytes_of(lane->chunk, step);
  const Request& request = lane->requests[static_cast<size_t>(index)];
  if (step.verb == MessageVerb::kReceive) {
    const size_t expected = bytes + (short_ ? sizeof(MessageFrame) : 0);
    if (short_ && request.bytes >= sizeof(MessageFrame)) {
      MessageFrame theirs;
      std::memcpy(&theirs, framed_place(lane, index), sizeof(theirs));
      const Agreement agreement = agree(comm, rank_of(step.peer), theirs);
      if (agreement == Agreement::kFailed) return false;
      if (agreement == Agreement::kOther) return true;  // the step stays undone
    }
    if (request.bytes != expected) {
      Request wrong;
      wrong.failure = fail(gossInvalidUsage, "it sent %zu bytes where %zu were expected",
                           request.bytes, expected);
      failed_message(step.peer, wrong);
      lane->done[static_cast<size_t>(index)] = 0;
      return true;
    }
    if (short_ && bytes > 0) {
      std::memcpy(address(lane, step.at), framed_place(lane, index) + sizeof(MessageFrame), bytes);
    }
  }
  lane->done[static_cast<size_t>(index)] = 1;
  ++lane->ended;
  return true;
}

MessageExecution::Agreement MessageExecution::agree(Communicator& comm, int peer,
                                                    const MessageFrame& theirs) {
  if (theirs.signature == frame_.signature) return Agreement::kSame;
  comm.told_operation(peer, theirs.signature, theirs.what, theirs.count);
  // In this operation, or in an earlier one that this rank has completed without hearing of it.
  const bool now = (theirs.signature ^ frame_.signature) >> 32 == 0;
  if (now || comm.disagrees(peer, frame_.signature)) {
    failure_ = comm.mismatch(peer, frame_.signature);
    return Agreement::kFailed;
  }
  // It has left out this operation, or is in an earlier one: ask what it made of this one.
  if (troubled_ < 0) comm.ask(peer);
  Request other;
  other.failure = fail(gossInvalidUsage, "they belong to different operations");
  const auto index = std::find(group_.begin(), group_.end(), peer) - group_.begin();
  failed_message(static_cast<int>(index), other);
  return Agreement::kOther;
}

void MessageExecution::post(Communicator& comm, Lane* lane, int index) {
  const Step& step = step_at(index);
  const size_t bytes = bytes_of(lane->chunk, step);
  const bool sends = step.verb == MessageVerb::kSend;
  if (bytes == 0 && operation_.kind != collectives::Kind::kBarrier) {
    lane->done[static_cast<size_t>(index)] = 1;
    ++lane->ended;
    return;
  }
  std::byte* place = bytes == 0 ? nullptr : address(lane, step.at);
  size_t length = bytes;
  if (short_) {
    std::byte* framed = framed_place(lane, index);
    if (sends) {
      std::memcpy(framed, &frame_, sizeof(frame_));
      if (bytes > 0) std::memcpy(framed + sizeof(frame_), place, bytes);
    }
    place = framed;
    length += sizeof(frame_);
  } else {
    greet(comm, step.peer, sends);
  }
  Request& request = lane->requests[static_cast<size_t>(index)];
  request = {};
  const int peer = comm.parts().job_ranks[static_cast<size_t>(rank_of(step.peer))];
  lane->posted.push_back(index);
  const uint64_t number = lane->index % lanes_.size();
  if (sends) {
    messenger_->send(peer, key(number), {place, length}, &request);
    comm.stats.sent_bytes += bytes;
  } else {
    messenger_->receive(peer, key(number), {place, length}, &request);
  }
}

// Before the first long message to or from a peer.
void MessageExecution::greet(Communicator& comm, int peer, bool send) {
  Contact& contact = contacts_[static_cast<size_t>(peer)];
  if (std::exchange(send ? contact.greeting : contact.greeted, true)) return;
  const int there = comm.parts().job_ranks[static_cast<size_t>(rank_of(peer))];
  if (send) {
    messenger_->send(there, key(kGreeting), std::as_bytes(std::span(&frame_, 1)), &contact.sent);
  } else {
    messenger_->receive(there, key(kGreeting),
                        std::as_writable_bytes(std::span(&contact.theirs, 1)), &contact.received);
  }
}

bool MessageExecution::greetings_ended(Communicator& comm) {
  bool all = true;
  for (size_t peer = 0; peer < contacts_.size(); ++peer) {
    Contact& contact = contacts_[peer];
    for (Request* request : {&contact.sent, &contact.received}) {
      if (request->state == Request::State::kPosted) {
        waiting_for_ = rank_of(static_cast<int>(peer));
        all = false;
      } else if (request->state == Request::State::kFailed) {
        failed_message(static_cast<int>(peer), *request);
        all = false;
      }
    }
    if (contact.received.state != Request::State::kDone) continue;
    const Agreement agreement = agree(comm, rank_of(static_cast<int>(peer)), contact.theirs);
    if (agreement == Agreement::kFailed) return false;
    if (agreement == Agreement::kSame) contact.received.state = Request::State::kIdle;
    if (agreement == Agreement::kOther) all = false;
  }
  return all;
}

Status MessageExecution::trouble(Communicator& comm) {
  if (!greetings_ended(comm) && !failure_.ok()) return failure_;
  if (troubled_ < 0) return {};
  const auto since = std::chrono::steady_clock::now() - troubled_since_;
  if (since < kTroublePatience) return {};
  if (comm.disagrees(troubled_, frame_.signature)) {
    return comm.mismatch(troubled_, frame_.signature);
  }
  comm.faults().raise(fail(trouble_.code(),
                           "%s of communicator '%s': messages between %s and %s failed: %s",
                           collectives::kind_name(operation_.kind), comm.settings().name.c_str(),
                           comm.name_of(comm.rank()).c_str(), comm.name_of(troubled_).c_str(),
                           trouble_.message().c_str()));
  return comm.faults().status();
}

void MessageExecution::compute(Communicator& comm, Lane* lane, const Step& step) {
  const size_t bytes = bytes_of(lane->chunk, step);
  if (bytes == 0) return;
  std::byte* to = address(lane, step.at);
  if (step.verb == MessageVerb::kCopy) {
    const std::byte* from = address(lane, step.sources.front());
    if (from != to) std::memcpy(to, from, bytes);
    return;
  }
  const RedOp op = operation_.op == gossAvg && !step.final ? gossSum : operation_.op;
  std::vector<const void*>& sources = comm.span()->sources();
  sources.clear();
  for (const Spot& source : step.sources) sources.push_back(address(lane, source));
  if (sources.size() == 1 && op != gossAvg && sources.front() == to) return;
  reduce::Arguments arguments{to, nullptr, sources.data(), sources.size(), bytes / element_};
  arguments.divisor = divisor_;
  reduce::kernel(operation_.type, op)(arguments);
}

std::byte* MessageExecution::address(Lane* lane, Spot spot) const {
  const collectives::MessageSchedule& schedule = program_->schedule;
  const auto index = static_cast<size_t>(spot.index);
  if (spot.place == Place::kScratch) return lane->scratch.data() + index * lane->chunk.slot_bytes;
  size_t first = lane->chunk.first;
  const Layout layout = spot.place == Place::kInput ? schedule.input : schedule.output;
  if (schedule.vectors()) {
    first += lane->chunk.parts.begin(spot.index);
  } else if (layout == Layout::kBlocks) {
    first += operation_.block_places != nullptr ? operation_.block_places[index]
                                                : index * operation_.count;
  }
  // Inputs are only read; one kind of pointer spares two of everything.
  std::byte* base = spot.place == Place::kInput ? const_cast<std::byte*>(input_) : output_;
  return base + first * element_;
}

// Elements of block `part` in a chunk.
size_t MessageExecution::stretch(const Chunk& chunk, int part) const {
  if (operation_.block_counts == nullptr) return chunk.count;
  const size_t whole = operation_.block_counts[part];
  return whole <= chunk.first ? 0 : std::min(whole - chunk.first, chunk.count);
}

size_t MessageExecution::bytes_of(const Chunk& chunk, const Step& step) const {
  const collectives::Parts& parts = step.parts;
  if (program_->schedule.vectors()) {
    return (chunk.parts.begin(parts.last) - chunk.parts.begin(parts.first)) * element_;
  }
  size_t count = 0;
  for (int part = parts.first; part < parts.last; ++part) count += stretch(chunk, part);
  return count * element_;
}

std::byte* MessageExecution::framed_place(Lane* lane, int step) {
  return lane->framed.data() + static_cast<size_t>(step) * (sizeof(MessageFrame) + longest_);
}

void MessageExecution::give_up() {
  if (messenger_ == nullptr) return;
  for (Lane& lane : lanes_) {
    for (int step : lane.posted) cancel(messenger_, &lane.requests[static_cast<size_t>(step)]);
    lane.posted.clear();
    lane.active = false;
  }
  for (Contact& contact : contacts_) {
    cancel(messenger_, &contact.sent);
    cancel(messenger_, &contact.received);
  }
  contacts_.clear();
}

}  // namespace goss::engine
