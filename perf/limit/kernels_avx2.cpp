// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// The loops of limit for CPUs with AVX2; compiled with -mavx2.
#include "limit/kernels_impl.h"

namespace goss::limit {

const Kernels kAvx2Kernels = {"avx2", copy, sum, sum_to_two};

}  // namespace goss::limit
