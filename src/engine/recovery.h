// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// The calls of gossamer/recovery.h below the C boundary. Functions that take a handle expect one
// that has been checked with check_ready(), unless it is said.
#pragma once

#include <optional>
#include <vector>

#include "engine/handle.h"

namespace goss::engine {

// `stop`: calls that are under way fail first.
Status shrink(gossComm* parent, std::vector<int> excluded, bool stop, const Settings& settings,
              gossComm** out);
// `id`: on the one rank of the parent that has it.
Status grow(gossComm* parent, int nranks, const std::optional<gossUniqueId>& id,
            const Settings& settings, gossComm** out);
// From any thread; checks the handle.
Status revoke(gossComm* handle);
// Ranks that have died or left.
std::vector<int> lost_ranks(gossComm* handle);
// These two check the handle.
Status suspend(gossComm* handle);
Status resume(gossComm* handle);
Result<uint64_t> memory_statistic(gossComm* handle, gossCommMemStat_t stat);

}  // namespace goss::engine
