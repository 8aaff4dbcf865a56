// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// SharedPage: what the ranks of one measurement share beside the library that is measured: a
// barrier, each rank's time, and the distance probe. It lives in a memfd, so that it has no name
// and leaves nothing behind; ranks that were not forked from its creator open it through /proc.
#pragma once

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <new>
#include <stdexcept>
#include <string>

#include "common/distance.h"

namespace goss::perf {

inline constexpr int kMaxRanks = 64;

class SharedPage {
 public:
  // Name of a page for other processes of the same user: valid while the creator lives.
  struct Address {
    int pid = 0;
    int fd = -1;
  };

  static SharedPage create() {
    const int fd = memfd_create("goss-perf", MFD_CLOEXEC);
    if (fd < 0 || ftruncate(fd, sizeof(Layout)) != 0) {
      throw std::runtime_error("cannot make the shared page of the measurement");
    }
    SharedPage page(fd);
    new (page.layout_) Layout;
    return page;
  }

  static SharedPage open(Address address) {
    const std::string path =
        "/proc/" + std::to_string(address.pid) + "/fd/" + std::to_string(address.fd);
    const int fd = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
    if (fd < 0) throw std::runtime_error("cannot open " + path + ": are all ranks on one host?");
    return SharedPage(fd);
  }

  SharedPage(SharedPage&& other) noexcept
      : fd_(other.fd_), layout_(other.layout_), probe_(other.probe_) {
    other.fd_ = -1;
    other.layout_ = nullptr;
  }
  SharedPage& operator=(SharedPage&&) = delete;
  ~SharedPage() {
    if (layout_ != nullptr) munmap(layout_, sizeof(Layout));
    if (fd_ >= 0) close(fd_);
  }

  Address address() const { return {getpid(), fd_}; }

  void join(int rank, int nranks) {
    rank_ = rank;
    nranks_ = nranks;
  }

  // Spins briefly, since the ranks should leave together, then gives up the CPU.
  void barrier() {
    const uint32_t round = ++barrier_round_;
    // Paired with the acquire below: what every rank wrote before is visible after.
    const uint32_t arrived = layout_->arrived.fetch_add(1, std::memory_order_acq_rel) + 1;
    if (arrived == round * static_cast<uint32_t>(nranks_)) {
      layout_->released.store(round, std::memory_order_release);  // paired with the load below
    }
    // Paired with the release store of the last to arrive.
    for (int spins = 0; layout_->released.load(std::memory_order_acquire) < round; ++spins) {
      if (spins < 2000) {
        cpu_relax();
      } else {
        sched_yield();
      }
    }
  }

  // Collective: the distance between the CPUs of ranks 0 and 1, the same number on all ranks. The
  // other ranks sleep meanwhile: one that polled would take its CPU from the two that measure.
  double distance() {
    if (nranks_ < 2) return 0;
    const uint32_t round = ++distance_round_;
    barrier();
    if (rank_ == 0) {
      layout_->distance_ns = probe_.ping();
      // Paired with the acquire below: the number above goes with it.
      layout_->distance_done.store(round, std::memory_order_release);
    } else if (rank_ == 1) {
      probe_.pong();
    }
    // Paired with the release store of rank 0.
    while (layout_->distance_done.load(std::memory_order_acquire) < round) usleep(200);
    const double ns = layout_->distance_ns;
    barrier();  // nobody probes again before all have read
    return ns;
  }

  // Collective: the largest, or the sum, of the ranks' values.
  double max(double value) {
    return combine(value, [](double a, double b) { return std::max(a, b); });
  }
  double sum(double value) {
    return combine(value, [](double a, double b) { return a + b; });
  }

 private:
  template <class Operation>
  double combine(double value, Operation operation) {
    layout_->values[rank_].value = value;
    barrier();
    double result = layout_->values[0].value;
    for (int i = 1; i < nranks_; ++i) result = operation(result, layout_->values[i].value);
    barrier();
    return result;
  }

  struct Layout {
    alignas(128) std::atomic<uint32_t> arrived{0};
    alignas(128) std::atomic<uint32_t> released{0};
    DistanceLines distance_lines;
    std::atomic<uint32_t> distance_done{0};
    double distance_ns = 0;
    struct alignas(64) Value {
      double value = 0;
    } values[kMaxRanks];
  };

  explicit SharedPage(int fd) : fd_(fd), layout_(map(fd)), probe_(&layout_->distance_lines) {}

  static Layout* map(int fd) {
    void* at = mmap(nullptr, sizeof(Layout), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (at == MAP_FAILED) throw std::runtime_error("cannot map the shared page");
    return static_cast<Layout*>(at);
  }

  int fd_;
  Layout* layout_;
  DistanceProbe probe_;
  int rank_ = 0;
  int nranks_ = 1;
  uint32_t barrier_round_ = 0;
  uint32_t distance_round_ = 0;
};

}  // namespace goss::perf
