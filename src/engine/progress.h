// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Progress: what one step of an execution says.
#pragma once

namespace goss::engine {

enum class Progress { kDone, kBlocked, kFailed };

}  // namespace goss::engine
