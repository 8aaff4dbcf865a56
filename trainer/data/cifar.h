// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// The binary version of CIFAR-10 and CIFAR-100, plain or gzip. A record is its label (CIFAR-100:
// coarse, then fine label; the fine one is used) and 3 x 32 x 32 bytes: red, green, blue.
#pragma once

#include <string>
#include <vector>

#include "data/dataset.h"

namespace goss::train {

// The records of all files, in order. classes: 10 or 100. The files have no header, so a size that
// is no multiple of a record and a label that cannot be are all that shows a wrong file.
Dataset read_cifar(const std::vector<std::string>& paths, uint32_t classes);

}  // namespace goss::train
