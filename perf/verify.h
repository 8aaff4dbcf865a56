// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Untimed operations whose results are known (types_data.h), and the count of elements that are
// wrong. Also wrong: inputs that were changed, and bytes written behind the result.
#pragma once

#include <cstdint>

#include "timing.h"

namespace goss::perf {

// Runs options.check operations; stops after the first with errors. Returns #wrong summed over all
// ranks; a rank with errors says on standard error where the first one is. Elements of compressed
// operations are wrong beyond the bound that the call reports; *error: the largest error of floats
// on this process's ranks. Collective.
int64_t count_wrong(Runner& runner, const Work& work, double* error);

}  // namespace goss::perf
