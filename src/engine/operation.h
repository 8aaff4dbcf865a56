// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Operation: one collective call as a value, and its signature: what all ranks must agree on.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "base/types.h"
#include "collectives/registry.h"

namespace goss::engine {

// A stretch of the caller's buffers. Aggregated operations have several.
struct Extent {
  const std::byte* input;
  std::byte* output;
  size_t count;
};

struct Operation {
  collectives::Kind kind = collectives::Kind::kBarrier;
  DataType type = gossInt8;
  RedOp op = gossSum;
  int root = 0;
  size_t count = 0;  // elements, of all extents together
  Extent buffer{nullptr, nullptr, 0};
  const Extent* extents = nullptr;  // instead of `buffer` when aggregated; outlives the operation
  size_t nextents = 0;
  uint32_t calls = 1;  // how many calls of the user were aggregated

  size_t bytes() const { return count * type_size(type); }
};

// What a record of the flight recorder says about an operation; the ranks compare it.
struct Signature {
  uint64_t what = 0;  // kind, type, op, algorithm, root and whether grouped, packed
  uint64_t count = 0;

  static Signature of(const Operation& operation, int algorithm);
  uint32_t hash() const;
};

// "all_reduce(count 1024, float, sum, twoshot)".
std::string describe(const Signature& signature);

}  // namespace goss::engine
