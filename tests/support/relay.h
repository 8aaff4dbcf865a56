// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Relay: a cable between two network namespaces that delays, loses and swallows packets, because
// the kernel's own means (netem) are often left out. A process that carries packets between two TAP
// devices; both end with it. It costs a CPU: for limits of time, not for bandwidths.
#pragma once

#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstring>
#include <deque>
#include <random>
#include <string>
#include <vector>

#include "support/processes.h"

namespace goss::support {

// May be changed at any time.
struct CableConditions {
  std::atomic<int> delay_us{0};        // each way
  std::atomic<int> lost_per_mille{0};  // of the packets
  std::atomic<bool> blackhole{false};  // everything vanishes; nobody is told
  std::atomic<bool> ready{false};      // set by the relay
};

class Relay {
 public:
  struct End {
    int network;  // descriptor of the network namespace
    const char* device;
  };
  Relay(End one, End other)
      : process_([this, one, other] {
          const std::array<int, 2> taps = {open_tap(one), open_tap(other)};
          if (taps[0] < 0 || taps[1] < 0) ::_exit(1);
          conditions_->ready = true;
          carry(taps);
        }) {}

  bool ready() const {
    return eventually(milliseconds(5000), [this] { return conditions_->ready.load(); });
  }
  CableConditions& conditions() const { return *conditions_; }

 private:
  struct Packet {
    int64_t due_ns;
    std::vector<char> bytes;
  };

  static int open_tap(End end) {
    if (::setns(end.network, CLONE_NEWNET) != 0) return -1;
    const int tap = ::open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    ifreq request{};
    request.ifr_flags = IFF_TAP | IFF_NO_PI;
    std::strncpy(request.ifr_name, end.device, IFNAMSIZ - 1);
    if (tap < 0 || ::ioctl(tap, TUNSETIFF, &request) != 0) return -1;
    return tap;
  }

  void carry(const std::array<int, 2>& taps) {
    std::array<std::deque<Packet>, 2> queues;  // what came in at this end
    std::minstd_rand chance(1);
    for (;;) {
      const int64_t now = now_ns();
      int64_t next = now + 100'000'000;
      for (size_t end = 0; end < 2; ++end) {
        take_in(taps[end], now, &queues[end], &chance);
        std::deque<Packet>& queue = queues[end];
        while (!queue.empty() && queue.front().due_ns <= now) {
          const std::vector<char>& bytes = queue.front().bytes;
          // A full device loses the packet, as a switch does.
          [[maybe_unused]] const ssize_t ignored =
              ::write(taps[1 - end], bytes.data(), bytes.size());
          queue.pop_front();
        }
        if (!queue.empty()) next = std::min(next, queue.front().due_ns);
      }
      pollfd wait[2] = {{taps[0], POLLIN, 0}, {taps[1], POLLIN, 0}};
      const int64_t left = std::max<int64_t>(next - now_ns(), 0);
      const timespec limit{left / 1'000'000'000, left % 1'000'000'000};
      ::ppoll(wait, 2, &limit, nullptr);
    }
  }

  void take_in(int tap, int64_t now, std::deque<Packet>* queue, std::minstd_rand* chance) const {
    char buffer[65'536];
    for (int i = 0; i < 64; ++i) {
      const ssize_t bytes = ::read(tap, buffer, sizeof(buffer));
      if (bytes <= 0) return;
      const bool lost = static_cast<int>((*chance)() % 1000) < conditions_->lost_per_mille;
      if (lost || conditions_->blackhole) continue;
      queue->push_back({now + conditions_->delay_us * int64_t{1000}, {buffer, buffer + bytes}});
    }
  }

  Shared<CableConditions> conditions_;
  Process process_;
};

}  // namespace goss::support
