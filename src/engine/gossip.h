// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Gossip: what one rank's gossip object knows: the schedule among the ranks that it takes for
// living, what it has heard about them, how late they use to be, and what has happened. A death
// does not fail it: it is told here, by the boards of the other ranks and the watch over their
// processes, and changes the schedule at the next boundary of a period. Run by executions
// (gossip_execution.h), one thread at a time; the queries may come from any thread.
#pragma once

#include <array>
#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "base/counter.h"
#include "collectives/gossip.h"
#include "collectives/gossip_push_sum.h"
#include "engine/gossip_compression.h"
#include "engine/gossip_mail.h"

namespace goss::engine {

struct GossipSettings {
  collectives::GossipOptions options;
  bool deterministic = false;            // never go on without a living partner
  std::chrono::milliseconds timeout{0};  // 0: adapted to the partner's history
  int min_alive = 1;
};

struct GossipStats {
  Counter mixes;     // calls completed
  Counter messages;  // letters posted
  Counter bytes;     // their payloads
  Counter skipped;   // exchanges with a partner that did not come
  Counter late;      // letters that were mixed after their step
  Counter repairs;   // blocks, and beginnings of edges, in full precision
  Counter suspicions;
  std::atomic<uint64_t> most_stale{0};     // steps by which a letter was late
  std::atomic<double> weight_sent{0};  // of push-sum
  std::atomic<double> weight_received{0};
  std::atomic<double> weight_returned{0};
  std::atomic<double> disagreement{0};     // root mean square of partner - own, of the last mix
};

// How long one partner has kept this rank waiting, lately.
class PartnerHistory {
 public:
  void add(std::chrono::milliseconds waited);
  // Median plus 8 median absolute deviations, at least `floor`; ten times that at first.
  std::chrono::milliseconds patience(std::chrono::milliseconds floor) const;

 private:
  static constexpr size_t kKept = 32;
  static constexpr size_t kEnough = 8;
  std::array<float, kKept> waits_{};
  size_t count_ = 0;
};

class Gossip {
 public:
  // `instance` counts the gossip objects of the communicator from 1.
  static Result<std::unique_ptr<Gossip>> create(const Communicator& comm,
                                                const GossipSettings& settings, uint64_t instance);

  const Communicator::Parts& parts() const { return parts_; }
  int rank() const { return parts_.rank; }
  const GossipSettings& settings() const { return settings_; }
  GossipMail& mail() { return *mail_; }
  bool crowded() const { return crowded_; }
  std::string name_of(int rank) const;

  // Set from another thread when calls are to end.
  void set_abort_flag(const std::atomic<bool>* flag) { abort_flag_ = flag; }
  bool aborted() const {
    return abort_flag_ != nullptr && abort_flag_->load(std::memory_order_acquire);
  }

  // ---- of the driving thread
  // The schedule of a step in which all living ranks average, or of any other.
  const collectives::GossipSchedule& plan(bool global) const {
    return global ? *global_ : *schedule_;
  }
  // Enter a call of `step`; steps do not go back. Returns which call of its step it is. What was
  // heard about the ranks counts from the next period on.
  Result<uint32_t> enter(uint64_t step);
  uint64_t alive_hash() const { return alive_hash_; }
  bool believes_alive(int rank) const { return membership_.is_alive(rank); }
  // What others say, and who has ended before `step`.
  void hear(uint64_t step);
  void suspect(int rank);
  std::chrono::milliseconds patience(int rank) const;
  PartnerHistory& history(int rank) { return histories_[static_cast<size_t>(rank)]; }
  // The first thing that every letter of this rank says.
  shm::GossipHeader header(uint64_t step, uint32_t part) const;
  // Which phase of the schedule an edge belongs to.
  GossipCompression::EdgeKey edge_key(uint64_t step, uint32_t part) const;
  // In deterministic mode: warns, and fails as collectives do.
  Status check_patience(int peer, std::chrono::milliseconds waited);
  // Letters that nobody had answered when it was last looked.
  struct Pending {
    GossipMail::Sent sent;
    shm::GossipHeader header;
    std::optional<GossipCompression::EdgeKey> edge;
  };
  std::vector<Pending> pending;
  collectives::PushSum push_sum;
  // Push-sum: [rank, part]: 1 + the latest step whose letter has been mixed.
  std::map<std::pair<int, uint32_t>, uint64_t> collected;
  GossipCompression compression;
  GossipStats stats;
  Waiter waiter;  // of synchronous calls

  // ---- of any thread
  collectives::GossipSchedule schedule() const;
  std::vector<int> living() const;
  double weight() const { return weight_.load(std::memory_order_relaxed); }
  void note_weight();  // for the queries
  // The largest step that a living rank has come to.
  uint64_t newest_step() const;

 private:
  Gossip(const Communicator& comm, const GossipSettings& settings,
         collectives::GossipSchedule schedule, collectives::GossipSchedule global);
  Status adopt();
  void come_back(uint64_t step);

  Communicator::Parts parts_;
  GossipSettings settings_;
  bool crowded_;
  const std::atomic<bool>* abort_flag_ = nullptr;
  std::chrono::milliseconds next_warning_{0};
  std::unique_ptr<GossipMail> mail_;
  mutable std::mutex mutex_;  // guards what the queries read: stored by the driving thread only
  std::optional<collectives::GossipSchedule> schedule_;
  std::optional<collectives::GossipSchedule> global_;
  collectives::Membership membership_;
  std::atomic<double> weight_{1};
  uint64_t fingerprint_;
  uint64_t alive_hash_ = 0;
  std::optional<uint64_t> step_;  // of the latest call
  uint32_t part_ = 0;             // and which one it is
  std::vector<PartnerHistory> histories_;
};

}  // namespace goss::engine
