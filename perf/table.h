// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// The text on standard output, in the formats of nccl-tests 2.19, so that scripts which read its
// tables read ours. Used by the one thread that has rank 0.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "options.h"
#include "overlap.h"
#include "rank_info.h"
#include "timing.h"
#include "verify.h"

namespace goss::perf {

// One half of a row: out of place, or in place.
struct Half {
  bool measured = false;  // false: the collective has no such half
  Timing timing;
  double time_us = 0;  // what the column shows: timing.seconds, or call_seconds with -C
  double alg_bw = 0;   // GB/s
  double bus_bw = 0;
  std::optional<int64_t> wrong;  // nothing: not checked
  Compression compression;       // of the checked operation
};

struct Row {
  Work work;          // of the out-of-place half
  std::string codec;  // one of Options::codecs
  Half halves[2];
  std::optional<Overlap> overlap;
};

struct Footer {
  int failed_checks = 0;
  double average_bus_bw = 0;
  std::optional<double> minimum_bus_bw;  // NCCL_TESTS_MIN_BW
  std::string memory;                    // -M; "" to leave it out
  bool bandwidth_good() const { return !minimum_bus_bw || average_bus_bw >= 0.9 * *minimum_bus_bw; }
};

// "%Y-%m-%d %H:%M:%S" of now.
std::string time_of_day();
// A value of at most 7 places with as many decimals as fit, at most two.
std::string fit(double value, int width);

void print_header(const Options& options, const char* program);
void print_devices(const std::vector<RankInfo>& ranks);
void print_column_heads(const Options& options);
void print_codec(const std::string& codec);
// A row appears piece by piece, so that one sees what is being measured.
void print_row_start(const Work& work);
void print_half(const Options& options, const Half& half);
void print_row_end(const Options& options, const Row& row);
// After the table: the rows of --overlap.
void print_overlaps(const std::vector<Row>& rows);
// After the table: what compression saved and cost, where there was any.
void print_compression(const std::vector<Row>& rows);
void print_footer(const Footer& footer, const char* program);

}  // namespace goss::perf
