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
// For want of memory or threads: no communicator of the group can go on, because the other ranks
// run what this one does not. Nothing outside of a group.
void group_lost();

// Equal for operations that move in the same way.
constexpr uint64_t movement(collectives::Kind kind, DataType type, RedOp op, int root) {
  if (static_cast<unsigned>(type) > 255 || static_cast<unsigned>(op) > 255) return UINT64_MAX;
  return static_cast<uint64_t>(kind) | static_cast<uint64_t>(type) << 8 |
         static_cast<uint64_t>(op) << 16 | static_cast<uint64_t>(static_cast<uint32_t>(root)) << 32;
}

// Calls of the open group that are like one another and follow one another: counted here, in few
// instructions, and written to the group when another call comes.
struct GroupRun {
  gossComm* handle;
  gossStream* stream;
  uint64_t movement;
  size_t element;  // bytes
  size_t most;     // elements of a call that is worth aggregating
  size_t count;
  uint32_t calls;
  CallCounts counts;
  const std::byte* input_end;  // of the last call
  std::byte* output_end;
  std::vector<Extent>* extents;
};
// Of this thread, while a group is open whose last call can be followed by others like it. Plain to
// load: no construction on first use, no look-up function (initial-exec).
[[gnu::tls_model("initial-exec")]] extern thread_local constinit GroupRun* open_run;

// For a vector that is full; false when there is no memory.
bool group_append(std::vector<Extent>* extents, const Extent& extent) noexcept;

// In a group, one more call like the one before: true when it needs no other check than that, and
// was added.
inline bool group_extend(gossComm* handle, uint64_t how, const void* input, void* output,
                         size_t count, gossStream* stream) noexcept {
  GroupRun* run = open_run;
  if (run == nullptr || run->handle != handle || run->movement != how || run->stream != stream ||
      count - 1 >= run->most || input == nullptr || output == nullptr) {
    return false;
  }
  const auto* from = static_cast<const std::byte*>(input);
  auto* to = static_cast<std::byte*>(output);
  if (from == run->input_end && to == run->output_end) {
    run->extents->back().count += count;
  } else if (run->extents->size() == run->extents->capacity()) [[unlikely]] {
    if (!group_append(run->extents, {from, to, count})) return false;
  } else {
    run->extents->push_back({from, to, count});
  }
  run->input_end = from + count * run->element;
  run->output_end = to + count * run->element;
  run->count += count;
  run->counts.add(count);
  ++run->calls;
  return true;
}
// A call that has been checked. `last`: of its communicator, which is finalized if the group runs.
void group_add(gossComm* handle, const Operation& operation, gossStream* stream, bool last);
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
