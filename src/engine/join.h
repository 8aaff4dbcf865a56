// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// How communicators come about, as state machines that never block:
//   SegmentSetup  the ranks of one communicator agree on the shared memory of each host
//   Join          unique id -> bootstrap -> job -> segment -> communicator
//   Split         colours exchanged by an all-reduce on the parent -> segment -> communicator
// Driven by the calling thread, or by the library's thread for non-blocking communicators.
#pragma once

#include <memory>
#include <vector>

#include "engine/communicator.h"
#include "engine/execution.h"
#include "engine/job.h"
#include "engine/span.h"

namespace goss::engine {

class SegmentSetup {
 public:
  struct Limit {
    std::chrono::milliseconds timeout;  // 0: never
    std::chrono::steady_clock::time_point began = std::chrono::steady_clock::now();
  };
  // `everyone`: ranks of the job in the order of the new communicator; `rank` indexes them.
  SegmentSetup(JobPtr job, std::vector<int> everyone, int rank, std::string nonce, Limit limit);
  // The other ranks are told when it was not completed, or no communicator came of it.
  ~SegmentSetup();
  SegmentSetup(const SegmentSetup&) = delete;
  SegmentSetup& operator=(const SegmentSetup&) = delete;
  // True when every member has attached, on all hosts.
  Result<bool> advance();
  // Afterwards, once.
  std::unique_ptr<Communicator> communicator(const Settings& settings);

 private:
  Result<bool> step();
  Result<bool> obtain();
  bool complete();
  Status check_peers() const;
  int first_absent() const;
  int first_host_absent() const;
  uint64_t topic() const;       // of the communicator
  uint64_t host_topic() const;  // of the segment

  JobPtr job_;
  std::vector<int> everyone_;
  int rank_;
  Hosts hosts_;
  std::vector<int> members_;  // of this host
  int self_;                  // among them
  std::string nonce_;
  std::string host_nonce_;
  shm::SegmentPtr segment_;
  Limit limit_;
  size_t send_next_ = 0;
  bool sent_ = false;
  bool told_ = false;  // the other hosts
  bool complete_ = false;
  bool communicating_ = false;  // there is a communicator, which tells the others when it ends
  Status failure_;
};

// A communicator in the making.
class Making {
 public:
  virtual ~Making() = default;
  virtual Result<bool> advance() = 0;  // true: done
  virtual void pollfds(std::vector<pollfd>* fds) = 0;
  // The result is not wanted any more: end as soon as the other ranks can do without this one.
  virtual void abandon() {}
  // Afterwards; null for a rank that splits off without a colour.
  std::unique_ptr<Communicator> take() { return std::move(communicator_); }

 protected:
  std::unique_ptr<Communicator> communicator_;
};

struct JoinOptions {
  bootstrap::UniqueId id;
  int rank = 0;
  int nranks = 1;
  Settings settings;
};
Result<std::unique_ptr<Making>> make_join(const JoinOptions& options);
// `parent` must outlive the Making and run no other operation meanwhile.
std::unique_ptr<Making> make_split(Communicator* parent, int color, int key,
                                   const Settings& settings);

}  // namespace goss::engine
