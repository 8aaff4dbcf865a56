// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Span: what a communicator has beside its own when its ranks do not all share memory: which ranks
// form a host, a communicator of this rank's host over that host's segment, and the messenger.
// Used by the thread that drives the communicator, but for what is told to it (News).
//
// The segment of a host has two areas for each of its ranks: those of the host's communicator, and
// behind them those of the whole one, so that ranks of a host compare calls in shared memory. What
// ranks of other hosts are doing is told over the mesh and kept in areas of this process.
#pragma once

#include <chrono>
#include <functional>
#include <list>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "engine/communicator.h"
#include "engine/message_program.h"
#include "engine/news.h"
#include "transport/messenger.h"

namespace goss::engine {

// Which ranks share memory. `host_of` in order of first appearance.
struct Hosts {
  std::vector<int> host_of;               // rank -> host
  std::vector<int> index_of;              // rank -> place among the ranks of its host
  std::vector<std::vector<int>> members;  // host -> ranks, ascending
  std::vector<int> speaker;               // host -> the rank nearest to the network, and the first

  // `reaches`: how far each rank is from the network; none: all are as far.
  explicit Hosts(const std::vector<std::string>& ids, const std::vector<int>& reaches = {});
  int count() const { return static_cast<int>(members.size()); }
  const std::vector<int>& host(int rank) const {
    return members[static_cast<size_t>(host_of[static_cast<size_t>(rank)])];
  }
  int index(int rank) const { return index_of[static_cast<size_t>(rank)]; }
  bool together(int a, int b) const {
    return host_of[static_cast<size_t>(a)] == host_of[static_cast<size_t>(b)];
  }
  // Ranks per host, or 0 where they differ.
  int per_host() const;
  // The ranks with the same place as `rank` on every host; per_host() > 0.
  std::vector<int> column(int rank) const;
  // One rank of each host: `root` of its own, the speakers of the others.
  std::vector<int> leaders(int root) const;
  // All ranks, those of a host one after the other.
  std::vector<int> in_turn() const;
};

class Span {
 public:
  Span(Hosts hosts, JobPtr job, uint64_t communicator);
  ~Span();
  // Nothing is sent or received any more. `hurry`: what has gone need not arrive.
  void leave(bool hurry);

  const Hosts& hosts() const { return hosts_; }
  transport::Messenger* messenger() const { return messenger_.get(); }
  MessagePlans& plans() { return plans_; }
  std::vector<const void*>& sources() { return sources_; }  // for one reduction
  // The ranks of this host; null where this rank is alone.
  Communicator* local() const { return local_.get(); }
  void set_local(std::unique_ptr<Communicator> local);
  // For what one more rank of another host tells.
  shm::RankArea* add_told() { return told_.emplace_back(std::make_unique<shm::RankArea>()).get(); }

  // A message that its owner does not wait for: `fill` writes it, and it is kept until it has gone.
  // False: too much is waiting already.
  bool post_copy(int job_rank, const transport::MessageKey& key, size_t bytes,
                 const std::function<void(std::byte*)>& fill);
  void sweep();  // forget what has gone
  // The library's thread sees to what has not.
  void leave_to_go();
  // At the end of `comm`: returns when what was posted has arrived, or cannot, or will not within
  // the time limit, or `over`. The others know before that this rank leaves.
  void deliver(Communicator* comm, const std::function<bool()>& over);

 private:
  struct Posted {
    std::vector<std::byte> bytes;
    transport::MessageRequest request;
  };

  void drop();  // what was posted and has not gone

  Hosts hosts_;
  JobPtr job_;
  uint64_t communicator_;
  std::shared_ptr<transport::Messenger> messenger_;  // shared: see Job
  MessagePlans plans_;
  std::vector<const void*> sources_;
  std::unique_ptr<Communicator> local_;
  std::vector<std::unique_ptr<shm::RankArea>> told_;
  std::list<Posted> outbox_;
  size_t outbox_bytes_ = 0;
};

// Returns when nobody touches the buffer of this message any more. Needs no memory.
void cancel(transport::Messenger* messenger, transport::MessageRequest* request);

}  // namespace goss::engine
