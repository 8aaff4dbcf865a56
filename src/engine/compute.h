// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Compute: the only way in which executors touch the caller's buffers, which may be memory that
// the host cannot dereference. Called by the thread that drives the operation.
#pragma once

#include <cstddef>

#include "engine/operation.h"
#include "quant/operations.h"
#include "reduce/reduce.h"

namespace goss::engine {

class Compute {
 public:
  virtual ~Compute() = default;
  // Complete on return. Either side may be host memory or memory of this device.
  virtual void copy(void* dst, const void* src, size_t bytes, reduce::Store store) = 0;
  // `count` elements, from element `first` of the inputs (or outputs) of `extents` laid end to end,
  // to one place; and from one place to the outputs. For extents that are short.
  virtual void pack(std::byte* to, const Extent* extents, bool outputs, size_t first, size_t count,
                    size_t element) = 0;
  virtual void unpack(const Extent* extents, size_t first, size_t count, const std::byte* from,
                      size_t element) = 0;
  virtual void reduce(reduce::ReduceFn kernel, const reduce::Arguments& arguments) = 0;
  // Operations of src/quant on buffers of this device; encoded bytes lie in host memory.
  virtual void encode(const quant::Encode& arguments) = 0;
  virtual void decode(const quant::Decode& arguments) = 0;
  virtual void hop(const quant::Hop& arguments) = 0;
  // Between a buffer of this device and fp32 in host memory.
  virtual void widen(const void* src, DataType type, size_t count, float* dst) = 0;
  virtual void narrow(const float* src, DataType type, size_t count, void* dst) = 0;
  // Whether buffers of this device may be read in place by peers (gossMemAlloc).
  virtual bool host_memory() const = 0;
};

Compute& host_compute();

// The device with this ordinal, or null. GOSS_DEVICE_HOST is the host.
Compute* find_compute(int ordinal);
// For tests: a device whose memory the host must not touch. Replaces one of the same ordinal.
void register_compute(int ordinal, Compute* compute);

}  // namespace goss::engine
