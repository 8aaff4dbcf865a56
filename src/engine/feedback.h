// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Feedback: what the codec took away from a vector is kept and added to it the next time
// (gossFeedback_t). A rank encodes each element of its vector at most once in an operation: its
// contribution, or, of the part that it owns, the result; so one residual per element serves both.
// Used by one operation at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/result.h"
#include "quant/operations.h"

namespace goss::engine {

class Feedback {
 public:
  enum class Storage : uint8_t { kFloat32, kInt8 };
  // In kInt8 a stretch may only begin at multiples of it.
  static constexpr size_t kUnit = quant::kTile;

  Feedback(size_t count, Storage storage);

  size_t count() const { return count_; }
  Storage storage() const { return storage_; }
  void reset();

  // `values` (fp32) with their residuals are encoded; values become what everybody decodes. A
  // factor of the encoding applies to values and residuals, which are kept without it.
  // `place`: of the first of them in the vector.
  void encode(size_t place, std::span<float> values, quant::Encode how);

  // A versioned image of all residuals.
  size_t saved_bytes() const;
  void save(std::byte* to) const;
  // Nothing changes when it fails.
  Status restore(std::span<const std::byte> from);

 private:
  size_t stored_bytes() const;

  size_t count_;
  Storage storage_;
  std::vector<std::byte> residuals_;
  std::vector<float> work_;  // residuals of one stretch
};
using FeedbackPtr = std::shared_ptr<Feedback>;  // shared: its handle, and calls that are queued

}  // namespace goss::engine
