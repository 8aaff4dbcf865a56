// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Reduction kernels: dst = source 0 op source 1 op ... in one pass over all sources, and copies.
// The left operand is always the lower index. Narrow floats (fp16, bf16, fp8) are accumulated in
// fp32 over all sources and rounded once to nearest even. gossAvg divides the full sum as
// gossRedOp_t says. Every implementation gives the same bits as scalar.cpp, which is the
// specification. Pure functions; any thread.
#pragma once

#include <cstddef>

#include "base/types.h"

namespace goss::reduce {

// How results reach memory. kStream (non-temporal) bypasses the caches: for destinations that
// nobody on this core reads soon. Never changes results.
enum class Store { kCached, kStream };

struct Arguments {
  void* dst;                      // may equal a source (in place), not overlap one otherwise
  void* dst2 = nullptr;           // optional second copy of the result; may equal another source
  const void* const* sources;     // nsources pointers, in rank order; any alignment
  size_t nsources;                // 1..; 1 copies (gossAvg still divides)
  size_t count;                   // elements
  int divisor = 1;                // of gossAvg: number of ranks
  Store store = Store::kCached;   // of dst
  Store store2 = Store::kCached;  // of dst2
};

using ReduceFn = void (*)(const Arguments&);

// The kernel of the best instruction set that the machine and GOSS_CPU_ISA allow. Chosen once.
ReduceFn kernel(DataType type, RedOp op);
// The specification, for tests.
ReduceFn scalar_kernel(DataType type, RedOp op);

// dst and src do not overlap. kStream ends with the fence that orders it before later stores.
void copy(void* dst, const void* src, size_t bytes, Store store);

}  // namespace goss::reduce
