// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Job: what the communicators that stem from one unique id share: who the ranks are and where they
// run, the mesh, the mailbox, and the watch over the other processes. When a process dies, every
// communicator that contains one of its ranks is failed with the same words on all ranks.
// Thread-safe; poll() is called by the library's thread.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "device/shared_memory.h"
#include "engine/shrink_board.h"
#include "engine/watched.h"
#include "transport/bootstrap/bootstrap.h"
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
  bool same_process(int a, int b) const { return member(a).process == member(b).process; }
  // "host h, pid p".
  std::string place_of(int rank) const;
  // How many CPUs `ranks` may use together.
  int usable_cpus(const std::vector<int>& ranks) const;
  const std::string& key() const { return key_; }

  void attach_mesh(std::unique_ptr<bootstrap::Mesh> mesh);

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
  // The first such message of another rank, or success.
  Status given_up(uint64_t topic) const;

  // For the ranks that shrink a communicator: shrink_board.h.
  void choose_shrink(uint64_t parent, const ShrinkBoard::Choice& choice);
  ShrinkBoard::Other differing_shrink(uint64_t parent, const std::vector<int>& ranks) const;

  void add(Communicator* comm);
  void remove(Communicator* comm);
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

  void watch_processes();
  Status import_memory();
  void died(int rank);
  void heard(int rank, const std::string& message);
  void tell(Communicator* comm, int rank);

  const int rank_;
  const std::vector<Member> members_;
  const std::string key_;
  mutable std::mutex mutex_;  // guards what follows
  shm::Mailbox mailbox_;
  std::unique_ptr<bootstrap::Mesh> mesh_;
  std::vector<Communicator*> communicators_;
  std::vector<UniqueFd> pidfds_;  // per rank; invalid: own process, unsupported, or dead
  std::vector<bool> dead_;
  std::map<uint64_t, Status> given_up_;  // by topic
  ShrinkBoard shrinks_;
  std::map<uint64_t, Announced> announced_;
  std::vector<device::SharedMemoryPtr> imported_;  // until their owners free them
  Status import_failure_;
};

}  // namespace goss::engine
