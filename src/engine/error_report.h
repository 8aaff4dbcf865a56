// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// ErrorReporter: what a call tells about the error of its compression and, on request, the same
// operation uncompressed beside it, with which its result is compared. One per execution.
#pragma once

#include <vector>

#include "engine/communicator.h"
#include "engine/compressed_execution.h"

namespace goss::engine {

class ErrorReporter {
 public:
  // Before the operation starts: its input is kept where errors are to be measured.
  void begin(Communicator& comm, const Operation& operation, bool compressed);
  // After the compressed operation.
  void add(Communicator& comm, const CompressedOutcome& outcome, const Operation& operation,
           const CodecChoice& how);
  // To be run next, uncompressed; null: nothing is to be measured.
  const Operation* exact() const { return measures_ ? &exact_ : nullptr; }
  // When that is complete.
  void measure(const Communicator& comm);
  // The report goes to the caller, if he asked for it.
  void finish();
  void give_up() { wanted_ = measures_ = false; }
  // Whether an operation that has begun has a report to make.
  bool active() const { return wanted_; }

 private:
  bool wanted_ = false;
  bool measures_ = false;
  gossErrorReport_t report_{};
  Operation operation_;
  Operation exact_;
  std::vector<std::byte> input_;  // a copy
  std::vector<std::byte> output_;
};

// Of the result on `rank`.
size_t result_elements(const Operation& operation, int rank, int nranks);
// Of what was not compressed.
gossErrorReport_t plain_report(size_t elements);
// Without expectedNmse, which needs the result in host memory, and what is measured.
gossErrorReport_t report_of(const CompressedOutcome& outcome, const CodecChoice& how);
double expected_nmse(const CompressedOutcome& outcome, const void* result, DataType type);
// Into the caller's struct, as long as that is.
void copy_report(const gossErrorReport_t& from, gossErrorReport_t* to);

}  // namespace goss::engine
