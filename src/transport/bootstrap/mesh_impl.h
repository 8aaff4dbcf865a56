// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// MeshLinks: the links of one rank to its neighbours, in both of their lives: Bootstrap drives the
// all-gather over them, then hands them over as the Mesh. One thread at a time.
//
// Flooding: a message carries its origin and the origin's sequence number; a rank passes on what
// it has not seen, on all links but the one it came by. All links keep order and every rank passes
// on in the order of arrival, so the messages of one origin arrive everywhere in order, and the
// highest number seen per origin is all that has to be remembered.
#pragma once

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "transport/bootstrap/bootstrap.h"
#include "transport/bootstrap/frame.h"
#include "transport/bootstrap/messages.h"

namespace goss::bootstrap {

class MeshLinks final : public Mesh {
 public:
  MeshLinks(int rank, int nranks, std::chrono::milliseconds heartbeat);
  ~MeshLinks() override;

  // `early`: frames that came with the connection.
  void add_link(int peer, std::unique_ptr<Channel> channel, const std::vector<Frame>& early);
  bool has_link(int peer) const { return find(peer) != nullptr; }
  size_t link_count() const { return links_.size(); }

  // All-gather data to a neighbour, and what came from any, oldest first.
  void send_blocks(int peer, std::string_view payload);
  std::vector<std::string> take_blocks() { return std::exchange(blocks_, {}); }

  // Tells all ranks that the start-up has failed, once per rank at fault.
  void flood_failure(const Failure& failure);
  const std::vector<Failure>& failures() const { return failures_; }
  // The peer told of a failure before its link ended, so its end is no failure of its own.
  bool told_failure(int peer) const;
  // Events that the next poll() yields first.
  void keep(std::vector<Event> events) { kept_ = std::move(events); }

  void flood(const std::string& payload) override;
  void leave() override;
  bool flushed() const override;
  void poll(Clock::time_point now, std::vector<Event>* events) override;
  void pollfds(std::vector<pollfd>* fds) const override;

 private:
  struct Link {
    int peer;
    std::unique_ptr<Channel> channel;  // none once it has ended
    Clock::time_point last_sent{};
    int unanswered = 0;  // heartbeats sent since the peer was last heard
    bool told_failure = false;
  };

  const Link* find(int peer) const;
  void send_all(FrameType type, const std::string& payload, const Link* except);
  bool handle(Link* link, const Frame& frame, std::vector<Event>* events);
  bool handle_flood(Link* link, const std::string& bytes, std::vector<Event>* events);
  bool handle_failure(Link* link, const std::string& bytes, std::vector<Event>* events);
  void read(Link* link, std::vector<Event>* events);
  void end(Link* link, std::string why, std::vector<Event>* events);
  void report_lost(int rank, const std::string& why, std::vector<Event>* events);
  void beat(Clock::time_point now);

  int rank_;
  int nranks_;
  std::chrono::milliseconds heartbeat_;
  std::vector<Link> links_;
  std::vector<uint64_t> seen_;  // by origin
  uint64_t sequence_ = 0;
  std::vector<std::string> blocks_;
  std::vector<Failure> failures_;  // one per rank at fault
  std::set<int> lost_;             // ranks that an event has named
  std::vector<Event> kept_;
  bool leaving_ = false;
};

}  // namespace goss::bootstrap
