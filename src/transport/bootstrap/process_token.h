// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// What tells processes apart wherever they run: random, since pids repeat in containers and on
// other hosts. Any thread.
#pragma once

#include <array>
#include <cstdint>

#include "base/result.h"

namespace goss::bootstrap {

using ProcessToken = std::array<uint8_t, 16>;
// The same for all objects of one process, different in every other one, forked children included.
// gossSystemError when the system has no random bytes.
Result<ProcessToken> process_token();

}  // namespace goss::bootstrap
