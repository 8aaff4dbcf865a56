// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// The loops of limit for any CPU of the architecture.
#include "limit/kernels_impl.h"

namespace goss::limit {

const Kernels kBaselineKernels = {"baseline", copy, sum, sum_to_two};

}  // namespace goss::limit
