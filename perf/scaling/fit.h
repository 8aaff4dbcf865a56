// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// The model's parameters from measured times of single messages.
#pragma once

#include <istream>
#include <vector>

#include "base/result.h"

namespace goss::scaling {

struct Sample {
  double bytes;
  double time_us;
};

struct Line {
  double latency_us;
  double bytes_per_us;
};

// time = latency + bytes / bandwidth with the least sum of squared relative errors. Refuses fewer
// than two sizes, times that are not positive, and times that do not grow with the bytes.
Result<Line> fit_line(const std::vector<Sample>& samples);

// Lines "bytes,time_us" (or separated by spaces); lines that begin with # or a letter are skipped.
Result<std::vector<Sample>> read_samples(std::istream& in);

}  // namespace goss::scaling
