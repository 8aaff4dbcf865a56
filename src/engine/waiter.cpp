// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "engine/waiter.h"

#include <linux/futex.h>
#include <poll.h>
#include <sched.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstdlib>
#include <fstream>
#include <string>

namespace goss::engine {

namespace {

// A pause takes 20-40 ns here, so this is about 50 us: longer than any wait inside a collective
// whose ranks all run, shorter than a scheduler slice.
constexpr uint32_t kSpins = 1500;
// A poll for messages is a system call, and where all CPUs spin, the kernel's threads that bring
// the messages in wait for a slice of the scheduler: milliseconds. So such waits soon yield.
constexpr uint32_t kSpinsForMessages = 16;
// A sched_yield takes 0.5-1.4 us when nobody else runs: under 1 ms until the first sleep.
constexpr uint32_t kYields = 600;
constexpr uint32_t kCheckEvery = 64;
constexpr long kFirstSleepNs = 500'000;
constexpr long kLongestSleepNs = 4'000'000;
constexpr size_t kMaxWords = 64;

#ifndef SYS_futex_waitv
#define SYS_futex_waitv 449
#endif

struct FutexWaitv {  // struct futex_waitv of Linux 5.16, which older headers lack
  uint64_t value;
  uint64_t address;
  uint32_t flags;
  uint32_t reserved;
};
constexpr uint32_t kFutex32 = 2;

}  // namespace

void ring_doorbells(const shm::Segment& segment) {
  for (int r = 0; r < segment.nranks(); ++r) {
    shm::RankArea& area = segment.area(r);
    if (area.dozing.load(std::memory_order_relaxed) == 0) continue;
    area.doorbell.fetch_add(1, std::memory_order_release);  // pairs with the load in sleep()
    ::syscall(SYS_futex, &area.doorbell, FUTEX_WAKE, INT_MAX, nullptr, nullptr, 0);
  }
}

uint32_t Waiter::spins() const {
  if (crowded_) return 2;
  for (const Bell& bell : bells_) {
    if (bell.messenger != nullptr) return kSpinsForMessages;
  }
  return kSpins;
}

bool Waiter::pause() {
  ++polls_;
  if (polls_ == 1) since_ = {};
  const uint32_t spins = this->spins();
  if (polls_ <= spins) {
    cpu_relax();
    return polls_ % kCheckEvery == 0;
  }
  if (since_ == Clock::time_point{}) since_ = Clock::now();
  if (polls_ <= spins + kYields) {
    ::sched_yield();
    return polls_ % kCheckEvery == 0;
  }
  sleep();
  return true;
}

std::chrono::milliseconds Waiter::waited() const {
  if (since_ == Clock::time_point{}) return std::chrono::milliseconds(0);
  return std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - since_);
}

void Waiter::announce() {
  for (Bell& bell : bells_) {
    shm::RankArea& area = bell.segment->area(bell.rank);
    area.dozing.store(1, std::memory_order_seq_cst);
    bell.segment->header().dozing.fetch_add(1, std::memory_order_seq_cst);
    bell.seen = area.doorbell.load(std::memory_order_acquire);  // pairs with ring_doorbells()
  }
  announced_ = true;
}

void Waiter::withdraw() {
  for (const Bell& bell : bells_) {
    bell.segment->area(bell.rank).dozing.store(0, std::memory_order_relaxed);
    bell.segment->header().dozing.fetch_sub(1, std::memory_order_relaxed);
  }
  announced_ = false;
}

// False: nobody here waits for messages. Doorbells do not end this sleep, so it is short.
bool Waiter::sleep_on_messages(long bound_ns) {
  pollfd fds[kMaxWords];
  nfds_t count = 0;
  for (const Bell& bell : bells_) {
    if (bell.messenger == nullptr || count == kMaxWords) continue;
    if (!bell.messenger->arm()) return true;  // something has come
    fds[count++] = {bell.messenger->fd(), POLLIN, 0};
  }
  if (count == 0) return false;
  const timespec bound{0, std::min(bound_ns, kFirstSleepNs)};
  ::ppoll(fds, count, &bound, nullptr);
  return true;
}

void Waiter::sleep() {
  if (!announced_) {
    announce();  // then the caller looks once more before the next call sleeps
    return;
  }
  FutexWaitv words[kMaxWords];
  size_t count = 0;
  const auto watch = [&](std::atomic<uint32_t>* word, uint32_t seen) {
    if (count < kMaxWords) words[count++] = {seen, reinterpret_cast<uint64_t>(word), kFutex32, 0};
  };
  if (extra_ != nullptr) watch(extra_, extra_seen_);
  for (const Bell& bell : bells_) {
    watch(&bell.segment->area(bell.rank).doorbell, bell.seen);
  }

  const uint32_t naps = polls_ - spins() - kYields;
  timespec bound{0, std::min(kLongestSleepNs, kFirstSleepNs * static_cast<long>(1 + naps / 64))};
  if (sleep_on_messages(bound.tv_nsec)) return;
  timespec deadline{};
  ::clock_gettime(CLOCK_MONOTONIC, &deadline);
  deadline.tv_nsec += bound.tv_nsec;
  if (deadline.tv_nsec >= 1'000'000'000) {
    deadline.tv_nsec -= 1'000'000'000;
    ++deadline.tv_sec;
  }
  const bool no_words = count == 0;
  const long slept =
      no_words ? -1 : ::syscall(SYS_futex_waitv, words, count, 0, &deadline, CLOCK_MONOTONIC);
  // Kernels without the call and sandboxes that forbid it answer in various ways.
  const bool refused = slept < 0 && errno != EAGAIN && errno != EINTR && errno != ETIMEDOUT;
  if (no_words || refused) ::nanosleep(&bound, nullptr);
  for (Bell& bell : bells_) {
    bell.seen = bell.segment->area(bell.rank).doorbell.load(std::memory_order_acquire);
  }
}

std::string cpu_mask() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (::sched_getaffinity(0, sizeof(set), &set) != 0) CPU_SET(0, &set);
  return std::string(reinterpret_cast<const char*>(&set), sizeof(set));
}

int quota_cpus() {
  std::ifstream file("/sys/fs/cgroup/cpu.max");
  std::string quota;
  double period = 0;
  if (!(file >> quota >> period) || quota == "max" || period <= 0) return INT_MAX;
  return std::max(1, static_cast<int>(std::strtod(quota.c_str(), nullptr) / period));
}

}  // namespace goss::engine
