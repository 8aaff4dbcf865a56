// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Real processes for tests: forked or executed, waited for with a limit, killed and reaped by their
// destructor, and by the kernel when the test itself dies. The forking test must have no threads of
// its own, so it leaves all use of the library to its children.
#pragma once

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <new>
#include <string>
#include <utility>
#include <vector>

namespace goss::support {

using std::chrono::milliseconds;

// The same clock in all processes.
inline int64_t now_ns() {
  timespec time{};
  ::clock_gettime(CLOCK_MONOTONIC, &time);
  return static_cast<int64_t>(time.tv_sec) * 1'000'000'000 + time.tv_nsec;
}
inline double ms_between(int64_t from, int64_t to) { return static_cast<double>(to - from) / 1e6; }

inline void sleep_for(milliseconds time) {
  timespec left{time.count() / 1000, time.count() % 1000 * 1'000'000};
  while (::nanosleep(&left, &left) != 0 && errno == EINTR) {
  }
}

// True when `condition` held within `limit`.
template <class Condition>
bool eventually(milliseconds limit, Condition condition) {
  const int64_t deadline = now_ns() + limit.count() * 1'000'000;
  for (;;) {
    if (condition()) return true;
    if (now_ns() > deadline) return false;
    const timespec nap{0, 300'000};
    ::nanosleep(&nap, nullptr);
  }
}

// How much longer everything may take under a sanitizer.
constexpr int sanitizer_factor() {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  return 4;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
  return 4;
#else
  return 1;
#endif
#else
  return 1;
#endif
}

constexpr bool under_thread_sanitizer() {
#if defined(__SANITIZE_THREAD__)
  return true;
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
  return true;
#else
  return false;
#endif
#else
  return false;
#endif
}

constexpr bool under_sanitizer() { return sanitizer_factor() != 1; }

// An object that the test and its children see alike. T is zeroed memory on which T{} is made.
template <class T>
class Shared {
 public:
  Shared() {
    void* memory =
        ::mmap(nullptr, sizeof(T), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) throw std::bad_alloc();
    object_ = new (memory) T;
  }
  ~Shared() {
    object_->~T();
    ::munmap(object_, sizeof(T));
  }
  Shared(const Shared&) = delete;
  Shared& operator=(const Shared&) = delete;
  T& operator*() const { return *object_; }
  T* operator->() const { return object_; }

 private:
  T* object_;
};

// Open for as long as the test wants helpers of its children to live: they wait for its end.
class LifeLine {
 public:
  LifeLine() {
    if (::pipe2(ends_, O_CLOEXEC) != 0) throw std::bad_alloc();
  }
  ~LifeLine() {
    cut();
    ::close(ends_[0]);
  }
  LifeLine(const LifeLine&) = delete;
  LifeLine& operator=(const LifeLine&) = delete;
  void cut() {
    if (ends_[1] >= 0) ::close(std::exchange(ends_[1], -1));
  }
  // In the helper, which must also have cut() its own end.
  void wait() const {
    char byte = 0;
    while (::read(ends_[0], &byte, 1) < 0 && errno == EINTR) {
    }
  }

 private:
  int ends_[2] = {-1, -1};
};

class Process {
 public:
  // Fork. The child runs `body` and ends with _exit(0), without the test's own clean-up.
  explicit Process(const std::function<void()>& body) {
    start([&] {
      body();
      ::_exit(0);
    });
  }
  // Fork and execute `arguments` with `environment` ("NAME=value") added; `prepare` runs before.
  Process(const std::vector<std::string>& arguments, const std::vector<std::string>& environment,
          const std::function<void()>& prepare) {
    start([&] {
      prepare();
      for (const std::string& entry : environment) {
        const size_t equals = entry.find('=');
        ::setenv(entry.substr(0, equals).c_str(), entry.substr(equals + 1).c_str(), 1);
      }
      std::vector<char*> words;
      for (const std::string& word : arguments) words.push_back(const_cast<char*>(word.c_str()));
      words.push_back(nullptr);
      ::execvp(words[0], words.data());
      ::_exit(127);
    });
  }
  ~Process() {
    if (ended()) return;
    ::kill(pid_, SIGKILL);  // ends a stopped process as well
    int status = 0;
    while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
  }
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  pid_t pid() const { return pid_; }
  void send(int signal) const {
    if (!reaped_) ::kill(pid_, signal);
  }
  bool ended() {
    if (reaped_) return true;
    int status = 0;
    if (::waitpid(pid_, &status, WNOHANG) != pid_) return false;
    reaped_ = true;
    code_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    return true;
  }
  bool ended_within(milliseconds limit) {
    return eventually(limit, [this] { return ended(); });
  }
  // After it has ended: the exit code, or 128 + the signal.
  int code() const { return code_; }

 private:
  template <class Body>
  void start(Body body) {
    std::fflush(nullptr);
    const pid_t parent = ::getpid();
    pid_ = ::fork();
    if (pid_ < 0) throw std::bad_alloc();
    if (pid_ > 0) return;
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(126);  // the test died in between
    body();
  }

  pid_t pid_ = -1;
  bool reaped_ = false;
  int code_ = -1;
};

// An empty directory, removed with what is in it.
class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    char name[] = "/tmp/goss-test-XXXXXX";
    if (::mkdtemp(name) == nullptr) throw std::bad_alloc();
    path_ = name;
  }
  ~TemporaryDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace goss::support
