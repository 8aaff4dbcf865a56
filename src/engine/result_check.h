// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// ResultCheck (GOSS_VERIFY): after a collective whose result is the same on all ranks these compare
// what they have, by a hash. One per execution.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "engine/communicator.h"
#include "engine/operation.h"

namespace goss::engine {

class ResultCheck {
 public:
  // After `operation`: what is to be run next, an exchange of hashes; null: nothing, as the results
  // of the ranks differ by right, or the host cannot read them.
  const Operation* begin(Communicator& comm, const Operation& operation);
  // When that is complete: gossInternalError names the operation and the ranks that differ from the
  // first. All ranks say the same.
  Status compare(const Communicator& comm) const;

 private:
  std::string what_;  // that was done
  uint64_t hash_ = 0;
  std::vector<uint64_t> hashes_;  // of all ranks
  Operation exchange_;
};

}  // namespace goss::engine
