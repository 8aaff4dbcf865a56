// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Ranks as threads of the test, through the public API only.
//   run_ranks(n, fn)  n threads, each with its communicator, made by a unique id
//   make_comms(n)     n communicators for one thread, made by gossCommInitAll
// MUST(call) throws when a call does not succeed; in a rank's thread the exception ends that rank,
// aborts its communicator so that the others do not wait for it, and is reported by the main
// thread.
#pragma once

#include <gossamer/gossamer.h>
#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace goss::test {

inline void must(gossResult_t code, gossResult_t wanted, const char* call, const char* file,
                 int line) {
  if (code == wanted) return;
  throw std::runtime_error(std::string(file) + ":" + std::to_string(line) + ": " + call + " gave " +
                           gossGetErrorString(code) + " instead of " + gossGetErrorString(wanted) +
                           ": " + gossGetLastError(nullptr));
}
#define MUST(call) ::goss::test::must((call), gossSuccess, #call, __FILE__, __LINE__)
#define MUST_BE(wanted, call) ::goss::test::must((call), (wanted), #call, __FILE__, __LINE__)

// Without a return value: for conditions inside rank threads.
inline void require(bool holds, const std::string& what) {
  if (!holds) throw std::runtime_error(what);
}

// What the last call of this thread failed with.
inline std::string last_error() { return gossGetLastError(nullptr); }

inline gossResult_t state_of(gossComm_t comm) {
  gossResult_t state = gossInternalError;
  MUST(gossCommGetAsyncError(comm, &state));
  return state;
}

// The state once a rank has failed: the news of it take a moment from host to host.
inline gossResult_t failed_state_of(gossComm_t comm) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(5);
  while (state_of(comm) == gossSuccess && std::chrono::steady_clock::now() < end) {
    std::this_thread::sleep_for(std::chrono::microseconds(100));
  }
  return state_of(comm);
}

inline gossConfig_t default_config() {
  gossConfig_t config = GOSS_CONFIG_INITIALIZER;
  return config;
}

// Communicators of one thread; destroys what is left in it.
class Comms {
 public:
  explicit Comms(int n) : comms_(static_cast<size_t>(n), nullptr) {}
  Comms(const Comms&) = delete;
  Comms& operator=(const Comms&) = delete;
  Comms(Comms&&) = default;
  ~Comms() {
    for (gossComm_t comm : comms_) EXPECT_EQ(gossCommDestroy(comm), gossSuccess) << last_error();
  }
  int size() const { return static_cast<int>(comms_.size()); }
  gossComm_t* data() { return comms_.data(); }
  gossComm_t& operator[](int rank) { return comms_[static_cast<size_t>(rank)]; }

 private:
  std::vector<gossComm_t> comms_;
};

inline Comms make_comms(int n) {
  Comms comms(n);
  MUST(gossCommInitAll(comms.data(), n, nullptr));
  return comms;
}

// The same with a config for every rank.
inline Comms make_comms(int n, gossConfig_t config) {
  Comms comms(n);
  gossUniqueId id;
  MUST(gossGetUniqueId(&id));
  MUST(gossGroupStart());
  for (int r = 0; r < n; ++r) {
    const gossResult_t code = gossCommInitRankConfig(&comms[r], n, id, r, &config);
    if (code != gossInProgress) MUST(code);
  }
  const gossResult_t code = gossGroupEnd();
  if (code != gossInProgress) MUST(code);
  return comms;
}

struct Rank {
  int rank;
  int nranks;
  gossComm_t comm;  // set to NULL by a test that has destroyed it
};

// Runs fn(rank) on n threads and adds a failure for every rank that threw.
inline void run_ranks(int n, const std::function<void(Rank&)>& fn,
                      gossConfig_t config = default_config()) {
  gossUniqueId id;
  ASSERT_EQ(gossGetUniqueId(&id), gossSuccess) << last_error();
  std::mutex mutex;
  std::vector<std::string> failures;
  const auto run = [&](int r) {
    Rank rank{r, n, nullptr};
    try {
      gossConfig_t copy = config;
      MUST(gossCommInitRankConfig(&rank.comm, n, id, r, &copy));
      fn(rank);
      MUST(gossCommDestroy(rank.comm));
    } catch (const std::exception& error) {
      {
        const std::lock_guard<std::mutex> lock(mutex);
        failures.push_back("rank " + std::to_string(r) + ": " + error.what());
      }
      gossCommAbort(rank.comm);
    }
  };
  std::vector<std::thread> threads;
  for (int r = 0; r < n; ++r) threads.emplace_back(run, r);
  for (std::thread& thread : threads) thread.join();
  for (const std::string& failure : failures) ADD_FAILURE() << failure;
}

}  // namespace goss::test
