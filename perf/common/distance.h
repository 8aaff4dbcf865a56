// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// How far apart two CPUs are, measured: half the time that a cache line needs from one to the other
// and back. A virtual machine's CPUs are moved about by its host, so that results differ up to
// eightfold from one second to the next; a point without its distance cannot be compared.
//
// One process calls ping(), the other pong(), each on its CPU, on a DistanceLines in memory that
// both see. Nothing here knows how they were started, and nothing here is shared with src/.
#pragma once

#include <sched.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>

namespace goss::perf {

// One way. Near is 35 to 60 ns on the machines seen so far and far 180 to 400, so that 100 leaves
// room on both sides.
inline constexpr double kNearBelowNs = 100;

enum class State { kNear, kFar, kMixed, kUnknown };

inline State state_of(double before_ns, double after_ns) {
  if (before_ns <= 0 || after_ns <= 0) return State::kUnknown;
  const bool near_before = before_ns < kNearBelowNs;
  const bool near_after = after_ns < kNearBelowNs;
  if (near_before != near_after) return State::kMixed;
  return near_before ? State::kNear : State::kFar;
}

inline const char* to_string(State state) {
  switch (state) {
    case State::kNear: return "near";
    case State::kFar: return "far";
    case State::kMixed: return "mixed";
    case State::kUnknown: return "unknown";
  }
  return "unknown";
}

inline void cpu_relax() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// Two flags, far enough apart that no prefetcher of neighbours couples them.
struct DistanceLines {
  alignas(128) std::atomic<uint32_t> to_pong{0};
  alignas(128) std::atomic<uint32_t> to_ping{0};
};

class DistanceProbe {
 public:
  // Starts from the values that earlier probes left in the lines; both sides must be constructed
  // before either probes.
  explicit DistanceProbe(DistanceLines* lines) : lines_(lines) {}

  // The distance in ns. Takes about 0.6 ms when near and 4 when far; the other side is in pong().
  double ping() {
    std::array<double, kBlocks> ns;
    for (double& block : ns) {
      const auto start = std::chrono::steady_clock::now();
      for (int i = 0; i < kRoundTrips; ++i) {
        ++turn_;
        // Paired with the acquire in wait_for on the other side; no data travels, so that the
        // order serves only to make the flag's value itself the last thing written.
        lines_->to_pong.store(turn_, std::memory_order_release);
        wait_for(lines_->to_ping);
      }
      const std::chrono::duration<double, std::nano> took =
          std::chrono::steady_clock::now() - start;
      block = took.count() / (2 * kRoundTrips);
    }
    // The lower quartile is deaf to the blocks in which one side lost its CPU.
    std::nth_element(ns.begin(), ns.begin() + kBlocks / 4, ns.end());
    return ns[kBlocks / 4];
  }

  void pong() {
    for (int i = 0; i < kBlocks * kRoundTrips; ++i) {
      ++turn_;
      wait_for(lines_->to_pong);
      // Paired with the acquire in wait_for of ping(), as above.
      lines_->to_ping.store(turn_, std::memory_order_release);
    }
  }

 private:
  static constexpr int kBlocks = 25;
  static constexpr int kRoundTrips = 200;
  static constexpr int kSpins = 20000;  // some 0.3 ms: longer than any trip, shorter than a slice

  void wait_for(const std::atomic<uint32_t>& flag) const {
    // Paired with the release stores of ping() and pong().
    for (int spins = 0; flag.load(std::memory_order_acquire) != turn_; ++spins) {
      if (spins < kSpins) {
        cpu_relax();
      } else {
        sched_yield();  // the other side may wait for this very CPU
      }
    }
  }

  DistanceLines* lines_;
  uint32_t turn_ = 0;
};

}  // namespace goss::perf
