// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "engine/stream.h"

#include <exception>
#include <utility>

namespace goss::engine {

void EventPoint::reach() {
  const std::lock_guard<std::mutex> lock(mutex_);
  reached_.store(true, std::memory_order_release);  // pairs with reached()
  changed_.notify_all();
}

void EventPoint::wait() {
  std::unique_lock<std::mutex> lock(mutex_);
  changed_.wait(lock, [&] { return reached(); });
}

EventPointPtr Event::record() {
  auto point = std::make_shared<EventPoint>();  // shared: see EventPointPtr
  const std::lock_guard<std::mutex> lock(mutex_);
  point_ = point;
  return point;
}

EventPointPtr Event::recorded() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return point_;
}

Stream::~Stream() {
  while (queue_ != nullptr) take_first();  // a long list must not be destroyed by recursion
}

void Stream::push(std::unique_ptr<Work> work) noexcept {
  const std::lock_guard<std::mutex> lock(mutex_);
  Work* const last = work.get();
  (queue_ == nullptr ? queue_ : last_->next_) = std::move(work);
  last_ = last;
  ++pushed_;
}

std::unique_ptr<Work> Stream::take_first() {
  std::unique_ptr<Work> first = std::move(queue_);
  queue_ = std::move(first->next_);
  return first;
}

Status Stream::wait() {
  uint64_t target = 0;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    target = pushed_;
  }
  // A short spin: waking from a condition variable costs more than many collectives.
  for (int i = 0; i < 2000; ++i) {
    if (done_.load(std::memory_order_acquire) >= target) break;  // pairs with finish_front()
    cpu_relax();
  }
  std::unique_lock<std::mutex> lock(mutex_);
  drained_.wait(lock, [&] { return done_.load(std::memory_order_relaxed) >= target; });
  return failure_;
}

bool Stream::idle(Status* first_failure) {
  const std::lock_guard<std::mutex> lock(mutex_);
  *first_failure = failure_;
  return done_.load(std::memory_order_relaxed) == pushed_;
}

bool Stream::advance(bool* empty) {
  bool moved = false;
  for (;;) {
    if (front_ == nullptr) {
      const std::lock_guard<std::mutex> lock(mutex_);
      if (queue_ == nullptr) {
        *empty = true;
        return moved;
      }
      front_ = take_first();
    }
    Work::State state = Work::State::kDone;
    try {
      state = front_->advance();
    } catch (const std::exception& e) {
      front_->give_up(fail(gossSystemError, "on the library's thread: %s", e.what()));
    } catch (...) {
      front_->give_up(fail(gossInvalidUsage, "a callback threw on the library's thread"));
    }
    if (state == Work::State::kBlocked) return moved;
    moved = true;
    moved_ = true;
    if (state == Work::State::kMoved) return true;
    finish_front();
  }
}

void Stream::examine(Waiter::Clock::time_point now) {
  if (std::exchange(moved_, false)) blocked_since_ = now;
  if (front_ == nullptr) return;
  const auto waited = std::chrono::duration_cast<std::chrono::milliseconds>(now - blocked_since_);
  if (front_->examine(waited) == Work::State::kDone) finish_front();
}

bool Stream::finish_front() {
  Status status = front_->take_status();
  front_.reset();
  const std::lock_guard<std::mutex> lock(mutex_);
  if (failure_.ok() && !status.ok()) failure_ = std::move(status);
  done_.fetch_add(1, std::memory_order_release);  // pairs with wait()
  drained_.notify_all();
  return true;
}

void Stream::add_bells(Waiter* waiter) {
  if (front_ != nullptr) front_->add_bells(waiter);
}

}  // namespace goss::engine
