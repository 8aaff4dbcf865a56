// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Scaling: the first step of a pre-multiplied sum on this rank. The input is multiplied into the
// output where that has room for it, else into memory of this object, and the operation goes on as
// a plain sum of that. In pieces, so that whoever drives it can do other things in between.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "engine/communicator.h"
#include "engine/operation.h"

namespace goss::engine {

class Scaling {
 public:
  // The operation, of count > 0, reads the products once active() is false; then release() follows
  // when it is over.
  void start(Communicator& comm, Operation* operation);
  void advance(Communicator& comm);
  bool active() const { return done_ < count_; }
  // Changes with every piece, and differs from those of operations.
  uint64_t position() const { return ~static_cast<uint64_t>(done_); }
  void release();

 private:
  gossDataType_t type_ = gossInt8;
  const std::byte* input_ = nullptr;
  std::byte* products_ = nullptr;
  size_t count_ = 0;  // elements
  size_t done_ = 0;
  std::vector<std::byte> factor_;            // the scalar, many times
  std::unique_ptr<std::byte[]> own_memory_;  // of the products
};

}  // namespace goss::engine
