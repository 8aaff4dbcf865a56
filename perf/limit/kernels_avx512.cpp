// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// The loops of limit for CPUs with AVX-512; compiled with -mavx512f.
#include "limit/kernels_impl.h"

namespace goss::limit {

const Kernels kAvx512Kernels = {"avx512", copy, sum, sum_to_two};

}  // namespace goss::limit
