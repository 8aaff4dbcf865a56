// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// GossipCall: one call of gossip as a value: the models to be mixed in a step. What is sent of it
// is its buffers one after the other.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/types.h"

namespace goss::engine {

struct GossipBuffer {
  const std::byte* input;
  std::byte* output;  // may equal input
  size_t count;       // elements
};

struct GossipCall {
  uint64_t step = 0;
  DataType type = gossFloat32;
  std::vector<GossipBuffer> buffers;

  size_t count() const {
    size_t count = 0;
    for (const GossipBuffer& buffer : buffers) count += buffer.count;
    return count;
  }
  size_t bytes() const { return count() * type_size(type); }
  // Runs fn(buffer, byte where it begins in a payload of full precision).
  template <class Fn>
  void for_each(Fn fn) const {
    size_t at = 0;
    for (const GossipBuffer& buffer : buffers) {
      fn(buffer, at);
      at += buffer.count * type_size(type);
    }
  }
};

}  // namespace goss::engine
