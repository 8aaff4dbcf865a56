// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// The rules of messages where memory runs out: each allocation of an exchange fails once. Whatever
// the wire calls must not throw (the process would end), every request ends or can be cancelled,
// and AddressSanitizer sees what is used after its end.
#include <gtest/gtest.h>

#include <cstdlib>
#include <deque>
#include <memory>
#include <new>
#include <vector>

#include "transport/messages/protocol.h"

namespace {
long allocations_left = -1;  // until one fails; below 0: none does
}  // namespace

// All other forms of operator new come here.
void* operator new(size_t bytes) {
  if (allocations_left >= 0 && allocations_left-- == 0) throw std::bad_alloc();
  if (void* const memory = std::malloc(bytes == 0 ? 1 : bytes)) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }

namespace goss::transport {
namespace {

using State = MessageRequest::State;

constexpr size_t kFragment = 4000;
constexpr size_t kMostPackets = 4096;

// Takes packets when the test says so. Needs no memory.
struct Queue final : Wire {
  bool transmit(int, Packet* packet) noexcept override {
    packets[(first + count++) % kMostPackets] = packet;
    return false;
  }
  std::array<Packet*, kMostPackets> packets{};
  size_t first = 0;
  size_t count = 0;
};

class Pair {
 public:
  Pair() {
    for (MessageProtocol& side : sides_) side.start();
  }
  MessageProtocol& operator[](size_t rank) { return sides_[rank]; }

  // Everything that a wire does, with one failing allocation in it.
  void run() noexcept {
    for (bool moved = true; moved;) {
      moved = false;
      for (size_t rank = 0; rank < 2; ++rank) {
        if (sides_[rank].pump()) moved = true;
        for (; wires_[rank].count > 0; moved = true) pass(rank);
      }
    }
  }

 private:
  void pass(size_t rank) noexcept {
    Queue& wire = wires_[rank];
    Packet* const packet = wire.packets[wire.first++ % kMostPackets];
    --wire.count;
    const size_t bytes = packet->write(0, buffer_.data(), buffer_.size());
    const auto peer = static_cast<size_t>(packet->peer);
    sides_[rank].transmitted(packet);
    PacketHeader header;
    std::memcpy(&header, buffer_.data(), sizeof(header));
    sides_[peer].arrived(header,
                         std::span(buffer_).subspan(sizeof(header), bytes - sizeof(header)));
  }

  std::array<Queue, 2> wires_;
  std::array<MessageProtocol, 2> sides_{MessageProtocol(0, 2, kFragment, &wires_[0]),
                                        MessageProtocol(1, 2, kFragment, &wires_[1])};
  std::array<std::byte, kFragment + sizeof(PacketHeader)> buffer_{};
};

struct Exchange {
  static constexpr size_t kCount = 24;
  Exchange() {
    for (size_t i = 0; i < kCount; ++i) {
      // Empty, short, long, and longer than the window.
      const size_t bytes = std::array<size_t, 4>{0, 100, 9 * kFragment, 400'000}[i % 4];
      sent.emplace_back(bytes, static_cast<std::byte>(i));
      got.emplace_back(bytes);
    }
  }

  // Those that could not be posted have thrown and are not.
  template <class Post>
  static void try_to(Post post) {
    try {
      post();
    } catch (const std::bad_alloc&) {
    }
  }
  void send(size_t i) {
    try_to([&] { ranks[0].send(1, {1, i}, sent[i], &sends[i]); });
  }
  void receive(size_t i) {
    try_to([&] { ranks[1].receive(0, {1, i}, got[i], &receives[i]); });
  }

  void run() {
    for (size_t i = 0; i < kCount; i += 3) receive(i);
    for (size_t i = 0; i < kCount; ++i) send(i);
    ranks.run();
    for (size_t i = 1; i < kCount; i += 3) receive(i);
    ranks[0].cancel(&sends[7]);
    ranks[1].cancel(&receives[4]);
    ranks.run();
    receives_short = receives_short_of(11);
    for (size_t i = 2; i < kCount; i += 3) {
      if (i != 11) receive(i);
    }
    try_to([&] { ranks[1].forget(1); });
    ranks.run();
  }
  bool receives_short_of(size_t i) {
    bool posted = false;
    try_to([&] {
      ranks[1].receive(0, {1, i}, std::span(got[i]).first(10), &receives[i]);
      posted = true;
    });
    return posted;
  }
  void check() {
    for (size_t i = 0; i < kCount; ++i) {
      if (receives[i].state == State::kDone) {
        EXPECT_EQ(got[i], sent[i]) << i;
      }
      ranks[0].cancel(&sends[i]);
      ranks[1].cancel(&receives[i]);
      EXPECT_NE(sends[i].state, State::kPosted) << i;
      EXPECT_NE(receives[i].state, State::kPosted) << i;
    }
    ranks.run();
  }
  bool lost() { return !ranks[0].fate(1).ok() || !ranks[1].fate(0).ok(); }

  Pair ranks;
  std::vector<std::vector<std::byte>> sent, got;
  std::array<MessageRequest, kCount> sends, receives;
  bool receives_short = false;
};

TEST(MessageMemory, EveryAllocationMayFail) {
  int losses = 0;
  for (long nth = 0;; ++nth) {
    auto exchange = std::make_unique<Exchange>();
    allocations_left = nth;
    exchange->run();
    const bool reached = allocations_left < 0;
    allocations_left = -1;
    exchange->check();
    if (exchange->lost()) {
      ++losses;
      const Status& fate =
          exchange->ranks[0].fate(1).ok() ? exchange->ranks[1].fate(0) : exchange->ranks[0].fate(1);
      EXPECT_EQ(fate.code(), gossSystemError) << fate.message();
    }
    if (!reached) break;
    ASSERT_LT(nth, 100'000);
  }
  EXPECT_GT(losses, 10) << "the test does not reach the wire's calls";
}

}  // namespace
}  // namespace goss::transport
