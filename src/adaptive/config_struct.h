// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// The head that all config structs of adaptive.h share: size, magic, version.
#pragma once

#include "base/status.h"

namespace goss::adaptive {

// Failure unless `given` was initialised with `initializer`, and, where it is longer than
// `known_bytes` because its header is newer, is 0 behind them.
template <class Config>
Status check_struct(const char* what, const char* initializer, const Config* given,
                    size_t known_bytes) {
  if (given->size < known_bytes || given->magic != GOSS_API_MAGIC) {
    return fail(gossInvalidArgument,
                "%s : size %zu and magic %08x, expected %zu and %08x: start from %s", what,
                given->size, given->magic, known_bytes, GOSS_API_MAGIC, initializer);
  }
  const auto* bytes = reinterpret_cast<const unsigned char*>(given);
  for (size_t i = known_bytes; i < given->size; ++i) {
    if (bytes[i] == 0) continue;
    return fail(gossInvalidArgument,
                "%s : byte %zu of %zu is set, this library (version %d) knows %zu: use the library "
                "that belongs to the header",
                what, i, given->size, GOSS_VERSION_CODE, known_bytes);
  }
  return {};
}

}  // namespace goss::adaptive
