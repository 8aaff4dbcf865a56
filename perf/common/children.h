// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Ranks as forked processes, for programs that need no launcher: they end together. When one fails
// the others are killed, and all die with their parent, so that nobody spins for ever.
#pragma once

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <exception>
#include <vector>

namespace goss::perf {

// Calls body(rank), which returns an exit code, in `nranks` children; returns 0 if all returned 0.
template <class Body>
int run_children(int nranks, Body body) {
  std::fflush(stdout);
  const pid_t parent = getpid();
  std::vector<pid_t> children;
  for (int rank = 0; rank < nranks; ++rank) {
    const pid_t child = fork();
    if (child == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      if (getppid() != parent) _exit(1);
      int code = 1;
      try {
        code = body(rank);
      } catch (const std::exception& error) {
        std::fprintf(stderr, "rank %d: %s\n", rank, error.what());
      }
      std::fflush(stdout);
      _exit(code);
    }
    if (child > 0) children.push_back(child);
  }
  int result = static_cast<int>(children.size()) == nranks ? 0 : 1;
  const auto kill_all = [&] {
    for (pid_t child : children) kill(child, SIGKILL);
  };
  if (result != 0) {
    std::perror("fork");
    kill_all();
  }
  while (!children.empty()) {
    int status = 0;
    const pid_t child = waitpid(-1, &status, 0);
    if (child < 0) break;
    children.erase(std::find(children.begin(), children.end(), child));
    if (status == 0 || result != 0) continue;
    if (WIFSIGNALED(status)) std::fprintf(stderr, "a rank died of signal %d\n", WTERMSIG(status));
    result = 1;
    kill_all();
  }
  return result;
}

}  // namespace goss::perf
