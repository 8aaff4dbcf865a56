// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// The rules of messages without a network: on a wire of the test's own, which takes packets when
// the test says so, and against a peer that breaks the rules.
#include "transport/messages/protocol.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <random>

namespace goss::transport {
namespace {

using State = MessageRequest::State;

constexpr size_t kFragment = 4000;

// Ranks on one wire. What a rank transmits waits until the test lets it through.
class Ranks {
 public:
  explicit Ranks(int nranks) {
    for (int rank = 0; rank < nranks; ++rank) {
      sides_.push_back(std::make_unique<Side>(rank, nranks));
      sides_.back()->protocol.start();
    }
  }
  MessageProtocol& operator[](int rank) { return side(rank).protocol; }
  // Packets that wait at `rank`.
  size_t waiting(int rank) { return side(rank).wire.queue.size(); }
  Packet* last(int rank) { return side(rank).wire.queue.back(); }

  // The oldest packet of `rank` goes through, or is written out and lost.
  void pass(int rank, bool lost = false) {
    std::deque<Packet*>& queue = side(rank).wire.queue;
    Packet* const packet = queue.front();
    queue.pop_front();
    std::vector<std::byte> bytes(packet->wire_bytes());
    // In two pieces, as a wire may ask for them.
    const size_t cut = bytes.size() / 3;
    EXPECT_EQ(packet->write(0, bytes.data(), cut), cut);
    packet->write(cut, bytes.data() + cut, bytes.size() - cut);
    const int peer = packet->peer;
    side(rank).protocol.transmitted(packet);
    PacketHeader header;
    std::memcpy(&header, bytes.data(), sizeof(header));
    if (!lost) side(peer).protocol.arrived(header, std::span(bytes).subspan(sizeof(header)));
  }
  void run() {
    for (bool moved = true; moved;) {
      moved = false;
      for (size_t rank = 0; rank < sides_.size(); ++rank) {
        if (sides_[rank]->protocol.pump()) moved = true;
        for (; waiting(static_cast<int>(rank)) > 0; moved = true) pass(static_cast<int>(rank));
      }
    }
  }

 private:
  struct QueueWire final : Wire {
    bool transmit(int, Packet* packet) override {
      queue.push_back(packet);
      return false;
    }
    std::deque<Packet*> queue;
  };
  struct Side {
    Side(int rank, int nranks) : protocol(rank, nranks, kFragment, &wire) {}
    QueueWire wire;
    MessageProtocol protocol;
  };
  Side& side(int rank) { return *sides_[static_cast<size_t>(rank)]; }

  std::vector<std::unique_ptr<Side>> sides_;
};

std::vector<std::byte> filled(size_t bytes, int value) {
  return std::vector<std::byte>(bytes, static_cast<std::byte>(value));
}

TEST(MessageProtocol, ASendIsDoneWhenTheWireHasAllOfIt) {
  Ranks ranks(2);
  const std::vector<std::byte> data = filled(100, 1);
  std::vector<std::byte> got(100);
  MessageRequest send, receive;
  ranks[0].send(1, {1, 1}, data, &send);
  EXPECT_EQ(send.state, State::kPosted);
  ranks.pass(0);
  EXPECT_EQ(send.state, State::kDone);
  ranks[1].receive(0, {1, 1}, got, &receive);
  EXPECT_EQ(receive.state, State::kDone);
  EXPECT_EQ(got, data);
}

// A wire may keep the end of what it took last, when more is on the way than it surely takes.
TEST(MessageProtocol, ALongSendIsDoneWhenALaterPacketWasTaken) {
  Ranks ranks(2);
  const std::vector<std::byte> data = filled(20 * kFragment, 1);
  std::vector<std::byte> got(data.size());
  MessageRequest send, receive;
  ranks[1].receive(0, {1, 1}, got, &receive);
  ranks[0].send(1, {1, 1}, data, &send);
  while (receive.state == State::kPosted) {
    ranks[0].pump();
    ranks.pass(0);
  }
  EXPECT_EQ(send.state, State::kPosted);
  ranks[0].pump();
  ASSERT_EQ(ranks.waiting(0), 1U);
  ranks.pass(0);
  EXPECT_EQ(send.state, State::kDone);
  EXPECT_EQ(got, data);
}

TEST(MessageProtocol, WithoutAGrantNoMoreThanTheWindowIsSent) {
  Ranks ranks(2);
  const std::vector<std::byte> data = filled(1 << 20, 1);
  MessageRequest sends[3];
  for (uint64_t i = 0; i < 3; ++i) ranks[0].send(1, {1, i}, data, &sends[i]);
  ranks.run();
  EXPECT_LT(ranks[0].sent_bytes(), MessageProtocol::kWindowBytes + 100 * sizeof(PacketHeader));
  std::vector<std::byte> got[3];
  MessageRequest receives[3];
  for (uint64_t i = 3; i-- > 0;) {
    got[i].resize(data.size());
    ranks[1].receive(0, {1, i}, got[i], &receives[i]);
  }
  ranks.run();
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(sends[i].state, State::kDone);
    EXPECT_EQ(receives[i].state, State::kDone);
    EXPECT_EQ(got[i], data);
  }
}

// Each costs its receiver a description, also without a byte.
TEST(MessageProtocol, EmptyMessagesThatNobodyAskedForAreBoundedInNumber) {
  Ranks ranks(2);
  constexpr uint64_t kCount = 5 * MessageProtocol::kWindowMessages;
  std::vector<MessageRequest> sends(kCount);
  for (uint64_t i = 0; i < kCount; ++i) ranks[0].send(1, {1, i}, {}, &sends[i]);
  ranks.run();
  const auto begun = std::count_if(sends.begin(), sends.end(),
                                   [](const auto& send) { return send.state == State::kDone; });
  EXPECT_EQ(static_cast<size_t>(begun), MessageProtocol::kWindowMessages);
  EXPECT_FALSE(ranks[0].has_work()) << "there is nothing to do but to wait";
  for (uint64_t i = 0; i < kCount; ++i) {
    MessageRequest receive;
    ranks[1].receive(0, {1, i}, {}, &receive);
    ranks.run();
    ASSERT_EQ(receive.state, State::kDone) << i;
    ASSERT_EQ(sends[i].state, State::kDone) << i;
  }
}

TEST(MessageProtocol, MessagesThatAreForgottenMakeRoomForOthers) {
  Ranks ranks(2);
  for (uint64_t round = 0; round < 3; ++round) {
    for (uint64_t i = 0; i < MessageProtocol::kWindowMessages; ++i) {
      MessageRequest send;
      ranks[0].send(1, {round, i}, filled(10, 1), &send);
      ranks.run();
      ASSERT_EQ(send.state, State::kDone) << round << " " << i;
    }
    ranks[1].forget(round);
    ranks.run();
  }
}

// The end of a barrier: the peer has what it waited for, and leaves before this rank knows.
TEST(MessageProtocol, WhatHadArrivedWhenItsReceiverLeftIsSent) {
  for (const size_t bytes : {size_t{0}, size_t{100}, 20 * kFragment}) {
    Ranks ranks(2);
    const std::vector<std::byte> data = filled(bytes, 1);
    std::vector<std::byte> got(data.size());
    // Fills what the wire surely takes, so that nothing but a later packet proves the next message.
    const std::vector<std::byte> much = filled(20 * kFragment, 2);
    std::vector<std::byte> many(much.size());
    MessageRequest before, taken, arrives, receive, stays;
    const auto deliver = [&](const MessageRequest& request) {
      while (request.state == State::kPosted) {
        ranks[0].pump();
        ranks.pass(0);
      }
    };
    ranks[1].receive(0, {1, 0}, many, &taken);
    ranks[0].send(1, {1, 0}, much, &before);
    deliver(taken);
    ranks[1].receive(0, {1, 1}, got, &receive);
    ranks[0].send(1, {1, 1}, data, &arrives);
    deliver(receive);
    ASSERT_EQ(arrives.state, State::kPosted) << "nothing says yet that it has arrived";
    ranks[0].send(1, {1, 2}, data, &stays);
    ranks[1].say_bye();
    ranks[1].pump();
    ASSERT_GE(ranks.waiting(1), 1U);
    while (ranks.waiting(1) > 0) ranks.pass(1);
    EXPECT_FALSE(ranks[0].fate(1).ok());
    EXPECT_EQ(arrives.state, State::kDone) << bytes << ": " << arrives.failure.message();
    EXPECT_EQ(arrives.bytes, bytes);
    EXPECT_EQ(stays.state, State::kFailed) << bytes;
  }
}

TEST(MessageProtocol, WhoLeavesHearsThatAllHasArrived) {
  Ranks ranks(3);
  MessageRequest sends[2];
  ranks[0].send(1, {1, 1}, filled(10, 1), &sends[0]);
  ranks[0].send(2, {1, 1}, filled(10, 1), &sends[1]);
  ranks[0].say_bye();
  ranks[0].pump();
  while (ranks.waiting(0) > 1) ranks.pass(0);
  EXPECT_TRUE(ranks[0].awaits_farewell(1) || ranks[0].awaits_farewell(2));
  ranks.run();
  EXPECT_FALSE(ranks[0].awaits_farewell(1));
  EXPECT_FALSE(ranks[0].awaits_farewell(2));
  EXPECT_FALSE(ranks[1].fate(0).ok());
}

TEST(MessageProtocol, TheWindowComesBackWhateverHappensToMessages) {
  Ranks ranks(2);
  std::minstd_rand chance(7);
  const std::vector<std::byte> data = filled(60'000, 1);
  std::vector<std::byte> got(data.size());
  for (uint64_t i = 0; i < 500; ++i) {
    const size_t bytes = chance() % data.size();
    MessageRequest send, receive;
    const bool early = chance() % 2 == 0;
    if (early) ranks[1].receive(0, {i, 1}, got, &receive);
    ranks[0].send(1, {i, 1}, std::span(data).first(bytes), &send);
    for (uint64_t k = chance() % 12; k > 0; --k) {
      ranks[chance() % 2 == 0 ? 0 : 1].pump();
      for (int rank = 0; rank < 2; ++rank) {
        if (ranks.waiting(rank) > 0) ranks.pass(rank);
      }
    }
    switch (chance() % 4) {
      case 0: ranks[0].cancel(&send); break;
      case 1: ranks[1].cancel(&receive); break;
      case 2:
        if (!early) ranks[1].receive(0, {i, 1}, got, &receive);
        break;
      default: break;
    }
    ranks.run();
    ranks[0].cancel(&send);
    ranks[1].cancel(&receive);
    ranks[1].forget(i);
    ranks.run();
  }
  ASSERT_TRUE(ranks[0].fate(1).ok()) << ranks[0].fate(1).message();
  ASSERT_TRUE(ranks[1].fate(0).ok()) << ranks[1].fate(0).message();
  // All of the window is there, but for what has not been returned yet for want of a packet.
  const uint64_t before = ranks[0].sent_bytes();
  MessageRequest send;
  const std::vector<std::byte> large = filled(1 << 20, 1);
  ranks[0].send(1, {1000, 1}, large, &send);
  ranks.run();
  EXPECT_GE(ranks[0].sent_bytes() - before, MessageProtocol::kWindowBytes / 2);
  ranks[0].cancel(&send);
}

TEST(MessageProtocol, CancelledPiecesAreStruckOutWhereTheyWait) {
  Ranks ranks(2);
  auto data = std::make_unique<std::vector<std::byte>>(filled(10 * kFragment, 7));
  std::vector<std::byte> got(data->size());
  MessageRequest send, receive;
  ranks[1].receive(0, {1, 1}, got, &receive);
  ranks[0].send(1, {1, 1}, *data, &send);
  ranks.pass(0);
  ranks[0].pump();
  ASSERT_GT(ranks.waiting(0), 1U);
  ranks[0].cancel(&send);
  data.reset();  // AddressSanitizer sees whoever reads it now
  EXPECT_EQ(send.state, State::kIdle);
  ranks.run();
  EXPECT_EQ(receive.state, State::kFailed);
  EXPECT_EQ(receive.failure.code(), gossRemoteError);
}

TEST(MessageProtocol, ACancelledReceiveStopsItsSender) {
  Ranks ranks(2);
  const std::vector<std::byte> data = filled(1 << 20, 7);
  std::vector<std::byte> got(data.size());
  MessageRequest send, receive;
  ranks[1].receive(0, {1, 1}, got, &receive);
  ranks[0].send(1, {1, 1}, data, &send);
  ranks.pass(0);
  ranks[1].cancel(&receive);
  ranks.run();
  EXPECT_EQ(send.state, State::kDone);
  EXPECT_LT(ranks[0].sent_bytes(), data.size() / 2);
}

TEST(MessageProtocol, ALostPeerFailsWhatWaitsForItAndNothingElse) {
  Ranks ranks(3);
  const std::vector<std::byte> data = filled(500'000, 7);
  std::vector<std::byte> got(data.size()), whole(data.size());
  MessageRequest whole_send, send, receive, half_send, half_receive, other;
  ranks[0].send(1, {1, 1}, std::span(data).first(900), &whole_send);
  ranks.run();
  ranks[1].receive(0, {1, 2}, got, &receive);
  ranks[1].send(0, {1, 3}, data, &send);
  ranks[1].receive(2, {1, 4}, got, &other);
  ranks[0].send(1, {1, 5}, data, &half_send);
  ranks[1].pump();
  ranks[1].lost(0, fail(gossRemoteError, "rank 0 is gone"));
  EXPECT_EQ(receive.state, State::kFailed);
  EXPECT_EQ(send.state, State::kFailed);
  EXPECT_EQ(other.state, State::kPosted);
  ranks[1].receive(0, {1, 1}, whole, &receive);
  EXPECT_EQ(receive.state, State::kDone) << "it had arrived before";
  ranks[1].receive(0, {1, 5}, whole, &half_receive);
  EXPECT_EQ(half_receive.state, State::kFailed);
  EXPECT_EQ(half_receive.failure.message(), "rank 0 is gone");
  while (ranks.waiting(1) > 0) ranks.pass(1, true);  // the wire gives back what it had
  ranks[1].cancel(&other);
}

// ---- against a peer that breaks the rules --------------------------------------------------

class Hostile : public testing::Test {
 protected:
  struct NoWire final : Wire {
    bool transmit(int, Packet*) override { return true; }
  };
  Hostile() {
    protocol_.start();
    protocol_.receive(1, {1, 1}, buffer_, &request_);
  }
  // As rank 1, in sequence.
  void hear(PacketHeader header, size_t payload = 0) {
    header.sender = 1;
    header.sequence = sequence_++;
    const std::vector<std::byte> bytes(payload);
    protocol_.arrived(header, bytes);
    protocol_.pump();
  }
  static PacketHeader first(uint64_t message, uint64_t total, uint64_t number = 1) {
    PacketHeader header;
    header.kind = PacketKind::kFirst;
    header.unsolicited = 1;
    header.message = message;
    header.total = total;
    header.key = {1, number};
    return header;
  }
  void expect_refused() {
    EXPECT_EQ(protocol_.fate(1).code(), gossInternalError);
    EXPECT_EQ(request_.state, State::kFailed);
  }

  NoWire wire_;
  MessageProtocol protocol_{0, 2, kFragment, &wire_};
  std::vector<std::byte> buffer_ = std::vector<std::byte>(1000);
  MessageRequest request_;
  uint32_t sequence_ = 0;
};

TEST_F(Hostile, AMissingPacketIsNoticed) {
  ++sequence_;
  hear(PacketHeader{});
  expect_refused();
}
TEST_F(Hostile, MoreBytesThanAnnouncedAreRefused) {
  hear(first(0, 10), 11);
  expect_refused();
}
TEST_F(Hostile, PiecesBeyondTheEndAreRefused) {
  hear(first(0, 100), 10);
  PacketHeader more;
  more.kind = PacketKind::kMore;
  more.total = 10;
  hear(more, 91);
  expect_refused();
}
TEST_F(Hostile, PiecesOutOfOrderAreRefused) {
  hear(first(0, 100), 10);
  PacketHeader more;
  more.kind = PacketKind::kMore;
  more.total = 50;
  hear(more, 10);
  expect_refused();
}
TEST_F(Hostile, PiecesOfNothingAreRefused) {
  PacketHeader more;
  more.kind = PacketKind::kMore;
  more.message = 77;
  hear(more, 10);
  expect_refused();
}
TEST_F(Hostile, AnUnknownKindIsRefused) {
  PacketHeader header;
  header.kind = static_cast<PacketKind>(200);
  hear(header);
  expect_refused();
}
TEST_F(Hostile, CreditThatNobodyOwesIsRefused) {
  PacketHeader header;
  header.credit_bytes = 1;
  hear(header);
  expect_refused();
}
TEST_F(Hostile, TheArrivalOfWhatWasNotSentIsRefused) {
  PacketHeader header;
  header.received = 1000;
  hear(header);
  expect_refused();
}
TEST_F(Hostile, BytesBeyondTheWindowAreRefused) {
  for (uint64_t i = 0; i < 100 && protocol_.fate(1).ok(); ++i)
    hear(first(i, kFragment, 5), kFragment);
  expect_refused();
}
TEST_F(Hostile, MessagesBeyondTheWindowAreRefused) {
  for (uint64_t i = 0; i < 5000 && protocol_.fate(1).ok(); ++i) hear(first(i, 0, 5));
  expect_refused();
}
TEST_F(Hostile, AHugeTotalAllocatesNothing) {
  hear(first(0, uint64_t{1} << 62, 5), 10);
  EXPECT_TRUE(protocol_.fate(1).ok());
  hear(first(1, uint64_t{1} << 62, 1), 10);
  EXPECT_EQ(request_.state, State::kFailed) << "it is too long for its buffer";
}
TEST_F(Hostile, ASenderThatDoesNotExistIsIgnored) {
  PacketHeader header;
  header.sender = 9;
  protocol_.arrived(header, {});
  EXPECT_TRUE(protocol_.fate(0).ok() && protocol_.fate(1).ok());
}
TEST_F(Hostile, RandomPacketsDoNoHarm) {
  std::minstd_rand chance(3);
  for (int round = 0; round < 20'000; ++round) {
    if (!protocol_.fate(1).ok()) return;  // refused, as it should be sooner or later
    PacketHeader header;
    header.kind = static_cast<PacketKind>(chance() % 9);
    header.unsolicited = chance() % 2;
    header.message = chance() % 4;
    header.total = chance() % 3 == 0 ? chance() : chance() % 50;
    header.key = {1, chance() % 3};
    hear(header, chance() % 60);
  }
}

}  // namespace
}  // namespace goss::transport
