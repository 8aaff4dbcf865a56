// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "engine/faults.h"

#include <cstring>

namespace goss::engine {

Status Faults::status() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (!first_.ok()) return first_;
  }
  // Pairs with the release in settle(): code and text are complete.
  const uint32_t first = segment_->header().fault.load(std::memory_order_acquire);
  if (first == 0) return {};
  if (first > static_cast<uint32_t>(segment_->nranks())) {
    fail_here(fail(gossInternalError, "the shared memory of the communicator is damaged"));
    const std::lock_guard<std::mutex> lock(mutex_);
    return first_;
  }
  const shm::RankArea& area = segment_->area(static_cast<int>(first) - 1);
  char text[sizeof(area.fault_text)];
  std::memcpy(text, area.fault_text, sizeof(text));
  text[sizeof(text) - 1] = '\0';
  const int code = area.fault_code;
  const bool valid = code > gossSuccess && code < gossNumResults;
  fail_here(Status(valid ? static_cast<Code>(code) : gossRemoteError, text));
  const std::lock_guard<std::mutex> lock(mutex_);
  return first_;
}

void Faults::raise(const Status& failure) {
  if (agree_ && !any()) agree_(failure, true);
  settle(failure);  // if nobody else could be asked
}

void Faults::raise_soon(const Status& failure) {
  if (!agree_) return settle(failure);
  if (!any()) agree_(failure, false);
}

void Faults::settle(const Status& failure) {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (!noted_) {
      noted_ = true;
      shm::RankArea& area = segment_->area(area_);
      area.fault_code = failure.code();
      std::strncpy(area.fault_text, failure.message().c_str(), sizeof(area.fault_text) - 1);
      uint32_t nobody = 0;
      // Pairs with status(). Fails if somebody was first.
      segment_->header().fault.compare_exchange_strong(nobody, static_cast<uint32_t>(area_) + 1,
                                                       std::memory_order_release,
                                                       std::memory_order_relaxed);
    }
  }
  static_cast<void>(status());  // adopts it
}

void Faults::fail_here(const Status& failure) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (first_.ok()) first_ = failure;
  failed_.store(true, std::memory_order_release);  // pairs with any()
}

}  // namespace goss::engine
