// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// From result codes to exceptions: the trainer ends at the first error, in main().
#pragma once

#include <gossamer/gossamer.h>

#include "data/dataset.h"

namespace goss::train {

inline void check(gossResult_t result, const char* call, gossComm_t comm = nullptr) {
  if (result == gossSuccess) return;
  throw Failure(std::string(call) + ": " + gossGetErrorString(result) + ": " +
                gossGetLastError(comm));
}

}  // namespace goss::train
