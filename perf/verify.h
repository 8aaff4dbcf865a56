// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Untimed operations whose results are known (types_data.h), and the count of elements that are
// wrong. Also wrong: inputs that were changed, and bytes written behind the result.
#pragma once

#include <cstdint>

#include "timing.h"

namespace goss::perf {

// What compression did to the first checked operation.
struct Compression {
  gossErrorReport_t report{};  // of the first rank of this process; codec "": not compressed
  double largest_error = 0;    // of the process's ranks, as is the rest
  double noise = 0;
  double squares = 0;

  double nmse() const { return squares > 0 ? noise / squares : 0; }
};

// Runs options.check operations; stops after the first with errors. Returns #wrong summed over all
// ranks; a rank with errors says on standard error where the first one is. Elements of compressed
// operations are wrong beyond the bound that the call reports. Collective.
int64_t count_wrong(Runner& runner, const Work& work, Compression* found);

}  // namespace goss::perf
