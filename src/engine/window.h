// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// What stands behind gossWindow_t: memory of gossMemAlloc on every rank into which the others put,
// and the memory that a program has registered. One thread at a time, as the communicator.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "device/shared_memory.h"
#include "engine/operation.h"

struct gossComm;

namespace goss::engine {
class Communicator;
}

struct gossWindow {
  // Of this rank, which announces it. gossInvalidArgument for memory that is not of gossMemAlloc.
  static goss::Result<std::unique_ptr<gossWindow>> create(gossComm* handle, void* base,
                                                          size_t bytes);

  void* base() const { return base_; }
  // The all-gather by which the ranks learn about each other's memory; this object outlives it.
  goss::engine::Operation exchange();
  bool exchanged(int own_rank) const { return table_[kWords * static_cast<size_t>(own_rank)] != 0; }
  // Once that is complete.
  size_t bytes_of(int rank) const { return table_[kWords * static_cast<size_t>(rank) + 2]; }
  // Where the window of `rank` begins here; null while the memory is on its way.
  goss::Result<std::byte*> address(goss::engine::Communicator& comm, int rank);

  bool complete = false;
  uint64_t group = 0;  // in which it is registered; 0: in none
  uint64_t calls = 0;  // of the communicator up to its exchange, or a few more; 0: not known yet

 private:
  static constexpr size_t kWords = 3;  // of a rank: id of the allocation, offset in it, bytes
  void* base_ = nullptr;
  uint64_t own_[kWords] = {};
  std::vector<uint64_t> table_;
  std::vector<goss::device::SharedMemoryPtr> memory_;  // of the ranks, as far as used
};

namespace goss::engine {

// Collective. The window is of the handle, which frees it at the latest with the communicator.
Status window_register(gossComm* handle, void* base, size_t bytes, gossWindow** out);
Status window_deregister(gossComm* handle, gossWindow* window);
// gossInvalidArgument for what is no window of this communicator.
Status check_window(gossComm* handle, gossWindow* window);
// Whether puts may use it: its exchange is over.
Status check_complete(gossComm* handle, gossWindow* window);

Status memory_register(gossComm* handle, void* base, size_t bytes, void** out);
Status memory_deregister(gossComm* handle, void* registration);

}  // namespace goss::engine
