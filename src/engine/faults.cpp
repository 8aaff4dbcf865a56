// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "engine/faults.h"

#include <cstring>

namespace goss::engine {

namespace {
enum : uint32_t { kNone = 0, kWriting = 1, kReadable = 2 };
}

Status Faults::status() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (!first_.ok()) return first_;
  }
  shm::Header& header = segment_->header();
  // Pairs with the release in raise(): code and text are complete.
  if (header.fault.load(std::memory_order_acquire) != kReadable) return {};
  char text[sizeof(header.fault_text)];
  std::memcpy(text, header.fault_text, sizeof(text));
  text[sizeof(text) - 1] = '\0';
  const int code = header.fault_code;
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
  shm::Header& header = segment_->header();
  uint32_t expected = kNone;
  // Whoever changes 0 to 1 owns the text until it stores 2.
  if (header.fault.compare_exchange_strong(expected, kWriting, std::memory_order_acq_rel)) {
    header.fault_code = failure.code();
    std::strncpy(header.fault_text, failure.message().c_str(), sizeof(header.fault_text) - 1);
    header.fault.store(kReadable, std::memory_order_release);  // pairs with status()
    fail_here(failure);
    return;
  }
  // Somebody was first, and may have died while writing: then our own cause has to do.
  for (int i = 0; i < 1'000'000; ++i) {
    if (header.fault.load(std::memory_order_acquire) == kReadable) break;  // pairs as above
  }
  if (status().ok()) fail_here(failure);
}

void Faults::fail_here(const Status& failure) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (first_.ok()) first_ = failure;
  failed_.store(true, std::memory_order_release);  // pairs with any()
}

}  // namespace goss::engine
