// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "engine/compute.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <mutex>

namespace goss::engine {

namespace {

// fn(extent, element in it, elements) for `count` elements from element `first` of all on.
template <class Fn>
void for_each(const Extent* extent, size_t first, size_t count, Fn fn) {
  for (; first >= extent->count; ++extent) first -= extent->count;
  for (; count > 0; ++extent, first = 0) {
    const size_t length = std::min(extent->count - first, count);
    fn(*extent, first, length);
    count -= length;
  }
}

// A call of the library's function would cost more than the copy.
void copy_short(std::byte* to, const std::byte* from, size_t bytes) {
  switch (bytes) {
    case 4: std::memcpy(to, from, 4); break;
    case 8: std::memcpy(to, from, 8); break;
    default: std::memcpy(to, from, bytes);
  }
}

class HostCompute final : public Compute {
 public:
  void copy(void* dst, const void* src, size_t bytes, reduce::Store store) override {
    if (dst != src) reduce::copy(dst, src, bytes, store);
  }
  void pack(std::byte* to, const Extent* extents, bool outputs, size_t first, size_t count,
            size_t element) override {
    for_each(extents, first, count, [&](const Extent& extent, size_t at, size_t length) {
      const std::byte* from = outputs ? extent.output : extent.input;
      copy_short(to, from + at * element, length * element);
      to += length * element;
    });
  }
  void unpack(const Extent* extents, size_t first, size_t count, const std::byte* from,
              size_t element) override {
    for_each(extents, first, count, [&](const Extent& extent, size_t at, size_t length) {
      copy_short(extent.output + at * element, from, length * element);
      from += length * element;
    });
  }
  void reduce(reduce::ReduceFn kernel, const reduce::Arguments& arguments) override {
    kernel(arguments);
  }
  void encode(const quant::Encode& arguments) override { quant::encode(arguments); }
  void decode(const quant::Decode& arguments) override { quant::decode(arguments); }
  void hop(const quant::Hop& arguments) override { quant::hop(arguments); }
  void widen(const void* src, DataType type, size_t count, float* dst) override {
    quant::widen(src, type, count, dst);
  }
  void narrow(const float* src, DataType type, size_t count, void* dst) override {
    quant::narrow(src, type, count, dst);
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
