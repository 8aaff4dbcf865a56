// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Partition: `count` elements cut into `parts` of nearly equal length on multiples of `unit`.
// Pure arithmetic; parts at the end may be shorter or empty.
#pragma once

#include <algorithm>
#include <cstddef>

namespace goss::collectives {

class Partition {
 public:
  Partition(size_t count, int parts, size_t unit)
      : count_(count),
        length_(
            (((count + static_cast<size_t>(parts) - 1) / static_cast<size_t>(parts)) + unit - 1) /
            unit * unit) {}

  size_t begin(int part) const { return std::min(count_, static_cast<size_t>(part) * length_); }
  size_t size(int part) const { return begin(part + 1) - begin(part); }

 private:
  size_t count_;
  size_t length_;  // of all parts but the last non-empty one, a multiple of unit
};

}  // namespace goss::collectives
