// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Job: what the communicators that stem from one unique id share: who the ranks are and where they
// run, the mesh, the mailbox, and the watch over the other processes. When a process dies, every
// communicator that contains one of its ranks is failed with the same words on all ranks.
// Thread-safe; poll() is called by the library's thread.
#pragma once

#include <atomic>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "device/shared_memory.h"
#include "engine/news.h"
#include "engine/shrink_board.h"
#include "engine/watched.h"
#include "transport/bootstrap/bootstrap.h"
#include "transport/messenger.h"
#include "transport/shm/mailbox.h"

namespace goss::engine {

class Communicator;

// What every rank tells the others at start-up.
struct Member {
  std::string host_id;  // ranks with equal ids may share memory
  std::string host;     // for people
  std::string process;  // random, equal for ranks of one process
  std::string pids;     // the name space of `pid`
  std::string mailbox;  // address of the rank's Mailbox
  std::string cpus;     // a cpu_set_t: where the rank may run
  int pid = 0;
  // To the network adapter (topology::Reach); all alike where nobody said otherwise: reach.h.
  unsigned char reach = 0;

  static Result<Member> self(const shm::Mailbox& mailbox);
  std::string serialize() const;
  static Result<Member> parse(const std::string& bytes);
};

class Job final : public Watched {
 public:
  Job(int rank, std::vector<Member> members, shm::Mailbox mailbox, std::string key);
  ~Job() override;

  int rank() const { return rank_; }
  const Member& member(int rank) const { return members_[static_cast<size_t>(rank)]; }
  // Equal for ranks that share memory.
  const std::string& host_of(int rank) const { return member(rank).host_id; }
  bool same_process(int a, int b) const { return member(a).process == member(b).process; }
  // "host h, pid p".
  std::string place_of(int rank) const;
  // How many CPUs `ranks` may use together.
  int usable_cpus(const std::vector<int>& ranks) const;
  const std::string& key() const { return key_; }

  void attach_mesh(std::unique_ptr<bootstrap::Mesh> mesh);
  // To ranks that share no memory with this one; null where there are none.
  void attach_messenger(transport::MessengerPtr messenger) { messenger_ = std::move(messenger); }
  // shared: threads that sleep on it
  const std::shared_ptr<transport::Messenger>& messenger() const { return messenger_; }
  // So many more messages (or fewer) have to go although nobody waits for them: the library's
  // thread sees to that.
  void leave_to_go(int messages) { to_go_ += messages; }

  // Pass a communicator's segment to the first rank of every other process among `ranks`. False
  // when a queue is full: call again with the same *next, which counts through the ranks from 0.
  Result<bool> send_segment(const std::vector<int>& ranks, uint64_t topic, uint64_t bytes, int fd,
                            size_t* next);
  Result<std::optional<shm::Letter>> receive_segment(uint64_t topic);

  // Let those of `ranks` that are other processes map `memory`, once each. The index of one whose
  // queue is full: call again; or -1 when all have been told.
  Result<int> announce(const std::vector<int>& ranks, const device::SharedMemoryPtr& memory);
  // What another process announced, mapped here; null while it is on the way.
  Result<device::SharedMemoryPtr> peer_memory(uint64_t id);

  // Tell the other ranks that this one cannot take part in making the communicator `topic`.
  void give_up(uint64_t topic, const Status& failure);
  // All ranks of this host have what they need of the communicator `topic`; to be told by one.
  void ready(uint64_t topic);
  bool is_ready(uint64_t topic, int rank) const;
  // The first such message of another rank, or success.
  Status given_up(uint64_t topic) const;

  // For the ranks that shrink a communicator: shrink_board.h.
  void choose_shrink(uint64_t parent, const ShrinkBoard::Choice& choice);
  ShrinkBoard::Other differing_shrink(uint64_t parent, const std::vector<int>& ranks) const;
  // To all ranks of the job.
  void tell(const News& news);
  // Something has failed in a communicator across hosts, of these ranks: let one rank decide what
  // all of them report, and settle it here (Faults::settle). `wait`: return when that is known, or
  // after a bounded time.
  void agree(uint64_t communicator, const std::vector<int>& ranks, const Status& failure,
             bool wait);

  void add(Communicator* comm);
  void remove(Communicator* comm);
  // After the last communicator's end: leave the messenger, here and not in whatever thread lets go
  // of the job last, while the process may be ending.
  void part(bool hurry);
  // A dead rank among `ranks`, or -1.
  int dead_among(const std::vector<int>& ranks) const;
  bool is_dead(int rank) const { return dead_among({rank}) >= 0; }

  void pollfds(std::vector<pollfd>* fds) override;
  void poll() override;

 private:
  struct Announced {
    std::weak_ptr<device::SharedMemory> memory;
    std::vector<bool> told;  // per rank
  };

  // What all ranks of a communicator report.
  struct Agreement {
    bool decided = false;
    Status failure;                      // proposed by this rank until it is decided
    bootstrap::Clock::time_point until;  // then this rank takes its own
  };
  // What ranks have told of a communicator, or of one in the making.
  struct Told {
    Status given_up;
    std::set<int> ready;  // ranks that have told
    Agreement agreement;
  };

  void flood(const News& news);
  Told& told(uint64_t communicator);
  void forget(uint64_t communicator);
  void decide(uint64_t communicator, const Status& failure, bool tell_others);
  void propose(uint64_t communicator, const std::vector<int>& ranks, const Status& failure);
  void take_own();
  void move();
  void watch_processes();
  Status import_memory();
  void died(int rank);
  void heard(int rank, const News& news);
  void heard_of(Communicator* comm, int rank, const News& news);
  void tell(Communicator* comm, int rank);

  const int rank_;
  const std::vector<Member> members_;
  const std::string key_;
  mutable std::mutex mutex_;  // guards what follows
  shm::Mailbox mailbox_;
  std::unique_ptr<bootstrap::Mesh> mesh_;
  std::shared_ptr<transport::Messenger> messenger_;  // shared: threads that sleep on it
  std::atomic<int> to_go_{0};
  std::vector<Communicator*> communicators_;
  std::vector<UniqueFd> pidfds_;  // per rank; invalid: own process, unsupported, or dead
  std::vector<bool> dead_;
  ShrinkBoard shrinks_;
  std::map<uint64_t, Told> told_;                // by communicator, bounded
  std::deque<uint64_t> told_order_;              // the oldest first
  std::deque<std::pair<int, News>> left_early_;  // rank, communicators that are not here yet
  std::map<uint64_t, Announced> announced_;
  std::vector<device::SharedMemoryPtr> imported_;  // until their owners free them
  Status import_failure_;
};

}  // namespace goss::engine
