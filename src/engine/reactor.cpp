// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "engine/reactor.h"

#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <exception>
#include <system_error>
#include <thread>

#include <linux/futex.h>
#include <sys/syscall.h>

#include "base/log.h"

namespace goss::engine {

namespace {

// Liveness is checked at least so often; the heartbeat of the mesh depends on it.
constexpr int kIdlePollMs = 250;
constexpr std::chrono::milliseconds kBusyPollEvery{2};

std::atomic<unsigned> forks{0};
std::atomic<Reactor*> instance{nullptr};
std::mutex creation;

void before_fork() { creation.lock(); }
void after_fork_in_parent() { creation.unlock(); }
void after_fork_in_child() {
  // The parent's thread does not exist here. Its object is left behind, its locks never taken.
  instance.store(nullptr, std::memory_order_relaxed);
  forks.fetch_add(1, std::memory_order_relaxed);
  creation.unlock();
}

}  // namespace

unsigned Reactor::generation() { return forks.load(std::memory_order_relaxed); }

Reactor& Reactor::get() {
  Reactor* reactor = instance.load(std::memory_order_acquire);  // pairs with the store below
  if (reactor != nullptr) return *reactor;
  const std::lock_guard<std::mutex> lock(creation);
  reactor = instance.load(std::memory_order_relaxed);
  if (reactor == nullptr) {
    static const int registered =
        ::pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
    static_cast<void>(registered);
    reactor = new Reactor;  // never deleted: its thread runs until the process ends
    instance.store(reactor, std::memory_order_release);
  }
  return *reactor;
}

Reactor::Reactor() : event_fd_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  const auto refuse = [](int error) {
    throw std::system_error(error, std::generic_category(), "cannot start the library's thread");
  };
  if (!event_fd_.valid()) refuse(errno);
  // The new thread inherits this mask: signals are the application's.
  sigset_t all;
  sigset_t before;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  int error = 0;
  try {
    std::thread([this] { loop(); }).detach();
  } catch (const std::system_error& failure) {
    error = failure.code().value();
  }
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (error != 0) refuse(error);
}

void Reactor::watch(const WatchedPtr& watched) {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    watched_.push_back(watched);
  }
  wake();
}

void Reactor::serve(std::unique_ptr<Watched> watched) {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    new_served_.push_back(std::move(watched));
  }
  wake();
}

void Reactor::end_serving(const JobName& job) {
  Reactor* reactor = instance.load(std::memory_order_acquire);  // pairs with the store in get()
  if (reactor == nullptr) return;
  {
    const std::lock_guard<std::mutex> lock(reactor->mutex_);
    reactor->over_.push_back(job);
  }
  reactor->wake();
}

void Reactor::run_stream(StreamPtr stream) noexcept {
  {
    const std::lock_guard<std::mutex> lock(stream->mutex_);
    if (stream->scheduled_) {
      wake();
      return;
    }
    stream->scheduled_ = true;
  }
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    stream->next_ = std::move(arriving_);
    arriving_ = std::move(stream);
  }
  wake();
}

void Reactor::wake() {
  word_.fetch_add(1, std::memory_order_seq_cst);  // before the look at sleeping_, see loop()
  ::syscall(SYS_futex, &word_, FUTEX_WAKE, 1, nullptr, nullptr, 0);
  if (sleeping_.load(std::memory_order_seq_cst)) {
    const uint64_t one = 1;
    // A full counter wakes just as well.
    if (::write(event_fd_.get(), &one, sizeof(one)) < 0) return;
  }
}

void Reactor::finish_turn(std::chrono::milliseconds patience) {
  Reactor* reactor = instance.load(std::memory_order_acquire);  // pairs with the store in get()
  if (reactor == nullptr) return;
  const auto until = Waiter::Clock::now() + patience;
  // The turn that is under way, and a whole one; the loads pair with the increment in loop().
  const uint64_t enough = reactor->turns_.load(std::memory_order_acquire) + 2;
  while (reactor->turns_.load(std::memory_order_acquire) < enough && Waiter::Clock::now() < until) {
    reactor->wake();
    std::this_thread::sleep_for(std::chrono::microseconds(50));
  }
}

bool Reactor::advance_streams() {
  StreamPtr* end = &running_;
  while (*end != nullptr) end = &(*end)->next_;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    *end = std::move(arriving_);
  }
  bool moved = false;
  for (StreamPtr* next = &running_; *next != nullptr;) {
    Stream& stream = **next;
    bool empty = false;
    moved |= stream.advance(&empty);
    StreamPtr finished;  // freed without its lock
    if (empty) {
      const std::lock_guard<std::mutex> lock(stream.mutex_);
      if (stream.queue_ == nullptr) {
        finished = std::move(*next);
        *next = std::move(stream.next_);
        stream.scheduled_ = false;
      }
    }
    if (finished == nullptr) next = &stream.next_;
  }
  return moved;
}

// Nothing is kept alive over the wait: a descriptor that is closed meanwhile only wakes us early.
void Reactor::poll_watched(int timeout_ms) {
  std::vector<pollfd> fds{{event_fd_.get(), POLLIN, 0}};
  const auto for_each = [&](auto fn) {
    std::vector<WatchedPtr> watched;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      std::erase_if(watched_, [](const auto& weak) { return weak.expired(); });
      for (const auto& weak : watched_) {
        if (auto strong = weak.lock()) watched.push_back(std::move(strong));
      }
      for (auto& served : new_served_) served_.push_back(std::move(served));
      new_served_.clear();
      for (const JobName& job : over_) {
        std::erase_if(served_, [&](const auto& w) { return w->serves(job); });
      }
      over_.clear();
    }
    for (const auto& w : watched) fn(*w);
    for (const auto& w : served_) fn(*w);
  };
  // Lack of memory must not end the process from a thread that is not its own: what was to be done
  // is done in a later round.
  const auto guarded = [](auto fn) {
    return [fn](Watched& w) {
      try {
        fn(w);
      } catch (const std::exception& e) {
        log(LogLevel::kError, "the library's thread: %s", e.what());
      }
    };
  };
  for_each(guarded([&](Watched& w) { w.pollfds(&fds); }));
  ::poll(fds.data(), static_cast<nfds_t>(fds.size()), timeout_ms);
  uint64_t count = 0;
  if (::read(event_fd_.get(), &count, sizeof(count)) < 0) count = 0;
  for_each(guarded([](Watched& w) { w.poll(); }));
  std::erase_if(served_, [](const auto& w) { return w->finished(); });
}

void Reactor::loop() {
  auto next_poll = Waiter::Clock::now();
  for (;;) {
    try {
      turn(&next_poll);
    } catch (const std::exception&) {  // as in poll_watched()
      std::this_thread::sleep_for(kBusyPollEvery);
    }
    turns_.fetch_add(1, std::memory_order_release);  // pairs with finish_turn()
  }
}

void Reactor::turn(Waiter::Clock::time_point* next_poll) {
  const uint32_t seen = word_.load(std::memory_order_seq_cst);
  const bool moved = advance_streams();
  if (running_ == nullptr) {
    sleeping_.store(true, std::memory_order_seq_cst);  // then look at word_ again, see wake()
    poll_watched(word_.load(std::memory_order_seq_cst) == seen ? kIdlePollMs : 0);
    sleeping_.store(false, std::memory_order_seq_cst);
    return;
  }
  if (moved) {
    waiter_.clear_bells();
  } else {
    waiter_.set_extra_word(&word_, seen);
    if (waiter_.bell_count() == 0) {
      for (Stream* s = running_.get(); s != nullptr; s = s->next_.get()) s->add_bells(&waiter_);
    }
    waiter_.pause();
  }
  const auto now = Waiter::Clock::now();
  if (now < *next_poll) return;
  for (Stream* s = running_.get(); s != nullptr; s = s->next_.get()) s->examine(now);
  poll_watched(0);
  *next_poll = now + kBusyPollEvery;
}

}  // namespace goss::engine
