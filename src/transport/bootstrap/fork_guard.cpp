// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "transport/bootstrap/fork_guard.h"

#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

#include <algorithm>
#include <mutex>
#include <vector>

namespace goss::bootstrap {

namespace {

struct Registry {
  std::mutex mutex;
  std::vector<int> fds;
};

// Never destroyed: sockets may be closed and processes forked while the program exits.
Registry& registry() {
  static Registry* const instance = new Registry;
  return *instance;
}

void before_fork() { registry().mutex.lock(); }
void in_parent() { registry().mutex.unlock(); }

// Only what is allowed between fork and exec of a threaded program: no allocation.
void in_child() {
  const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  for (const int fd : registry().fds) {
    if (null >= 0) {
      ::dup3(null, fd, O_CLOEXEC);
    } else {
      ::close(fd);
    }
  }
  if (null >= 0) ::close(null);
  registry().fds.clear();
  registry().mutex.unlock();
}

}  // namespace

ForkGuard::ForkGuard() {
  static std::once_flag once;
  std::call_once(once, [] { ::pthread_atfork(before_fork, in_parent, in_child); });
  registry().mutex.lock();
}

ForkGuard::~ForkGuard() { registry().mutex.unlock(); }

void ForkGuard::add(int fd) { registry().fds.push_back(fd); }

void ForkGuard::remove(int fd) {
  auto& fds = registry().fds;
  const auto found = std::find(fds.begin(), fds.end(), fd);
  if (found == fds.end()) return;
  *found = fds.back();
  fds.pop_back();
}

}  // namespace goss::bootstrap
