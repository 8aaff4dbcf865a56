// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Communicators that one thread makes together.
#include <poll.h>
#include <sched.h>
#include <time.h>

#include <algorithm>
#include <exception>

#include "engine/group.h"

namespace goss::engine {

namespace {

// Why `pending` cannot go on, if it cannot.
Status hindrance(const PendingMaking& pending) {
  if (pending.handle->aborting.load(std::memory_order_acquire)) {
    return fail(gossInvalidUsage, "the communicator was aborted while it was made");
  }
  return pending.parent ? still_there(pending.parent->get()) : Status();
}

// Lack of memory, descriptors or threads ends the making and not only the call.
Result<bool> advance(Making* making) {
  try {
    return making->advance();
  } catch (const std::exception& e) {
    return fail(gossSystemError, "%s", e.what());
  }
}

void conclude(PendingMaking* pending, const Status& status) {
  pending->done = true;
  if (!status.ok()) {
    pending->making.reset();
    pending->handle->set_failure(status);
    return;
  }
  pending->handle->adopt(pending->making->take());
  if (pending->handle->comm != nullptr) return;
  hand_out(pending->out, nullptr);  // split off without a colour
  discard(pending->handle.get());
}

}  // namespace

Status drive_makings(std::vector<PendingMaking>* makings) {
  // An abort of what is made, or split, waits until it is not used here any more.
  std::vector<std::unique_ptr<Inside>> insides;
  std::vector<gossComm*> entered;
  const auto enter = [&](gossComm* handle) -> Status {
    if (std::find(entered.begin(), entered.end(), handle) != entered.end()) return {};
    insides.push_back(std::make_unique<Inside>(handle));
    if (!insides.back()->entered()) return insides.back()->refusal();
    entered.push_back(handle);
    return {};
  };
  Status first;
  const auto end = [&](PendingMaking* pending, const Status& status) {
    conclude(pending, status);
    if (first.ok()) first = status;
  };
  for (PendingMaking& pending : *makings) {
    Status status = hindrance(pending);
    if (status.ok()) status = enter(pending.handle.get());
    if (status.ok() && pending.parent) status = enter(pending.parent->get());
    if (!status.ok()) end(&pending, status);
  }

  for (int idle = 0;; ++idle) {
    std::vector<pollfd> fds;
    std::vector<gossComm*> busy_parents;
    size_t left = 0;
    for (PendingMaking& pending : *makings) {
      if (pending.done) continue;
      if (pending.parent) {
        gossComm* parent = pending.parent->get();
        const bool busy =
            std::find(busy_parents.begin(), busy_parents.end(), parent) != busy_parents.end();
        busy_parents.push_back(parent);
        if (busy) {
          ++left;
          continue;
        }
      }
      Status status = hindrance(pending);
      if (status.ok()) {
        Result<bool> made = advance(pending.making.get());
        if (made.ok() && !made.value()) {
          pending.making->pollfds(&fds);
          ++left;
          continue;
        }
        status = made.status();
      }
      end(&pending, status);
      idle = 0;
    }
    if (left == 0) return first;
    if (!fds.empty()) {
      ::poll(fds.data(), static_cast<nfds_t>(fds.size()), idle < 4 ? 0 : 1);
    } else if (idle < 400) {
      ::sched_yield();
    } else {
      const timespec nap{0, 100'000};
      ::nanosleep(&nap, nullptr);
    }
  }
}

}  // namespace goss::engine
