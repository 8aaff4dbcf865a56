// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// How communicators are made of others that lose or get ranks, as state machines that never block:
//   shrink  the ranks that are left agree on shared memory; nothing is asked of the parent, which
//           may have failed
//   grow    the id of the newcomers is exchanged on the parent -> everybody joins a new job
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "engine/join.h"

namespace goss::engine {

// `excluded`: ranks of the parent, ascending, without its own. The parent must outlive the Making.
std::unique_ptr<Making> make_shrink(Communicator* parent, const std::vector<int>& excluded,
                                    const Settings& settings);
// `id`: on the one rank of the parent that has it. The parent must outlive the Making and run no
// other operation meanwhile.
std::unique_ptr<Making> make_grow(Communicator* parent, int nranks,
                                  const std::optional<gossUniqueId>& id, const Settings& settings);

}  // namespace goss::engine
