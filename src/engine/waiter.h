// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Waiter: how a thread waits for other ranks. It spins, then yields, then sleeps, so that a wait
// costs nanoseconds when the answer is near and no CPU when it is far. With more ranks than CPUs it
// yields at once: the rank that it waits for needs this CPU. One per driving thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "transport/messenger.h"
#include "transport/shm/segment.h"

namespace goss::engine {

inline void cpu_relax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// Tell ranks that sleep in Waiter::pause that something was published. Sleepers announce
// themselves before they look once more; a racing announcement is caught by the bounded sleep.
void ring_doorbells(const shm::Segment& segment);
inline void ring_doorbells_if_dozing(const shm::Segment& segment) {
  if (segment.header().dozing.load(std::memory_order_relaxed) != 0) ring_doorbells(segment);
}

class Waiter {
 public:
  using Clock = std::chrono::steady_clock;

  // `crowded`: more ranks on this host than CPUs for them.
  explicit Waiter(bool crowded) : crowded_(crowded) {}
  ~Waiter() { progressed(); }
  Waiter(const Waiter&) = delete;
  Waiter& operator=(const Waiter&) = delete;

  // Where this thread can be woken while it sleeps: its own rank in a segment.
  struct Bell {
    shm::SegmentPtr segment;
    int rank;
    // Of a rank that waits for messages too, or null; shared: its job and who sleeps on it.
    std::shared_ptr<transport::Messenger> messenger;
    uint32_t seen = 0;  // doorbell before the last poll: a ring since then ends the sleep at once
  };
  void set_crowded(bool crowded) { crowded_ = crowded; }
  void add_bell(Bell bell) { bells_.push_back(std::move(bell)); }
  size_t bell_count() const { return bells_.size(); }
  void clear_bells() {
    progressed();
    bells_.clear();
  }
  // An extra futex word that ends a sleep when it changes from `seen`.
  void set_extra_word(std::atomic<uint32_t>* word, uint32_t seen) {
    extra_ = word;
    extra_seen_ = seen;
  }

  // Something moved: start from spinning again.
  void progressed() {
    polls_ = 0;
    if (announced_) withdraw();
  }
  // Call after every poll that found nothing. True when it is time to look at slow things: faults,
  // signatures, clocks.
  bool pause();
  // How long nothing has moved; zero while it has not been worth reading a clock.
  std::chrono::milliseconds waited() const;

 private:
  uint32_t spins() const;  // polls before it yields
  void sleep();
  bool sleep_on_messages(long bound_ns);
  void announce();
  void withdraw();

  bool crowded_;
  bool announced_ = false;  // peers have been told to ring
  uint32_t polls_ = 0;
  Clock::time_point since_{};
  std::vector<Bell> bells_;
  std::atomic<uint32_t>* extra_ = nullptr;
  uint32_t extra_seen_ = 0;
};

// The CPUs that this process may use, as the bytes of a cpu_set_t.
std::string cpu_mask();
// How many CPUs' worth of time the cgroup grants.
int quota_cpus();

}  // namespace goss::engine
