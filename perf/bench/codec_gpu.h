// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// The part of codec_perf that measures on a GPU.
#pragma once

#include <string>
#include <vector>

#include "base/types.h"

struct GpuRun {
  std::vector<size_t> sizes;        // bytes of fp32 numbers, halved as for the CPU
  std::vector<std::string> codecs;  // none: all
  goss::DataType type;
  int rounds;
};

// Prints a table: GB/s read and written, over those of a copy of the same bytes on the device,
// medians. Returns the exit status: 77 with a reason where there is no device.
int measure_on_gpu(const GpuRun& run);
