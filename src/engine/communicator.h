// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Communicator: one rank's membership: its place in the shared segment, the counters that all ranks
// advance in step, and what has gone wrong. Operations are run by executions (execution.h).
//
// One thread at a time drives a communicator: the caller of a synchronous call, or the library's
// thread. abort() and the fault queries may come from any thread.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/counter.h"
#include "device/shared_memory.h"
#include "engine/compression.h"
#include "engine/compute.h"
#include "engine/faults.h"
#include "engine/news.h"
#include "engine/operation.h"
#include "engine/plan.h"
#include "engine/waiter.h"
#include "gossamer/compression.h"
#include "transport/shm/segment.h"

namespace goss::engine {

class CompressedExecution;
class Span;
class Job;
using JobPtr = std::shared_ptr<Job>;  // shared: communicators split from one another

// What ranks reach each other by: shared memory where they can, only that, or only messages.
enum class Transport : uint8_t { kAuto, kShm, kMessages };

struct Settings {
  bool blocking = true;
  int device = GOSS_DEVICE_HOST;
  std::string name;
  std::chrono::milliseconds timeout{600'000};       // 0: never
  std::chrono::milliseconds warn_after{30'000};     // 0: never
  std::chrono::milliseconds init_timeout{120'000};  // 0: never
  Forced forced = Forced::kAuto;
  CodecRules codecs;  // which operations are compressed
  Transport transport = Transport::kAuto;
  std::optional<bool> far;  // GOSS_STORES; unset: measured
  bool verify = false;      // GOSS_VERIFY: results are compared

  // From the caller's struct (NULL: all defaults), then the environment, then the defaults.
  static Result<Settings> from(const gossConfig_t* config);
};

struct Stats {
  Counter operations;
  Counter payload_bytes;
  Counter sent_bytes;
  Counter waits;
  Counter staging_bytes;  // pages of own cells and slots
};

// How far the messages to and from one rank have got, in pieces.
struct PairState {
  uint64_t sent = 0;
  uint64_t taken = 0;  // of those sent, as last seen
  uint64_t received = 0;
  uint64_t encoded = 0;  // messages that were sent compressed
  int can_send = 0;      // pages: 0 none, 1 entries, 2 slots too
  bool can_receive = false;
};

// The caller's buffers where peers may read them in place (gossMemAlloc); null: they may not.
struct OwnBuffers {
  device::SharedMemoryPtr input;
  device::SharedMemoryPtr output;
  bool writable = false;  // peers store their results into the output
};

class Communicator {
 public:
  struct Parts {
    int rank = 0;
    int nranks = 1;
    Settings settings;
    shm::SegmentPtr segment;
    JobPtr job;
    std::vector<int> job_ranks;  // rank here -> rank in the job
    uint64_t id = 0;
    Communicator* outer = nullptr;  // this one carries out parts of its operations on one host
  };
  // `span`: where the ranks do not all share memory; then the segment is that of this host.
  Communicator(Parts parts, std::unique_ptr<Span> span);
  explicit Communicator(Parts parts);
  ~Communicator();

  int rank() const { return parts_.rank; }
  int nranks() const { return parts_.nranks; }
  const Settings& settings() const { return parts_.settings; }
  const Parts& parts() const { return parts_; }
  shm::Segment& segment() { return *parts_.segment; }
  shm::RankArea& area(int rank) { return *areas_[static_cast<size_t>(rank)]; }
  shm::RankArea& mine() { return *mine_; }
  Compute& compute() const { return *compute_; }
  Faults& faults() { return faults_; }
  PlanCache& plans() { return plans_; }
  // Made when first asked for.
  CompressedExecution& compressed();
  size_t compressed_bytes() const;
  bool crowded() const { return crowded_; }
  Span* span() const { return span_.get(); }  // null on one host
  bool remote(int peer) const;                // no shared memory with it
  int place_in_segment(int peer) const;       // of a rank that is not remote
  Waiter::Bell bell() const;

  // Count an operation and record it; returns its signature word: the last 32 bits of its number,
  // then a hash. Never 0.
  // `algorithm`: its number in signatures.
  uint64_t begin_operation(const Operation& operation, int algorithm, const OwnBuffers& own,
                           uint32_t codecs = 0);
  // `counts`: in the statistics.
  void end_operation(const Operation& operation, bool counts = true);
  // For the slow part of a wait: aborted, failed, `peer` inside another operation, peer gone,
  // warned, timed out. A failure has been raised for all ranks when this returns it.
  Status check_wait(int peer, uint64_t signature, std::chrono::milliseconds waited);
  // The same for a message on its way.
  Status check_transfer(const Transfer& transfer, std::chrono::milliseconds waited);
  // What `sender` sends is not what this rank receives.
  // `codec`: CodecChoice::packed() of what was sent, or 0.
  Status message_mismatch(int sender, uint64_t type, uint64_t count, const Transfer& receive,
                          uint32_t codec = 0);
  // The other side of a message has left.
  Status left_message(const Transfer& transfer) const;
  bool has_left(int peer);
  // For messages of other ranks about this one: what it waits for; null: nothing.
  void say_waiting(const Transfer* transfer);
  // Messages have been exchanged.
  void end_transfers(const Operation& operation);
  // `peer` announced another word where this rank is at `signature`: raise and return that.
  Status mismatch(int peer, uint64_t signature);
  // Whether `peer` recorded something else under the number of `signature`.
  bool differs(int peer, uint64_t signature);
  // Whether `peer` has come to the operation of `signature` and does not agree about it, as far as
  // its records go back. If not, a differing word of that number is left from 2^32 operations ago.
  bool contradicts(int peer, uint64_t signature);
  // Whether `peer`'s announced signature word fits; false with *failure set when it differs.
  bool agrees(int peer, uint64_t signature, Status* failure);

  // Where `peer` said that its buffers of the operation with this signature can be read in place.
  // Ids are 0 for private memory, which is also what a peer has that has gone on since: it would
  // have waited for this rank.
  struct Placement {
    uint64_t input_id = 0;
    uint64_t input_offset = 0;
    uint64_t output_id = 0;
    uint64_t output_offset = 0;
    bool writable = false;
  };
  Placement placement(int peer, uint64_t signature);
  // This rank cannot take part any more, for want of memory or threads: fails the communicator on
  // all ranks. Returns its failure.
  Status lost(const Status& failure);
  // Whether this rank's call should end at once, with the reason.
  bool interrupted(Status* why);

  // One measurement of the distance to the peers; `far` follows the majority of the last few.
  void vote_far(bool looks_far);

  // What a rank of another host is doing, or has done: from its messages and from News.
  void told_operation(int peer, uint64_t signature, uint64_t what, uint64_t count);
  void told(int peer, const News& news);
  // What this rank is doing, waiting for `peer` or for nobody; from any thread. `number`: the
  // operation that is asked for, if its record is still there; 0: the latest.
  News doing(int peer, uint64_t number = 0) const;
  // Let `peer` tell what it recorded as this rank's operation.
  void ask(int peer);
  // Whether any record of `peer` up to the operation of `signature` differs from this rank's.
  bool disagrees(int peer, uint64_t signature) const;

  // What `rank` was last seen doing, for messages.
  std::string last_seen(int rank);
  std::string name_of(int rank) const;
  // The number, counted from 1, of the operation with this signature.
  uint64_t number_of(uint64_t signature) const;
  // That have begun; also the number of the last one.
  uint64_t operations() const { return sequence_.load(std::memory_order_relaxed); }
  // For tests of numbers that no test can count to: as if `operations` had been completed. On all
  // ranks, before the first operation.
  void count_from(uint64_t operations);
  // The last operations of this rank, oldest first.
  std::string flight_record() const;

  // From any thread. Calls of this rank fail with the first, those of the others with the second.
  void stop(const Status& here, const Status& elsewhere);
  // Give back the pages of own cells, and of messages that have been received. Nobody reads cells.
  void release_staging();
  bool suspended() const { return suspended_.load(std::memory_order_relaxed); }  // no order
  void resume() { suspended_.store(false, std::memory_order_relaxed); }

  void abort();                                                                // from any thread
  bool aborting() const { return aborting_.load(std::memory_order_acquire); }  // pairs with abort()
  void leave();          // this rank will start no more operations
  void leave_at_exit();  // tell so while another thread may be inside

  // Counters that all ranks advance alike; used by the executions.
  uint64_t inline_turn = 0;       // inline operations started
  uint64_t broadcast_turn = 0;    // broadcasts in lines started
  uint64_t ticket = 0;            // cells used in every ring
  uint64_t direct_turn = 0;       // operations large enough to be read in place
  uint64_t unpublished_done = 0;  // value for flags.done to be stored with the next operation
  std::array<size_t, shm::kCells> cell_bytes{};  // of each own cell that have pages
  Stats stats;
  Waiter waiter;     // of whichever thread drives this communicator alone
  bool far = false;  // the CPUs of the ranks share no cache: measured, never in results
  std::vector<uint64_t>
      seen_phase;  // [rank * kPhases + phase]: last value seen, saves reading lines
  std::vector<uint64_t> seen_done;            // [rank]
  std::vector<uint64_t> seen_broadcast_done;  // [rank]
  std::vector<PairState> pairs;               // [rank]; empty before the first message
  std::vector<uint64_t> awaited;  // [rank * kPairSignals + signal]: waited for so far; empty: none

  uint32_t splits = 0;                           // made from this communicator
  std::map<std::vector<int>, uint32_t> shrinks;  // attempts, by the ranks that are left out
  uint64_t signature_in_progress = 0;            // across hosts
  // The compressed collective whose messages are on their way, by its signature word; 0: none.
  uint64_t exchanging = 0;
  // Of the last compressed call. Guarded, because any thread may ask.
  gossErrorReport_t last_report();
  void set_last_report(const gossErrorReport_t& report);

 private:
  News left() const;
  void tell_waiting(int peer, std::chrono::milliseconds waited);
  int index_in(const Communicator& outer, int peer) const;
  Status check_patience(int peer, std::chrono::milliseconds waited,
                        const std::function<std::string()>& what);

  Parts parts_;
  std::vector<shm::RankArea*> areas_;
  shm::RankArea* mine_;
  Compute* compute_;
  std::unique_ptr<Span> span_;
  Faults faults_;
  PlanCache plans_;
  std::unique_ptr<CompressedExecution> compressed_;
  std::mutex report_mutex_;
  gossErrorReport_t report_{};
  bool crowded_;
  std::atomic<uint64_t> sequence_{0};  // stored by the driving thread only, read by any
  uint32_t history_ = 0;               // hash of all signatures so far
  std::atomic<bool> aborting_{false};
  std::atomic<bool> suspended_{false};
  std::chrono::milliseconds next_warning_;
  std::chrono::milliseconds next_news_{0};
  int far_votes_ = 0;
};

}  // namespace goss::engine
