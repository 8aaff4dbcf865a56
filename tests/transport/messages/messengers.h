// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Messengers of several ranks in one process, connected, and driven by the test.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "support/processes.h"
#include "transport/messenger.h"
#include "transport/registry.h"

namespace goss::transport::test {

using support::milliseconds;

// Generous: a loaded machine, a sanitizer.
inline milliseconds patience() { return milliseconds(20'000 * support::sanitizer_factor()); }

class Messengers {
 public:
  explicit Messengers(int nranks) {
    std::vector<std::string> addresses;
    for (int rank = 0; rank < nranks; ++rank) {
      Result<MessengerPtr> opened = open_messenger({rank, nranks});
      if (!opened.ok()) {
        failure_ = opened.take_status();
        return;
      }
      all_.push_back(opened.take());
      addresses.push_back(all_.back()->address());
    }
    for (MessengerPtr& messenger : all_) {
      if (Status status = messenger->connect(addresses); !status.ok()) failure_ = status;
    }
  }

  const Status& failure() const { return failure_; }
  int size() const { return static_cast<int>(all_.size()); }
  Messenger& operator[](int rank) { return *all_[static_cast<size_t>(rank)]; }
  void destroy(int rank) { all_[static_cast<size_t>(rank)].reset(); }

  void progress() {
    for (MessengerPtr& messenger : all_) {
      if (messenger != nullptr) messenger->progress();
    }
  }
  // Make progress on all ranks until `condition` holds; whether it did.
  template <class Condition>
  bool until(Condition condition, milliseconds limit = patience()) {
    const int64_t deadline = support::now_ns() + limit.count() * 1'000'000;
    while (!condition()) {
      if (support::now_ns() > deadline) return false;
      progress();
    }
    return true;
  }
  void progress_for(milliseconds time) {
    until([] { return false; }, time);
  }
  bool ended(const MessageRequest& request, milliseconds limit = patience()) {
    return until([&] { return request.state != MessageRequest::State::kPosted; }, limit);
  }
  bool all_ended(const std::vector<MessageRequest>& requests) {
    for (const MessageRequest& request : requests) {
      if (!ended(request)) return false;
    }
    return true;
  }

 private:
  Status failure_;
  std::vector<MessengerPtr> all_;
};

inline bool done(const MessageRequest& request) {
  return request.state == MessageRequest::State::kDone;
}
inline bool failed(const MessageRequest& request) {
  return request.state == MessageRequest::State::kFailed;
}

// Bytes that tell their place and their message apart.
inline std::vector<std::byte> pattern(size_t bytes, uint64_t seed) {
  std::vector<std::byte> data(bytes);
  uint64_t state = seed * 0x9e3779b97f4a7c15 + 1;
  for (std::byte& byte : data) {
    state = state * 6364136223846793005 + 1442695040888963407;  // Knuth's MMIX
    byte = static_cast<std::byte>(state >> 56);
  }
  return data;
}

// In the body of a test: messengers, or the reason why there are none here.
#define GOSS_MESSENGERS(name, nranks)               \
  ::goss::transport::test::Messengers name(nranks); \
  if (!name.failure().ok()) GTEST_SKIP() << name.failure().message()

}  // namespace goss::transport::test
