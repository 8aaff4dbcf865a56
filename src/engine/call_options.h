// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// CallOptions: what a call gives beyond its arguments (gossCollConfig_t). Copied with the call,
// because groups and streams run it later.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "engine/compression.h"
#include "engine/feedback.h"
#include "gossamer/compression.h"

namespace goss::engine {

struct CallOptions {
  std::optional<CodecWish> wish;        // nothing: the rules of the communicator
  uint64_t seed = 0;                    // of stochastic rounding
  std::optional<uint64_t> step;         // likewise; nothing: the number of the operation
  FeedbackPtr feedback;                 // null: none
  gossErrorReport_t* report = nullptr;  // the caller's, until the operation is complete
  bool measure = false;                 // with `report`: also the errors that there really are
};

using OptionsPtr = std::shared_ptr<const CallOptions>;  // shared: calls of a group, and their work

}  // namespace goss::engine
