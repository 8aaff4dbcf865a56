// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "engine/compute.h"

#include <map>
#include <mutex>

namespace goss::engine {

namespace {

class HostCompute final : public Compute {
 public:
  void copy(void* dst, const void* src, size_t bytes, reduce::Store store) override {
    if (dst != src) reduce::copy(dst, src, bytes, store);
  }
  void reduce(reduce::ReduceFn kernel, const reduce::Arguments& arguments) override {
    kernel(arguments);
  }
  bool host_memory() const override { return true; }
};

struct Registered {
  std::mutex mutex;
  std::map<int, Compute*> by_ordinal;
};

Registered& registered() {
  static Registered* const instance = new Registered;  // outlives threads that still run at exit
  return *instance;
}

}  // namespace

Compute& host_compute() {
  static HostCompute* const instance = new HostCompute;
  return *instance;
}

Compute* find_compute(int ordinal) {
  if (ordinal == GOSS_DEVICE_HOST) return &host_compute();
  const std::lock_guard<std::mutex> lock(registered().mutex);
  const auto entry = registered().by_ordinal.find(ordinal);
  return entry == registered().by_ordinal.end() ? nullptr : entry->second;
}

void register_compute(int ordinal, Compute* compute) {
  const std::lock_guard<std::mutex> lock(registered().mutex);
  registered().by_ordinal[ordinal] = compute;
}

}  // namespace goss::engine
