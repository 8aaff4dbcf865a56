// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// What a group has collected (group.h), and how it is run: communicator by communicator, driven in
// turn by the thread that ends it.
#pragma once

#include <vector>

#include "engine/call_options.h"
#include "engine/group.h"
#include "engine/handle.h"

namespace goss::engine {

// A call, or several in a row that move together.
struct Item {
  gossComm* handle;  // pinned by the group
  Operation operation;
  gossStream* stream;
  uint64_t movement;
  bool small;           // every call in it is worth moving together with others
  bool last;            // of its communicator
  size_t first_extent;  // among the group's; its extents end where those of the next item begin
  std::vector<size_t> blocks;  // what the operation's counts and places of blocks refer to
  OptionsPtr options;          // likewise
};

// A message, as called.
struct PendingTransfer {
  gossComm* handle;  // pinned by the group
  gossStream* stream;
  Transfer transfer;
};

// The calls of a group, in their order.
struct GroupContent {
  std::vector<Item> items;
  std::vector<Extent> extents;
  std::vector<PendingTransfer> transfers;
  std::vector<HandlePin> pins;  // of the communicators of items and transfers
  std::vector<PendingMaking> makings;

  // Keeps the memory.
  void clear() {
    items.clear();
    extents.clear();
    transfers.clear();
    pins.clear();
    makings.clear();
  }
};

inline uint64_t movement_of(const Operation& operation) {
  return movement(operation.kind, operation.type, operation.op, operation.root);
}

// Runs all of it; a failure before anything has begun means that nothing has been run.
Status run_group(GroupContent* content);
// Communicators that were to be finalized go on: nothing has been run.
void reopen(const std::vector<Item>& items);

}  // namespace goss::engine
