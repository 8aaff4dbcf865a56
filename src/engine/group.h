// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Groups: calls between gossGroupStart and gossGroupEnd are collected per thread and driven
// together by that thread, so that it can be several ranks at once. Neighbouring operations of one
// communicator that move in the same way are aggregated into one.
#pragma once

#include <optional>

#include "engine/handle.h"

namespace goss::engine {

bool in_group();
void group_start();
// Runs everything; the first failure of a call inside the group means that nothing was started.
Status group_end();
// A call inside the group failed.
void group_failed(const Status& status);

void group_add(gossComm* handle, const Operation& operation, gossStream* stream);
// A communicator to be made before the group's operations run; `parent`: by a split, else null.
void group_add_making(gossComm* handle, std::unique_ptr<Making> making, gossComm* parent,
                      gossComm** out);

struct PendingMaking {
  HandlePin handle;
  std::unique_ptr<Making> making;
  std::optional<HandlePin> parent;  // to be entered
  gossComm** out;  // the caller's variable: set to NULL where a split gives no communicator
  bool done = false;
};
// Drive several makings on this thread until all are done; each handle gets its result. Splits of
// one parent run one after the other.
Status drive_makings(std::vector<PendingMaking>* makings);

}  // namespace goss::engine
