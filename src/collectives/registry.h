// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// The algorithms as data: name, function, and the contract row that docs, explain and tests read.
#pragma once

#include <cstddef>
#include <span>

#include "collectives/schedule.h"

namespace goss::collectives {

enum class Kind : unsigned char { kAllReduce, kBroadcast, kBarrier };
constexpr int kNumKinds = 3;
const char* kind_name(Kind kind);

enum class Algorithm : unsigned char {
  kAllReduceOneShot,
  kAllReduceTwoShot,
  kBroadcastFlat,
  kBarrierFlat,
};

struct Row {
  Algorithm algorithm;
  Kind kind;
  const char* name;
  Schedule (*make)(const Shape&);
  const char* steps;  // dependent exchanges
  const char* bytes;  // read from others per rank, S = bytes of the buffer
  const char* exact;
  const char* ranks;  // limits on n
  const char* source;
  // The same as `bytes`: parts read from others by a non-root rank, of `parts` parts.
  int (*parts_read)(const Shape&);
};

std::span<const Row> registry();
const Row& row(Algorithm algorithm);

}  // namespace goss::collectives
