// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// The networks by name. Including this includes libtorch, which takes ten seconds to compile: only
// torch_model.cpp and networks.cpp do.
#pragma once

#include <torch/torch.h>

#include "model.h"

namespace goss::train {

// Images in (n x channels x height x width, values -1 to 1), scores of the classes out. The weights
// are a function of options.seed.
torch::nn::Sequential make_network(const NetworkOptions& options);

}  // namespace goss::train
