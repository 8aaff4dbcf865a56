// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Crew: the ranks that one thread drives, and what all crews of a job do together beside the
// measurement: agree on numbers, meet at a barrier. All of it goes through the public API of the
// library that is measured, so that it works however the ranks were started. The job may be split
// into groups, each of which measures by itself at the same time; all crews agree and meet still.
#pragma once

#include <cstddef>
#include <span>
#include <stdexcept>
#include <vector>

#include "gossamer/gossamer.h"
#include "options.h"

namespace goss::perf {

// A failure that ends the tool; what() is complete, with the rank.
class Failure : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// Throws a Failure that names the rank, the call, the code and the library's explanation.
void check(gossResult_t result, const char* call, int rank, gossComm_t comm);

// Belongs to one thread. Its ranks are first_rank, first_rank + 1, ... of the job and, in the same
// order, group_rank, ... of their group. Communicators are ended by destroy() when all went well.
class Crew {
 public:
  Crew(int nranks, int first_rank, int size);
  Crew(Crew&&) = default;
  Crew& operator=(Crew&&) = delete;
  ~Crew();  // aborts what destroy() has not ended

  int nranks() const { return nranks_; }  // of the job, as first_rank
  int first_rank() const { return first_rank_; }
  int group() const { return group_; }  // its number; 0 without split
  int group_nranks() const { return group_nranks_; }
  int group_rank() const { return group_rank_; }
  int size() const { return static_cast<int>(comms_.size()); }
  bool speaks() const { return first_rank_ == 0; }  // the one that prints
  // The communicator that is measured: of the group, which without split is the job.
  gossComm_t comm(int i) const { return groups_.empty() ? comms_[i] : groups_[i]; }
  gossStream_t stream(int i) const { return streams_[i]; }  // NULL without make_streams
  gossComm_t* comm_slot(int i) { return &comms_[i]; }
  double startup_s() const { return startup_s_; }
  void set_startup(double seconds) { startup_s_ = seconds; }

  // Collective over all crews: those of one number become a group. Once more: other groups.
  void split(int group, gossConfig_t* config = nullptr);
  void make_streams();
  void synchronize();
  void destroy();
  // Ends the ranks of this crew and tells the others. After a failure.
  void abort();

  // Collective over all crews. Every rank of this crew contributes `value`; kSum counts it once.
  double combine(double value, Combine how);
  // The same over the crews of this group only.
  double combine_in_group(double value, Combine how);
  // values[j] becomes the maximum over all crews.
  void combine_max(std::span<double> values);
  // bytes[j] becomes the maximum over all crews: a gather when all but the owner pass zeros.
  void combine_max(std::span<unsigned char> bytes);
  void barrier();

  // Runs issue(i) for each rank of the crew, in a group when they are several.
  template <class Issue>  // gossResult_t(int i)
  void together(const char* call, Issue issue) {
    if (size() == 1) {
      check(issue(0), call, first_rank_, comms_[0]);
      return;
    }
    check(gossGroupStart(), "gossGroupStart", first_rank_, nullptr);
    for (int i = 0; i < size(); ++i) check(issue(i), call, first_rank_ + i, comms_[i]);
    check(gossGroupEnd(), call, first_rank_, nullptr);
  }

 private:
  double combine_over(std::span<const gossComm_t> comms, double value, Combine how);
  void end(std::span<gossComm_t> comms);

  int nranks_;
  int first_rank_;
  int group_ = 0;
  int group_nranks_;
  int group_rank_;
  std::vector<gossComm_t> comms_;   // of the job
  std::vector<gossComm_t> groups_;  // after split: of the group
  std::vector<gossStream_t> streams_;
  double startup_s_ = 0;  // from the tool's start until the communicators were there
};

}  // namespace goss::perf
