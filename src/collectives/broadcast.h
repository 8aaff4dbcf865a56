// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Broadcast: output of every rank = input of the root.
#pragma once

#include "collectives/schedule.h"

namespace goss::collectives {

// The root publishes once, everybody reads it: one step. Over mapped memory the bytes cross the
// root's caches once, whatever n is; over messages the root sends n-1 copies.
Schedule broadcast_flat(const Shape& shape);

}  // namespace goss::collectives
