// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "processes.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <thread>

#include "crew.h"

namespace goss::perf {

namespace {

// After the first failure the others get this long to hear of it from the library and to say so.
constexpr auto kGrace = std::chrono::seconds(5);

Failure system_failure(const char* what) {
  return Failure(std::string(what) + ": " + std::strerror(errno));
}

bool transfer(int fd, gossUniqueId* id, bool sending) {
  size_t done = 0;
  while (done < sizeof(*id)) {
    char* at = id->internal + done;
    const ssize_t n = sending ? ::send(fd, at, sizeof(*id) - done, MSG_NOSIGNAL)
                              : ::recv(fd, at, sizeof(*id) - done, 0);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    done += static_cast<size_t>(n);
  }
  return true;
}

// "rank 3" or "ranks 4 to 7": those of one process.
std::string ranks_of(const Options& options, int process) {
  const int per_process = options.ranks_per_process();
  const int first = process * per_process;
  if (per_process == 1) return "rank " + std::to_string(first);
  return "ranks " + std::to_string(first) + " to " + std::to_string(first + per_process - 1);
}

// The parent's view: waits for all children.
class Supervisor {
 public:
  Supervisor(const Options& options, std::vector<pid_t> children)
      : options_(options), children_(std::move(children)) {}

  int wait_for_all() {
    size_t left = children_.size();
    while (left > 0) {
      int status = 0;
      const pid_t pid = ::waitpid(-1, &status, failed_ ? WNOHANG : 0);
      if (pid > 0) {
        note_end(pid, status);
        --left;
      } else if (pid < 0 && errno != EINTR) {
        break;
      } else if (pid == 0) {
        end_the_rest();
      }
    }
    return failed_ ? 1 : 0;
  }

 private:
  void note_end(pid_t pid, int status) {
    const auto at = std::find(children_.begin(), children_.end(), pid);
    if (at == children_.end()) return;
    *at = -1;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return;
    if (!failed_) deadline_ = std::chrono::steady_clock::now() + kGrace;
    failed_ = true;
    if (!WIFSIGNALED(status) || killed_by_us_) return;  // it has explained itself
    const auto process = static_cast<int>(at - children_.begin());
    std::fprintf(stderr, "%s (process %d, pid %d) died: signal %d (%s)\n",
                 ranks_of(options_, process).c_str(), process, static_cast<int>(pid),
                 WTERMSIG(status), strsignal(WTERMSIG(status)));
  }

  void end_the_rest() {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
    if (killed_by_us_ || std::chrono::steady_clock::now() < deadline_) return;
    killed_by_us_ = true;
    for (size_t i = 0; i < children_.size(); ++i) {
      if (children_[i] <= 0) continue;
      std::fprintf(stderr, "%s (process %zu) did not end by itself and is killed\n",
                   ranks_of(options_, static_cast<int>(i)).c_str(), i);
      ::kill(children_[i], SIGKILL);
    }
  }

  const Options& options_;
  std::vector<pid_t> children_;  // -1: has ended
  bool failed_ = false;
  bool killed_by_us_ = false;
  std::chrono::steady_clock::time_point deadline_;
};

struct Pair {
  int root;   // end of process 0
  int other;  // end of the other process
};

std::vector<Pair> make_pairs(int n) {
  std::vector<Pair> pairs;
  for (int i = 0; i < n; ++i) {
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
      throw system_failure("socketpair");
    }
    pairs.push_back({ends[0], ends[1]});
  }
  return pairs;
}

// Keeps the ends that belong to `process` (-1: none) and closes all others.
std::vector<int> keep_own(const std::vector<Pair>& pairs, int process) {
  std::vector<int> own;
  for (size_t i = 0; i < pairs.size(); ++i) {
    if (process == 0) {
      own.push_back(pairs[i].root);
    } else {
      ::close(pairs[i].root);
    }
    if (process == static_cast<int>(i) + 1) {
      own.push_back(pairs[i].other);
    } else {
      ::close(pairs[i].other);
    }
  }
  return own;
}

}  // namespace

Forked::~Forked() {
  for (const int fd : sockets_) ::close(fd);
}

gossUniqueId Forked::share_unique_id() const {
  gossUniqueId id;
  if (process_ == 0) {
    check(gossGetUniqueId(&id), "gossGetUniqueId", 0, nullptr);
    // A process that has died meanwhile is the supervisor's affair.
    for (const int fd : sockets_) transfer(fd, &id, true);
  } else if (!transfer(sockets_.front(), &id, false)) {
    throw Failure("process " + std::to_string(process_) +
                  ": process 0 ended before it had sent the unique id");
  }
  return id;
}

std::optional<Forked> fork_processes(const Options& options, int* exit_code) {
  const std::vector<Pair> pairs = make_pairs(options.procs - 1);
  const pid_t parent = ::getpid();
  std::vector<pid_t> children;
  std::fflush(nullptr);  // or the children would print it again
  for (int process = 0; process < options.procs; ++process) {
    const pid_t pid = ::fork();
    if (pid < 0) {
      for (const pid_t child : children) ::kill(child, SIGKILL);
      throw system_failure("fork");
    }
    if (pid > 0) {
      children.push_back(pid);
      continue;
    }
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(1);  // the parent died before prctl
    return Forked(process, options.procs, keep_own(pairs, process));
  }
  keep_own(pairs, -1);
  *exit_code = Supervisor(options, std::move(children)).wait_for_all();
  return std::nullopt;
}

}  // namespace goss::perf
