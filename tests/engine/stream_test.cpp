// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Stream and Event with toy work, driven by the test instead of the library's thread.
#include "engine/stream.h"

#include <gtest/gtest.h>

#include <thread>

namespace goss::engine {
namespace {

// Blocked until opened, then done with `status`.
struct Gate {
  std::atomic<bool> open{false};
  int advances = 0;
  int destroyed = 0;
};

class Toy final : public Work {
 public:
  explicit Toy(Gate* gate, Status status = {}) : gate_(gate) { status_ = std::move(status); }
  ~Toy() override { ++gate_->destroyed; }
  State advance() override {
    ++gate_->advances;
    return gate_->open ? State::kDone : State::kBlocked;
  }

 private:
  Gate* gate_;
};

bool advance(Stream* stream) {
  bool empty = false;
  stream->advance(&empty);
  return empty;
}

TEST(Event, IsThePointRecordedLast) {
  Event event;
  EXPECT_EQ(event.recorded(), nullptr);
  const EventPointPtr first = event.record();
  const EventPointPtr second = event.record();
  EXPECT_EQ(event.recorded(), second);
  EXPECT_NE(first, second);
}

TEST(Event, ReachedAtOnePointIsNotReachedAtAnEarlierOne) {
  Event event;
  const EventPointPtr first = event.record();
  const EventPointPtr second = event.record();
  second->reach();
  EXPECT_TRUE(second->reached());
  EXPECT_FALSE(first->reached()) << "whoever waits for the first still waits";
}

TEST(Event, WakesItsWaiter) {
  Event event;
  const EventPointPtr point = event.record();
  std::atomic<bool> woken{false};
  std::thread waiter([&] {
    event.recorded()->wait();
    woken = true;
  });
  EXPECT_FALSE(woken);
  point->reach();
  waiter.join();
  EXPECT_TRUE(woken);
}

TEST(Stream, TurnsAnExceptionOfItsWorkIntoAFailure) {
  class Throws final : public Work {
    State advance() override { throw std::bad_alloc(); }
  };
  Stream stream;
  stream.push(std::make_unique<Throws>());
  EXPECT_TRUE(advance(&stream));
  EXPECT_EQ(stream.wait().code(), gossSystemError);
}

TEST(Stream, RunsItsWorkInOrderOneAtATime) {
  Stream stream;
  Gate first;
  Gate second;
  stream.push(std::make_unique<Toy>(&first));
  stream.push(std::make_unique<Toy>(&second));
  second.open = true;
  EXPECT_FALSE(advance(&stream));
  EXPECT_EQ(second.advances, 0) << "the second waits for the first";
  first.open = true;
  EXPECT_TRUE(advance(&stream));
  EXPECT_EQ(second.advances, 1);
  EXPECT_EQ(first.destroyed + second.destroyed, 2);
}

TEST(Stream, IsIdleWhenEverythingIsDone) {
  Stream stream;
  Status failure;
  EXPECT_TRUE(stream.idle(&failure));
  Gate gate;
  stream.push(std::make_unique<Toy>(&gate));
  EXPECT_FALSE(stream.idle(&failure));
  advance(&stream);
  EXPECT_FALSE(stream.idle(&failure)) << "taken out of the queue is not done";
  gate.open = true;
  advance(&stream);
  EXPECT_TRUE(stream.idle(&failure));
  EXPECT_TRUE(failure.ok());
}

TEST(Stream, KeepsTheFirstFailureAndGoesOn) {
  Stream stream;
  Gate open;
  open.open = true;
  stream.push(std::make_unique<Toy>(&open));
  stream.push(std::make_unique<Toy>(&open, fail(gossRemoteError, "first")));
  stream.push(std::make_unique<Toy>(&open, fail(gossTimeout, "second")));
  stream.push(std::make_unique<Toy>(&open));
  EXPECT_TRUE(advance(&stream));
  EXPECT_EQ(open.destroyed, 4);
  const Status status = stream.wait();
  EXPECT_EQ(status.code(), gossRemoteError);
  EXPECT_EQ(status.message(), "first");
  Status failure;
  EXPECT_TRUE(stream.idle(&failure));
  EXPECT_EQ(failure.message(), "first");
}

TEST(Stream, WaitsForWhatWasQueuedBeforeTheCallOnly) {
  Stream stream;
  Gate first;
  Gate later;
  first.open = true;
  stream.push(std::make_unique<Toy>(&first));
  advance(&stream);
  stream.push(std::make_unique<Toy>(&later));
  std::atomic<bool> done{false};
  std::thread waiter([&] {
    EXPECT_TRUE(stream.wait().ok());
    done = true;
  });
  later.open = true;
  while (!done) advance(&stream);
  waiter.join();
  EXPECT_EQ(later.destroyed, 1);
}

// Ends when it has been blocked for a second.
class Impatient final : public Work {
 public:
  State advance() override { return State::kBlocked; }
  State examine(std::chrono::milliseconds waited) override {
    if (waited < std::chrono::seconds(1)) return State::kBlocked;
    status_ = fail(gossTimeout, "examined");
    return State::kDone;
  }
};

TEST(Stream, FinishesWorkThatEndsInAnExamination) {
  using std::chrono::milliseconds;
  Stream stream;
  Status failure;
  const auto start = Waiter::Clock::now();
  stream.push(std::make_unique<Impatient>());
  stream.examine(start + milliseconds(5000));  // not begun yet: nothing to look at
  EXPECT_FALSE(stream.idle(&failure));
  EXPECT_FALSE(advance(&stream));
  stream.examine(start + milliseconds(5100));
  stream.examine(start + milliseconds(5200));
  EXPECT_FALSE(stream.idle(&failure)) << "it has been blocked for 200 ms at most";
  stream.examine(start + milliseconds(6300));
  EXPECT_TRUE(stream.idle(&failure));
  EXPECT_EQ(failure.code(), gossTimeout);
  EXPECT_TRUE(advance(&stream));
}

// The clock of a piece of work starts when the one before it has ended.
TEST(Stream, CountsTheTimeOfEachPieceOfWorkFromItsOwnBeginning) {
  using std::chrono::milliseconds;
  Stream stream;
  Status failure;
  const auto start = Waiter::Clock::now();
  Gate gate;
  stream.push(std::make_unique<Toy>(&gate));
  stream.push(std::make_unique<Impatient>());
  EXPECT_FALSE(advance(&stream));
  stream.examine(start);
  stream.examine(start + milliseconds(3000));
  gate.open = true;
  EXPECT_FALSE(advance(&stream));
  stream.examine(start + milliseconds(3001));
  stream.examine(start + milliseconds(3500));
  EXPECT_FALSE(stream.idle(&failure));
  stream.examine(start + milliseconds(4500));
  EXPECT_TRUE(stream.idle(&failure));
}

TEST(Stream, TakesWorkFromManyThreads) {
  Stream stream;
  constexpr int kThreads = 4;
  constexpr int kEach = 200;
  Gate gates[kThreads];
  std::vector<std::thread> threads;
  for (Gate& gate : gates) {
    gate.open = true;
    threads.emplace_back([&stream, &gate] {
      for (int i = 0; i < kEach; ++i) stream.push(std::make_unique<Toy>(&gate));
      EXPECT_TRUE(stream.wait().ok());
    });
  }
  const auto done = [&] {
    int sum = 0;
    for (const Gate& gate : gates) sum += gate.destroyed;
    return sum == kThreads * kEach;
  };
  while (!done()) advance(&stream);
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace goss::engine
