// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// LocalJob: a root and all ranks of a start-up, polled in turn by the test's one thread over
// loopback. Used by the tests of this folder. All limits of time are longer under a sanitizer.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "support/processes.h"
#include "support/scoped_env.h"
#include "transport/bootstrap/bootstrap.h"
#include "transport/bootstrap/socket.h"

namespace goss::bootstrap {

inline Address address_of(const UniqueId& id) {
  Address address;
  address.storage = id.address;
  address.bytes = id.address_bytes;
  return address;
}

struct LocalJob {
  test::ScopedEnv interface { "GOSS_IFNAME", "lo" };
  UniqueId id;
  std::unique_ptr<Root> root;
  std::vector<Options> options;
  std::vector<std::unique_ptr<Bootstrap>> ranks;
  std::vector<Status> failures;  // by rank, success while none
  std::vector<char> done;        // of the current step

  explicit LocalJob(int nranks, std::chrono::milliseconds timeout = std::chrono::seconds(20)) {
    Result<std::unique_ptr<Root>> made = Root::create(&id);
    EXPECT_TRUE(made.ok()) << made.status().message();
    root = made.take();
    for (int rank = 0; rank < nranks; ++rank) {
      Options one;
      one.id = id;
      one.rank = rank;
      one.nranks = nranks;
      one.hello = "v1";
      one.hello_text = "version 1";
      one.timeout = timeout * support::sanitizer_factor();
      options.push_back(one);
    }
    ranks.resize(options.size());
    failures.resize(options.size());
    done.assign(options.size(), 0);
  }

  size_t size() const { return options.size(); }

  void create(size_t rank) {
    Result<std::unique_ptr<Bootstrap>> made = Bootstrap::create(options[rank]);
    ASSERT_TRUE(made.ok()) << made.status().message();
    ranks[rank] = made.take();
  }
  void create_all() {
    for (size_t rank = 0; rank < size(); ++rank) create(rank);
  }

  // Waits until a socket is ready or a few milliseconds have passed.
  void wait() const {
    std::vector<pollfd> fds;
    if (root != nullptr) root->pollfds(&fds);
    for (const auto& rank : ranks) {
      if (rank != nullptr) rank->pollfds(&fds);
    }
    ::poll(fds.data(), fds.size(), 2);
  }

  void connect_once() {
    if (root != nullptr) root->poll();
    for (size_t rank = 0; rank < size(); ++rank) {
      if (ranks[rank] == nullptr || done[rank]) continue;
      const Result<bool> connected = ranks[rank]->connect();
      if (!connected.ok()) failures[rank] = connected.status();
      if (!connected.ok() || connected.value()) done[rank] = 1;
    }
  }

  bool all_done() const {
    for (size_t rank = 0; rank < size(); ++rank) {
      if (ranks[rank] != nullptr && !done[rank]) return false;
    }
    return true;
  }

  static bool until(const std::function<bool()>& ready, std::chrono::milliseconds limit) {
    const auto end = Clock::now() + limit * support::sanitizer_factor();
    while (!ready()) {
      if (Clock::now() > end) return false;
    }
    return true;
  }

  // True when every rank is connected or has failed.
  bool connect(std::chrono::milliseconds limit = std::chrono::seconds(20)) {
    done.assign(size(), 0);
    return until(
        [this] {
          connect_once();
          if (all_done()) return true;
          wait();
          return false;
        },
        limit);
  }

  // All-gathers mine[rank]; true when every rank has finished or failed.
  bool allgather(const std::vector<std::string>& mine, std::vector<std::vector<std::string>>* all,
                 std::chrono::milliseconds limit = std::chrono::seconds(20)) {
    done.assign(size(), 0);
    all->resize(size());
    return until(
        [&] {
          if (root != nullptr) root->poll();
          for (size_t rank = 0; rank < size(); ++rank) {
            if (ranks[rank] == nullptr || done[rank]) continue;
            const Result<bool> gathered = ranks[rank]->allgather(mine[rank], &(*all)[rank]);
            if (!gathered.ok()) failures[rank] = gathered.status();
            if (!gathered.ok() || gathered.value()) done[rank] = 1;
          }
          if (all_done()) return true;
          wait();
          return false;
        },
        limit);
  }

  void expect_all_well() const {
    for (const Status& failure : failures) EXPECT_TRUE(failure.ok()) << failure.message();
  }

  // Every rank with an object has failed with `code` and a message that holds all of `parts`.
  void expect_failures(Code code, const std::vector<std::string>& parts) const {
    for (size_t rank = 0; rank < size(); ++rank) {
      if (ranks[rank] == nullptr) continue;
      EXPECT_EQ(failures[rank].code(), code) << rank << ": " << failures[rank].message();
      for (const std::string& part : parts) {
        EXPECT_NE(failures[rank].message().find(part), std::string::npos)
            << "rank " << rank << " does not say \"" << part << "\": " << failures[rank].message();
      }
    }
  }
};

}  // namespace goss::bootstrap
