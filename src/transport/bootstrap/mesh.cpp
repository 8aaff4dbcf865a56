// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include <algorithm>

#include "base/log.h"
#include "transport/bootstrap/mesh_impl.h"

namespace goss::bootstrap {

namespace {

constexpr size_t kMaxFloodBytes = 4096;
// A peer that is stopped reads nothing. Its kernel acknowledges until its buffer is full, and would
// then look dead; so after this many heartbeats without a sign of life only the kernel's keep-alive
// goes on, which is answered for a stopped process too.
constexpr int kHeartbeatsUnanswered = 8;

}  // namespace

MeshLinks::MeshLinks(int rank, int nranks, std::chrono::milliseconds heartbeat)
    : rank_(rank), nranks_(nranks), heartbeat_(heartbeat), seen_(static_cast<size_t>(nranks), 0) {}

MeshLinks::~MeshLinks() {
  // Unread bytes would turn the close into a reset, which could overtake what was sent last.
  char scratch[4096];
  for (Link& link : links_) {
    if (link.channel == nullptr) continue;
    ::shutdown(link.channel->socket().get(), SHUT_WR);
    constexpr int kReads = 64;
    for (int i = 0; i < kReads; ++i) {
      const Moved moved = receive_some(link.channel->socket(), scratch, sizeof(scratch));
      if (moved.state != Moved::State::kMoved) break;
    }
  }
}

void MeshLinks::add_link(int peer, std::unique_ptr<Channel> channel,
                         const std::vector<Frame>& early) {
  links_.push_back({peer, std::move(channel)});
  for (const Frame& frame : early) {
    if (!handle(&links_.back(), frame, &kept_)) {
      end(&links_.back(), "it sent a wrong frame", &kept_);
      break;
    }
  }
}

const MeshLinks::Link* MeshLinks::find(int peer) const {
  const auto found = std::find_if(links_.begin(), links_.end(),
                                  [peer](const Link& link) { return link.peer == peer; });
  return found == links_.end() ? nullptr : &*found;
}

bool MeshLinks::told_failure(int peer) const {
  const Link* link = find(peer);
  return link != nullptr && link->told_failure;
}

void MeshLinks::send_blocks(int peer, std::string_view payload) {
  const Link* link = find(peer);
  GOSS_ASSERT(link != nullptr, "an all-gather sends to neighbours only");
  if (link->channel == nullptr) return;  // its end has been reported
  link->channel->queue(FrameType::kBlocks, payload);
  link->channel->flush();
}

void MeshLinks::send_all(FrameType type, const std::string& payload, const Link* except) {
  for (Link& link : links_) {
    if (link.channel == nullptr || &link == except) continue;
    link.channel->queue(type, payload);
    link.channel->flush();
  }
}

void MeshLinks::flood(const std::string& payload) {
  GOSS_ASSERT(payload.size() <= kMaxFloodBytes, "a flooded message is at most 4 KiB");
  Writer out;
  out.i32(rank_);
  out.u64(++sequence_);
  out.text(payload);
  send_all(FrameType::kFlood, out.bytes(), nullptr);
}

bool MeshLinks::handle_flood(Link* link, const std::string& bytes, std::vector<Event>* events) {
  Reader in(bytes);
  const uint32_t origin = in.u32();
  const uint64_t sequence = in.u64();
  const std::string payload(in.text(kMaxFloodBytes));
  if (!in.finished() || origin >= seen_.size()) return false;
  if (static_cast<int>(origin) == rank_ || sequence <= seen_[origin]) return true;
  seen_[origin] = sequence;
  send_all(FrameType::kFlood, bytes, link);
  events->push_back({Event::Kind::kMessage, static_cast<int>(origin), payload});
  return true;
}

void MeshLinks::flood_failure(const Failure& failure) {
  const bool known = std::any_of(failures_.begin(), failures_.end(),
                                 [&](const Failure& f) { return f.rank == failure.rank; });
  if (known) return;
  failures_.push_back(failure);
  send_all(FrameType::kFailure, failure.encode(), nullptr);
}

bool MeshLinks::handle_failure(Link* link, const std::string& bytes, std::vector<Event>* events) {
  const std::optional<Failure> failure = Failure::decode(bytes);
  if (!failure || failure->rank < -1 || failure->rank >= nranks_) return false;
  link->told_failure = true;
  flood_failure(*failure);
  if (failure->rank >= 0 && failure->rank != rank_) {
    report_lost(failure->rank, failure->reason, events);
  }
  return true;
}

// False when the peer breaks the protocol.
bool MeshLinks::handle(Link* link, const Frame& frame, std::vector<Event>* events) {
  link->unanswered = 0;
  switch (frame.type) {
    case FrameType::kHeartbeat: return true;
    case FrameType::kBlocks: blocks_.push_back(frame.payload); return true;
    case FrameType::kFlood: return handle_flood(link, frame.payload, events);
    case FrameType::kFailure: return handle_failure(link, frame.payload, events);
    case FrameType::kLeave:
      link->channel.reset();
      events->push_back({Event::Kind::kLeft, link->peer, ""});
      return true;
    case FrameType::kJoin:
    case FrameType::kWaiting:
    case FrameType::kTable:
    case FrameType::kConnected:
    case FrameType::kComplete:
    case FrameType::kFailed:
    case FrameType::kGiveUp:
    case FrameType::kLinkUp: return false;
  }
  return false;
}

void MeshLinks::read(Link* link, std::vector<Event>* events) {
  std::vector<Frame> frames;
  const bool open = link->channel->receive(&frames);
  for (const Frame& frame : frames) {
    if (leaving_ || link->channel == nullptr) break;
    if (!handle(link, frame, events)) return end(link, "it sent a wrong frame", events);
  }
  if (!open && link->channel != nullptr) end(link, link->channel->ending(), events);
}

// `why` by value: it may belong to the channel that goes.
void MeshLinks::end(Link* link, std::string why, std::vector<Event>* events) {
  link->channel.reset();
  if (!leaving_) report_lost(link->peer, why, events);
}

void MeshLinks::report_lost(int rank, const std::string& why, std::vector<Event>* events) {
  if (!lost_.insert(rank).second) return;
  log(LogLevel::kDebug, "rank %d: rank %d is lost: %s", rank_, rank, why.c_str());
  events->push_back({Event::Kind::kLost, rank, why});
}

void MeshLinks::beat(Clock::time_point now) {
  for (Link& link : links_) {
    if (link.channel == nullptr || now - link.last_sent < heartbeat_) continue;
    link.last_sent = now;
    if (link.unanswered >= kHeartbeatsUnanswered || !link.channel->idle()) continue;
    ++link.unanswered;
    link.channel->queue(FrameType::kHeartbeat, "");
  }
}

void MeshLinks::poll(Clock::time_point now, std::vector<Event>* events) {
  for (Event& event : kept_) events->push_back(std::move(event));
  kept_.clear();
  std::vector<pollfd> fds;
  pollfds(&fds);
  if (!fds.empty() && ::poll(fds.data(), fds.size(), 0) > 0) {
    size_t next = 0;
    for (size_t i = 0; i < links_.size(); ++i) {
      if (next == fds.size()) break;
      if (links_[i].channel == nullptr) continue;
      // A link that ended in this loop still has its entry; entries and links are in one order.
      if (links_[i].channel->socket().get() != fds[next].fd) continue;
      if ((fds[next++].revents & ~POLLOUT) != 0) read(&links_[i], events);
    }
  }
  if (!leaving_) beat(now);
  for (Link& link : links_) {
    if (link.channel != nullptr) link.channel->flush();
  }
}

void MeshLinks::leave() {
  if (leaving_) return;
  leaving_ = true;
  send_all(FrameType::kLeave, "", nullptr);
}

bool MeshLinks::flushed() const {
  return std::all_of(links_.begin(), links_.end(), [](const Link& link) {
    return link.channel == nullptr || link.channel->idle();
  });
}

void MeshLinks::pollfds(std::vector<pollfd>* fds) const {
  for (const Link& link : links_) {
    if (link.channel == nullptr) continue;
    fds->push_back({link.channel->socket().get(), link.channel->poll_mask(), 0});
  }
}

}  // namespace goss::bootstrap
