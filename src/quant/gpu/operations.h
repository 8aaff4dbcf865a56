// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// The operations of quant/operations.h on a GPU: the same arguments, bytes and results, bit for
// bit. All addresses are of memory that the device reads and writes. They return when the work is
// queued; whatever fails later is told by the stream. Nothing is allocated, so calls can be
// captured in graphs. Any thread; the device is the current one of the thread.
//
// Numbers are fp32, fp16 or bf16 at multiples of their size; at multiples of 16 bytes (bytes of
// codecs too) they move fastest. `figures` must be null: the bytes have all that is needed.
#pragma once

#include "quant/operations.h"

namespace goss::quant::gpu {

struct Launch {
  void* stream = nullptr;   // hipStream_t or cudaStream_t
  unsigned max_blocks = 0;  // of 256 threads; 0: as many as there is work for. Few leave the rest
                            // of the device to others. No influence on results.
};

// Errors: gossInvalidArgument (type, address, figures), gossUnhandledCudaError (the kernel did not start).
Status encode(const Encode& a, const Launch& how);
Status decode(const Decode& a, const Launch& how);
Status decode_add(const Decode& a, const Launch& how);
// `peers`, the array itself, is read by the device too.
Status hop(const Hop& a, const Launch& how);

}  // namespace goss::quant::gpu
