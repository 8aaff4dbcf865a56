// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Compute: the only way in which executors touch the caller's buffers, which may be memory that
// the host cannot dereference. Called by the thread that drives the operation.
#pragma once

#include <cstddef>

#include "reduce/reduce.h"

namespace goss::engine {

class Compute {
 public:
  virtual ~Compute() = default;
  // Complete on return. Either side may be host memory or memory of this device.
  virtual void copy(void* dst, const void* src, size_t bytes, reduce::Store store) = 0;
  virtual void reduce(reduce::ReduceFn kernel, const reduce::Arguments& arguments) = 0;
  // Whether buffers of this device may be read in place by peers (gossMemAlloc).
  virtual bool host_memory() const = 0;
};

Compute& host_compute();

// The device with this ordinal, or null. GOSS_DEVICE_HOST is the host.
Compute* find_compute(int ordinal);
// For tests: a device whose memory the host must not touch. Replaces one of the same ordinal.
void register_compute(int ordinal, Compute* compute);

}  // namespace goss::engine
